"""Silence for what Lightning says in every run and is no news: advertisements, hints that do not hold here, its own deprecations.

All else is heard. Filters by message, since a category has news in it too.
"""

import logging
import warnings
from typing import Final

NO_NEWS: Final = (
    r"The `srun` command is available",  # jobs of a cluster are `sdsiqa submit`'s, which calls it
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # by Lightning itself
    r"Found \d+ module\(s\) in eval mode",  # a frozen body, which the configuration asks for
    r"You called `self\.log\(.*but have no logger configured",  # W&B is off; metrics.csv has them all
)
"""How warnings begin that are not shown."""


def _is_no_advertisement(record: logging.LogRecord) -> bool:
    return "Tip: For seamless" not in record.getMessage()


def quiet() -> None:
    """Do not show them from now on. Call it after Lightning is imported, which sets filters of its own."""
    for message in NO_NEWS:
        warnings.filterwarnings("ignore", message)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(_is_no_advertisement)
