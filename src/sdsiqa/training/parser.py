"""The parser of `sdsiqa fit`, `validate`, `test` and `predict`: unknown names are errors, each told in one line."""

import functools
import inspect
import operator
import re
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, ClassVar, NoReturn, get_args

from lightning.pytorch.cli import LightningArgumentParser
from omegaconf.errors import OmegaConfBaseException

from sdsiqa.benchmarks import Benchmark
from sdsiqa.losses import QualityLoss
from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.objective import Objective
from sdsiqa.runs.parser_messages import one_line
from sdsiqa.saliency import SaliencyProvider
from sdsiqa.training.class_source import group_names
from sdsiqa.training.setting_names import place_of
from sdsiqa.training.task import QualityTask

_KEY = re.compile(r"^(?:there is no ')?(\w+(?:\.\w+)+)")
_REQUIRED = re.compile(r"^the following arguments are required: (.*)$")


class StrictParser(LightningArgumentParser):
    """Refuses unknown keys with the nearest known one, and wrong values with the file and line that set them."""

    words: ClassVar[Sequence[str]] = ()
    """Words after the verb, before their files came to one configuration."""

    def add_argument(self, *args: Any, **options: Any) -> Any:
        """Add an argument, as jsonargparse does, whose type is `int | float` where it is `float | int`.

        One batch would else be read as 1.0, which means all of them: Python's typing keeps one of the two for both, whichever a
        process came across first. jsonargparse copies this method to the groups of the parser.

        Args:
            args: As of jsonargparse.
            options: As of jsonargparse.
        """
        action = super().add_argument(*args, **options)
        kinds = list(get_args(getattr(action, "_typehint", None)))
        if int in kinds and float in kinds and kinds.index(float) < kinds.index(int):
            kinds.remove(int)
            kinds.insert(kinds.index(float), int)
            action._typehint = functools.reduce(operator.or_, kinds)  # Union[...] would give back the one that is kept
        return action

    def parse_args(self, *args: Any, **options: Any) -> Any:
        """Parse; what OmegaConf cannot fill in is wrong usage too.

        Args:
            args: As of jsonargparse.
            options: As of jsonargparse.
        """
        try:
            return super().parse_args(*args, **options)
        except OmegaConfBaseException as error:
            first = str(error).partition("\n")[0]
            place = str(getattr(error, "full_key", None) or "").partition(".")[2]  # without the verb
            message = first.partition("raised while resolving interpolation: ")[2] or first
            self.error(f"{place}: {message}" if place else message, error)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Exit with status 2, and one line.

        Args:
            message: What is wrong.
            ex: What raised it.
        """
        if not self.exit_on_error:  # the parser of a part; the one that holds it says what is wrong
            super().error(message, ex)
        names = sorted(self._names())
        verb = self.prog.replace(" [options]", "").partition(" ")[2]
        if missing := _REQUIRED.match(message):
            verb, text = _not_set(missing[1].split(", "))
        else:
            text = one_line(message, lambda name: next(iter(get_close_matches(name, names, n=1)), None), group_names())
            key = _KEY.match(text)
            where = place_of(key[1], self.words) if key else ""
            text = f"{where}: {text}" if where else text
        sys.stderr.write(f"{f'sdsiqa {verb}'.strip()}: {text}\n")
        raise SystemExit(2)

    def _names(self) -> set[str]:
        """Last parts of all keys that this parser and the classes that it builds know."""
        bases = (Benchmark, SaliencyProvider, QualityNetwork, QualityLoss, Objective)
        verbs = self._subcommands_action.choices if self._subcommands_action is not None else {}
        actions = [action for parser in (self, *verbs.values()) for action in parser._actions]
        own = {action.dest.rsplit(".", 1)[-1] for action in actions}
        return own | set(inspect.signature(QualityTask).parameters) | {name for base in bases for name in _arguments(base)}


def _not_set(keys: Sequence[str]) -> tuple[str, str]:
    """Say which settings a command must have; give the verb, which the keys start with, and the sentence."""
    verb = keys[0].partition(".")[0]
    *others, last = [key.removeprefix(f"{verb}.") for key in keys]
    named = f"{', '.join(others)} and {last} are" if others else f"{last} is"
    return verb, f"{named} not set; give files that do, such as -c configs/base.yaml --data configs/data/livec.yaml"


def _arguments(base: type[Any]) -> Iterator[str]:
    """Arguments of a class and of all its subclasses."""
    yield from inspect.signature(base).parameters
    for child in base.__subclasses__():
        yield from _arguments(child)
