"""The parser of a verb that builds an object: the classes of `--provider` and their settings are read from the code."""

from difflib import get_close_matches
from typing import Any, NoReturn

import jsonargparse

from sdsiqa.runs.arguments import OneLine
from sdsiqa.runs.parser_messages import one_line


class TypedArguments(OneLine, jsonargparse.ArgumentParser):
    """Says what is wrong as `Arguments` does.

    Args:
        options: As of `jsonargparse.ArgumentParser`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})
        self.known: set[str] = set()
        """Settings of the classes that may be named, to suggest the nearest."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Exit with status 2.

        Args:
            message: What is wrong.
            ex: What raised it.
        """
        if not self.exit_on_error:  # the parser of a class's settings; the verb's says what is wrong
            jsonargparse.ArgumentParser.error(self, message, ex)
        if "unrecognized arguments" not in message:
            groups = {action.dest for action in self._actions}
            message = one_line(message, lambda name: next(iter(get_close_matches(name, self.known, n=1)), None), groups)
        super().error(message)
