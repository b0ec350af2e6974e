"""Saliency-guided no-reference image quality assessment on PyTorch Lightning."""

__version__ = "0.1.0"
