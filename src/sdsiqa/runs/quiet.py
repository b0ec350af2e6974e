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
    r"Checkpoint directory .* exists and is not empty",  # where a run resumes; its folder is its own
    r"The number of training batches \(\d+\) is smaller than the logging interval",  # each epoch is logged all the same
    r"Total length of `list` across ranks is zero",  # a run that trains on the validation part has none
    r"You're using the WeightAveraging callback, but loading a checkpoint outside",  # the checkpoint holds the averaged weights
    r"You called `self\.log\(.*but have no logger configured",  # W&B is off; metrics.csv has them all
)
"""How warnings begin that are not shown."""


NO_LINES: Final = {
    "lightning.pytorch.utilities.rank_zero": (
        "Tip: For seamless",
        "TPU available",
        "Loading `train_dataloader` to estimate",
        "`Trainer.fit` stopped: `max_epochs=",
        "Restoring states from the checkpoint path",  # the run says itself that it resumes, or what it tests
        "Found current_model_state in the checkpoint",
        "You're using the WeightAveraging callback, but saving",
    ),
    "lightning.fabric.utilities.rank_zero": ("Seed set to",),
    "lightning.fabric.utilities.seed": ("Seed set to",),
    # a backbone is part of the network that its weights are of; `sdsiqa.models.components.backbone` checks what is missing
    "timm.models._builder": ("Unexpected keys (",),
}
"""How lines of a logger begin that are not shown."""


def _is_news(record: logging.LogRecord) -> bool:
    return not any(text in record.getMessage() for text in NO_LINES.get(record.name, ()))


def _one_line(message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None) -> str:
    """Write a warning without the line of code that gave it, which tells a user nothing."""
    return f"{category.__name__}: {message}\n"


def quiet() -> None:
    """Do not show them from now on. Call it after Lightning is imported, which sets filters of its own."""
    for message in NO_NEWS:
        warnings.filterwarnings("ignore", message)
    warnings.formatwarning = _one_line
    for name in NO_LINES:
        logging.getLogger(name).addFilter(_is_news)
