"""Saliency-guided no-reference image quality assessment on PyTorch Lightning.

The public names below are imported when they are first used, so that `import sdsiqa` takes no time.
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import walk_packages
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdsiqa.data.datamodule import QualityDataModule
    from sdsiqa.inference.scorer import Scorer, load, score
    from sdsiqa.models.sdsiqa import SDSIQA
    from sdsiqa.training.task import QualityTask

__version__ = "0.1.0"
__all__ = ["SDSIQA", "QualityDataModule", "QualityTask", "Scorer", "__version__", "load", "score"]
_PLACES = {
    "QualityDataModule": "sdsiqa.data.datamodule",
    "QualityTask": "sdsiqa.training.task",
    "SDSIQA": "sdsiqa.models.sdsiqa",
    **dict.fromkeys(("Scorer", "load", "score"), "sdsiqa.inference.scorer"),
}


@cache
def public_classes(package: str) -> dict[str, type]:
    """Import every file of a package; give its public classes by name. The folder is the list.

    Args:
        package: Such as `sdsiqa.models`.
    """
    found: dict[str, type] = {}
    for entry in walk_packages(import_module(package).__path__, f"{package}."):
        module = import_module(entry.name)
        own = {name: item for name, item in vars(module).items() if isinstance(item, type) and item.__module__ == entry.name}
        found |= {name: item for name, item in own.items() if not name.startswith("_")}
    return found


def public_class(package: str, name: str) -> type:
    """Find a class of a package by its name: its path names the package and never the file.

    Args:
        package: Such as `sdsiqa.models`.
        name: Such as `SDSIQA`.

    Raises:
        AttributeError: The package has no such class.
    """
    # only classes begin with a capital: a search for a module or a function must not import everything
    if not name[:1].isupper() or name not in public_classes(package):
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return public_classes(package)[name]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    if not name.startswith("_") and find_spec(f"sdsiqa.{name}") is not None:
        return import_module(f"sdsiqa.{name}")  # `sdsiqa.report.write` without another import
    raise AttributeError(f"module 'sdsiqa' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Name the public ones."""
    return sorted(__all__)
