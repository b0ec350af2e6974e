"""Where people look: providers of one map per whole image. `sdsiqa.saliency.NAME` is any class of any file here.

Importing them imports no torch and opens no model.
"""

from typing import Any

from sdsiqa import public_class, public_dir
from sdsiqa.saliency.base import SaliencyProvider, to_uint8

__all__ = ["SaliencyProvider", "to_uint8"]


def __getattr__(name: str) -> Any:
    """Find a class by its name, in whichever file it is."""
    return public_class(__name__, name)


def __dir__() -> list[str]:
    """Name what is listed here, and every class of every file."""
    return public_dir(__name__)
