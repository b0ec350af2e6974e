"""The parser of the verbs that need no Lightning: no abbreviations, and an error is one line with the nearest name."""

import argparse
import sys
from difflib import get_close_matches
from typing import Any, NoReturn


class Arguments(argparse.ArgumentParser):
    """Says what is wrong alone, without the usage before it.

    Args:
        options: As of `argparse.ArgumentParser`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        """Exit with status 2.

        Args:
            message: What is wrong.
        """
        unknown = message.partition("unrecognized arguments: ")[2].split()
        if unknown:
            word = unknown[0].partition("=")[0]
            message = f"there is no {word!r}"
            near = get_close_matches(word, list(self._option_string_actions), n=1) if word.startswith("-") else []
            message += f"; did you mean {near[0]!r}?" if near else f"; `{self.prog} --help` lists what there is"
        sys.stderr.write(f"{self.prog}: {' '.join(message.split())}\n")
        raise SystemExit(2)
