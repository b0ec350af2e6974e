"""From a benchmark's table to batches of crops. `sdsiqa.data.NAME` is any class of any file here."""

from typing import Any

from sdsiqa import public_class


def __getattr__(name: str) -> Any:
    """Find a class by its name, in whichever file it is."""
    return public_class(__name__, name)
