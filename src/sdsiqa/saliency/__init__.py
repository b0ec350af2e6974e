"""Where people look: providers of one map per whole image. Importing them imports no torch and opens no model."""

from sdsiqa.saliency.base import SaliencyProvider, to_uint8
from sdsiqa.saliency.cache import CachedMaps
from sdsiqa.saliency.controls import CentrePrior, Random, Uniform
from sdsiqa.saliency.dino import Dino
from sdsiqa.saliency.onnx import Onnx
from sdsiqa.saliency.sdsp import SDSP
from sdsiqa.saliency.spectral_residual import SpectralResidual
from sdsiqa.saliency.stored import Shuffled, Stored

__all__ = [
    "SDSP",
    "CachedMaps",
    "CentrePrior",
    "Dino",
    "Onnx",
    "Random",
    "SaliencyProvider",
    "Shuffled",
    "SpectralResidual",
    "Stored",
    "Uniform",
    "to_uint8",
]
