"""Scores of images from a checkpoint. `sdsiqa.inference.NAME` is any class of any file here."""

from typing import Any

from sdsiqa import public_class, public_dir


def __getattr__(name: str) -> Any:
    """Find a class by its name, in whichever file it is."""
    return public_class(__name__, name)


def __dir__() -> list[str]:
    """Name what is listed here, and every class of every file."""
    return public_dir(__name__)
