"""Saliency-guided no-reference image quality assessment on PyTorch Lightning.

The public names below are imported when they are first used, so that `import sdsiqa` takes no time.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdsiqa.inference import Scorer, load, score

__version__ = "0.1.0"
__all__ = ["Scorer", "__version__", "load", "score"]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name in ("Scorer", "load", "score"):
        return getattr(import_module("sdsiqa.inference"), name)
    if not name.startswith("_") and find_spec(f"sdsiqa.{name}") is not None:
        return import_module(f"sdsiqa.{name}")  # `sdsiqa.report.write` without another import
    raise AttributeError(f"module 'sdsiqa' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Name the public ones."""
    return sorted(__all__)
