"""Which tests compute numbers: found by what a file imports, so that a new test is one of them without being listed."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

COMPUTE = ("losses", "metrics", "models", "saliency", "training.scores", "training.solvers")
"""Packages and modules of the package whose results are sums of floats."""

LONG = frozenset(
    {"main", "fit", "words", "Trainer", "optim", "subprocess", "mp", "multiprocessing", "runpy", "coverage", "compile"}
)
"""Names by which a test trains, starts a process, compiles or simulates for many seconds: what it tests is no kernel."""

SHOWN = ("report_runs", "sdsiqa.plots", "tools")
"""Modules by which a test writes reports, figures or documentation, which show what others compute."""


def is_numerical(item: pytest.Function) -> bool:
    """Say whether a test computes with the package, and neither trains nor shows what others compute.

    Args:
        item: As pytest collected it.
    """
    origins = {_origin(value) for value in vars(item.module).values()}
    computes = any(origin.startswith(tuple(f"sdsiqa.{name}" for name in COMPUTE)) for origin in origins)
    shows = any(origin.startswith(SHOWN) for origin in origins)
    return computes and not shows and not item.get_closest_marker("slow") and LONG.isdisjoint(_names(item))


def _origin(value: Any) -> str:
    """Name the module of a value, or a module itself."""
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return name if isinstance(name, str) else ""


def _names(item: pytest.Function) -> Iterator[str]:
    """Yield the names that a test, its fixtures and the functions among its parameters use."""
    definitions = item._fixtureinfo.name2fixturedefs.values()
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    for function in (item.function, *(fixture.func for some in definitions for fixture in some), *parameters):
        code = getattr(function, "__code__", None)
        yield from code.co_names if code else ()
