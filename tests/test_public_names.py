"""What a notebook shows: names by tab completion, signatures, texts of objects."""

import inspect
import pydoc
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import sdsiqa
from sdsiqa import SDSIQA, QualityTask, public_classes
from sdsiqa.benchmarks import LIVEC
from sdsiqa.data import GridCrops, RandomCrops, SteadyLoader, WholeImage
from sdsiqa.models import CNNIQA, FusionHead, ImageBranch, SaliencyBranch
from sdsiqa.training import QualityCLI, StrictParser

PACKAGES = ["benchmarks", "data", "inference", "losses", "metrics", "models", "plots", "report", "saliency", "training"]


def items(package: str) -> dict[str, Any]:
    """Give the public functions and classes of a package."""
    module = import_module(f"sdsiqa.{package}".strip("."))
    names = {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
    names |= public_classes(module.__name__) if package and hasattr(module, "__path__") else {}
    return {name: item for name, item in names.items() if str(getattr(item, "__module__", "")).startswith("sdsiqa.")}


def functions(package: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Give the public functions and classes of a package, and the public methods and constructors of the classes."""
    for name, item in items(package).items():
        if inspect.isfunction(item) or (isinstance(item, type) and not is_made_by_a_library(item)):
            yield name, item
        for part, function in vars(item).items() if isinstance(item, type) else ():
            if inspect.isfunction(function) and (not part.startswith("_") or part in ("__init__", "__call__")):
                yield f"{name}.{part}", function


def is_made_by_a_library(kind: type) -> bool:
    """Whether a class has no signature of its own: typed dictionaries, protocols, warnings; parsers and loaders of libraries."""
    return issubclass(kind, (dict, Warning, SteadyLoader, StrictParser, QualityCLI)) or getattr(kind, "_is_protocol", False)


@pytest.mark.parametrize("package", ["", *PACKAGES])
def test_signatures_name_types_as_the_source_does(package: str) -> None:
    """`NDArray[np.uint8]`, not what numpy makes of it; no address of a function, no `*args` of PyTorch."""
    found = {name: str(inspect.signature(item)) for name, item in functions(package)}
    assert found
    unclear = ("numpy.ndarray[", "_typing", "ForwardRef", " at 0x", "(*args: Any, **kwargs: Any)")
    assert {name: text for name, text in found.items() if any(word in text for word in unclear)} == {}


def test_help_of_the_package_is_an_overview() -> None:
    """Two screens: what there is, and how to begin; `help` of a class writes out all that it inherits from PyTorch."""
    lines = pydoc.plain(pydoc.render_doc(sdsiqa)).splitlines()
    assert len(lines) < 120
    assert max(map(len, lines)) <= 140
    text = "\n".join(lines)
    assert [name for name in dir(sdsiqa) if name not in text and name != "__version__"] == []
    assert "ndarray[" not in text


@pytest.mark.parametrize("package", PACKAGES)
def test_help_of_public_names_shows_no_type_spelled_out(package: str) -> None:
    for name, item in items(package).items():
        own = pydoc.plain(pydoc.render_doc(item)).partition(" |  Methods inherited from")[0]
        assert "numpy.ndarray[" not in own, name


def test_a_package_names_what_it_offers_and_nothing_else() -> None:
    """Neither the files that the names come from, nor what they import."""
    for package in (name for name in PACKAGES if name != "inference"):  # `sdsiqa` itself names what it offers
        module = import_module(f"sdsiqa.{package}")
        assert [name for name in dir(module) if inspect.ismodule(getattr(module, name)) and not name.startswith("_")] == []


def test_packages_name_what_they_offer() -> None:
    assert {"load", "Scorer", "SDSIQA", "models", "metrics", "benchmarks"} <= set(dir(sdsiqa))
    for package, name in (
        ("models", "HyperIQA"),
        ("benchmarks", "LIVEC"),
        ("saliency", "SDSP"),
        ("metrics", "srcc"),
        ("losses", "L1"),
    ):
        assert name in dir(getattr(sdsiqa, package))
    for package in ("models", "benchmarks", "saliency", "data", "training"):
        module = getattr(sdsiqa, package)
        assert [name for name in dir(module) if name.startswith("_") or not hasattr(module, name)] == []


def test_a_network_is_a_line_for_each_part() -> None:
    branches = (ImageBranch("test_resnet"), SaliencyBranch("test_resnet"))
    text = repr(SDSIQA(*branches, FusionHead(proj_dim=8, head_dim=8)))
    first, *parts = text.splitlines()
    assert first.startswith("SDSIQA(image, saliency): 0.")
    assert [part.split(",")[0] for part in parts] == [
        "  image_branch: ImageBranch(test_resnet)",
        "  saliency_branch: SaliencyBranch(test_resnet)",
        "  fusion: FusionHead",
    ]
    text = repr(QualityTask(CNNIQA()))
    assert text.startswith("QualityTask(\n  (network): CNNIQA(image): 0.72 M parameters\n    filters: Conv2d, 2500\n")
    assert text.endswith("\n  (loss): L1()\n)")
    assert text.count("CNNIQA") == 1


def test_a_benchmark_says_where_it_is(tmp_path: Path) -> None:
    assert repr(LIVEC(tmp_path)) == f"LIVEC('{tmp_path}')"


def test_crops_say_how_they_are_cut() -> None:
    assert [repr(crops) for crops in (RandomCrops(64, 8), GridCrops(64, 2, 3), WholeImage())] == [
        "RandomCrops(side=64, count=8)",
        "GridCrops(side=64, rows=2, columns=3)",
        "WholeImage()",
    ]


@pytest.mark.parametrize(
    ("code", "unneeded"),
    [
        ("import sdsiqa.models; sdsiqa.models.SDSIQA", ["torchmetrics", "scipy.signal"]),
        ("import sdsiqa.inference.scorer", ["albumentations", "torchmetrics", "lightning"]),
    ],
)
def test_a_name_imports_what_it_needs_alone(code: str, unneeded: list[str]) -> None:
    """A picture is scored as soon as its own network is there; libraries of other methods take a second."""
    asked = f"{code}; import sys; print([name for name in {unneeded} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=250)
    assert done.stdout.strip() == "[]"
