"""The parser of `sdsiqa fit` and its kin: strict about names, and helpful about wrong ones."""

import inspect
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, NoReturn

from lightning.pytorch.cli import LightningArgumentParser

from sdsiqa.benchmarks import Benchmark
from sdsiqa.losses import QualityLoss
from sdsiqa.models.network import QualityNetwork
from sdsiqa.objectives import Objective
from sdsiqa.pretraining import Pretraining
from sdsiqa.saliency import SaliencyProvider
from sdsiqa.tasks import QualityTask

# how jsonargparse names a key that it does not know: on the command line, in a file, inside a class's arguments
_UNKNOWN = (
    re.compile(r"unrecognized arguments: --([\w.]+)"),
    re.compile(r"Key '([\w.]+)' is not expected"),
    re.compile(r"No action for key '([\w.]+)'"),
    re.compile(r"NestedArg\(key='([\w.]+)'"),
    re.compile(r"Option '([\w.]+)' is not accepted"),
)


class StrictParser(LightningArgumentParser):
    """Refuses unknown keys with the nearest known one."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Exit with status 2.

        Args:
            message: What is wrong.
            ex: What raised it.
        """
        for pattern in _UNKNOWN:
            found = pattern.search(f"{message} {ex}")
            if found:
                *place, leaf = found[1].split(".")
                near = get_close_matches(leaf, sorted(self._names()), n=1)
                if near:
                    message = f"{message}\nthere is no {found[1]!r}; did you mean {'.'.join([*place, near[0]])!r}?"
                break
        super().error(message, ex)
        raise SystemExit(2)

    def _names(self) -> set[str]:
        """Last parts of all keys that this parser and the classes that it builds know."""
        bases = (Benchmark, SaliencyProvider, QualityNetwork, QualityLoss, Objective)
        own = {action.dest.rsplit(".", 1)[-1] for action in self._actions}
        alone = {name for kind in (QualityTask, Pretraining) for name in inspect.signature(kind).parameters}
        return own | alone | {name for base in bases for name in _arguments(base)}


def _arguments(base: type[Any]) -> Iterator[str]:
    """Arguments of a class and of all its subclasses."""
    yield from inspect.signature(base).parameters
    for child in base.__subclasses__():
        yield from _arguments(child)
