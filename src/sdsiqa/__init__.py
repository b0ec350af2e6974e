"""Saliency-guided no-reference image quality assessment on PyTorch Lightning.

Score pictures:

>>> import sdsiqa
>>> scorer = sdsiqa.load("best.ckpt")  # a checkpoint or its ONNX file; without a name, the model that ships
>>> quality = scorer(["pictures/0.png", "pictures/1.png"])  # one value each, about 0 to 1, higher is better

Train with a trainer of your own:

>>> from sdsiqa import SDSIQA, QualityDataModule, QualityTask
>>> from sdsiqa.benchmarks import Folder
>>> from sdsiqa.models import FusionHead, ImageBranch, SaliencyBranch
>>> from sdsiqa.saliency import SDSP
>>> data = QualityDataModule(Folder("pictures", scale=(1, 5)), SDSP())
>>> task = QualityTask(SDSIQA(ImageBranch("resnet18"), SaliencyBranch("resnet18"), FusionHead()))

and then `lightning.pytorch.Trainer(max_epochs=10).fit(task, data)`.

Here:

    load, score         open a model; score pictures with one, in one call
    Scorer              what `load` gives: pictures in, scores out
    SDSIQA              the network
    QualityTask         trains and tests a network (a LightningModule)
    QualityDataModule   a benchmark's pictures, split and cut into crops (a LightningDataModule)

In packages:

    benchmarks          what to train and test on: LIVEC, KonIQ10k, Folder for pictures of your own, ...
    models, losses      networks of other methods, their parts, and what is minimised
    saliency            where people look: SDSP, SpectralResidual, Onnx for a model of your own, ...
    metrics, plots      functions of arrays: srcc, plcc, confidence intervals; figures
    report              tables and a page of finished runs

`help(sdsiqa.load)`, `help(sdsiqa.Scorer)` and so on say more of each, `dir(sdsiqa.models)` lists what a package has. Names are
imported when they are first used, so that `import sdsiqa` takes no time.
"""

import re
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdsiqa.data.datamodule import QualityDataModule as QualityDataModule
    from sdsiqa.inference.scorer import Scorer as Scorer
    from sdsiqa.inference.scorer import load, score
    from sdsiqa.models.sdsiqa import SDSIQA as SDSIQA
    from sdsiqa.training.task import QualityTask as QualityTask

__version__ = "0.1.0"
# without the classes, which `dir` names: `help(sdsiqa)` writes out what stands here, with all that a class inherits from PyTorch
__all__ = ["__version__", "load", "score"]
_PLACES = {
    "QualityDataModule": "sdsiqa.data.datamodule",
    "QualityTask": "sdsiqa.training.task",
    "SDSIQA": "sdsiqa.models.sdsiqa",
    **dict.fromkeys(("Scorer", "load", "score"), "sdsiqa.inference.scorer"),
}
_PACKAGES = ("benchmarks", "losses", "metrics", "models", "plots", "report", "saliency")


def public_classes(package: str) -> dict[str, type]:
    """Import every file of a package that defines a public class; give these classes by name. The folder is the list.

    Args:
        package: Such as `sdsiqa.models`.
    """
    places = defining_modules(package).items()
    return {name: getattr(import_module(module), name) for name, module in places if not name.startswith("_")}


def public_class(package: str, name: str) -> type:
    """Find a class of a package by its name: its path names the package and never the file.

    Args:
        package: Such as `sdsiqa.models`.
        name: Such as `SDSIQA`.

    Raises:
        AttributeError: The package has no such class.
    """
    # only classes begin with a capital: a search for a module or a function must not read everything
    module = defining_modules(package).get(name) if name[:1].isupper() else None
    if module is None:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    found: type = getattr(import_module(module), name)  # this file alone: others import libraries that take a second
    return found


@cache
def defining_modules(package: str) -> dict[str, str]:
    """Read the files of a package without importing them; give the module that says `class NAME`, by that name.

    Args:
        package: Such as `sdsiqa.models`.
    """
    found: dict[str, str] = {}
    for entry in walk_packages(import_module(package).__path__, f"{package}."):
        spec = find_spec(entry.name)
        source = "" if spec is None or not spec.has_location else Path(str(spec.origin)).read_text(encoding="utf-8")
        found |= dict.fromkeys(re.findall(r"^class (\w+)", source, re.MULTILINE), entry.name)
    return found


def public_dir(package: str) -> list[str]:
    """Name the public names of a package: its list, and its classes, whose files are imported for that.

    Args:
        package: Such as `sdsiqa.models`.
    """
    return sorted({*getattr(import_module(package), "__all__", ()), *public_classes(package)})


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    if not name.startswith("_") and find_spec(f"sdsiqa.{name}") is not None:
        return import_module(f"sdsiqa.{name}")  # `sdsiqa.report.write` without another import
    raise AttributeError(f"module 'sdsiqa' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Name the public ones, and the packages that have more."""
    return sorted(["__version__", *_PLACES, *_PACKAGES])
