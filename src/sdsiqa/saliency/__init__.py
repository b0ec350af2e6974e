"""Saliency sources: one map per whole image, one source a file. Importing them imports no torch and opens no model."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from sdsiqa import public_class
from sdsiqa.saliency.base import SaliencyProvider, to_uint8

__all__ = ["SaliencyProvider", "to_uint8"]


def __getattr__(name: str) -> Any:
    """Find a class by its name, in whichever file it is."""
    return public_class(__name__, name)


for _entry in iter_modules(__path__):  # the folder is the list: help and messages know every source
    import_module(f"{__name__}.{_entry.name}")
