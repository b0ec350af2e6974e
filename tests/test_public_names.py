"""What a notebook shows: names by tab completion, signatures, texts of objects."""

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import sdsiqa
from sdsiqa import SDSIQA, QualityTask, public_classes
from sdsiqa.benchmarks import LIVEC
from sdsiqa.models import CNNIQA, FusionHead, ImageBranch, SaliencyBranch

PACKAGES = ["benchmarks", "data", "inference", "losses", "metrics", "models", "plots", "report", "saliency", "training"]


def functions(package: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Give the public functions of a package, and the public methods and constructors of its classes."""
    module = import_module(f"sdsiqa.{package}")
    items = {name: getattr(module, name) for name in getattr(module, "__all__", ())}
    items |= public_classes(module.__name__) if hasattr(module, "__path__") else {}
    for name, item in items.items():
        if inspect.isfunction(item):
            yield name, item
        for part, function in vars(item).items() if isinstance(item, type) else ():
            if inspect.isfunction(function) and (not part.startswith("_") or part in ("__init__", "__call__")):
                yield f"{name}.{part}", function


@pytest.mark.parametrize("package", PACKAGES)
def test_signatures_name_types_as_the_source_does(package: str) -> None:
    """`NDArray[np.uint8]`, not what numpy makes of it."""
    long = [
        name
        for name, item in functions(package)
        if "numpy.ndarray[" in (text := str(inspect.signature(item))) or "_typing" in text
    ]
    assert long == []


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
    assert "(network): CNNIQA(image): 0.72 M parameters\n" in repr(QualityTask(CNNIQA()))


def test_a_benchmark_says_where_it_is(tmp_path: Path) -> None:
    assert repr(LIVEC(tmp_path)) == f"LIVEC('{tmp_path}')"
