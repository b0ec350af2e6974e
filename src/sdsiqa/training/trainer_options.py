"""Options of the trainer and the seed that cannot work here, each with its reason; checked before anything is built."""

import math
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from sdsiqa.errors import SettingError
from sdsiqa.metrics.agreement import NAMES

HIGHEST_SEED = 2**32 - 1
"""What numpy takes."""

_PRECISIONS = (None, 16, 32, "16", "32", "bf16", "32-true", "16-mixed", "bf16-mixed")
_SHARDING = ("fsdp", "deepspeed", "model_parallel", "xla")


class Refusal(NamedTuple):
    """An option that is refused.

    Args:
        option: Its name below `trainer`.
        is_wrong: Whether a value cannot work.
        reason: Why, and what to do instead.
    """

    option: str
    is_wrong: Callable[[Any], bool]
    reason: str


def _below(least: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int | float) and not (least <= value and math.isfinite(value))


def _names(*words: str) -> Callable[[Any], bool]:
    return lambda value: any(word in _shown(value).lower() for word in words)


def _shown(value: Any) -> str:
    """Give a value as a person wrote it; a class by its path."""
    return str(value["class_path"] if hasattr(value, "get") and "class_path" in value else value)


REFUSED = (
    Refusal(
        "overfit_batches",
        lambda value: value != 0,
        "it would replace the sampler that decides order and crops; leave it out, and set trainer.limit_train_batches",
    ),
    Refusal(
        "precision",
        lambda value: value not in _PRECISIONS,
        "scores are computed in float32 whatever is around them, because fewer digits tie different images; set it to 32-true, "
        "bf16-mixed or 16-mixed",
    ),
    Refusal(
        "enable_checkpointing",
        lambda value: value is False,
        "the test reads the checkpoint that validation chose; leave it out, and delete checkpoints afterwards",
    ),
    Refusal("barebones", bool, "it switches off the checkpoints and scores that a run is made for; leave it out"),
    Refusal(
        "default_root_dir",
        lambda value: value is not None,
        "a run lies in a folder of its own; leave it out, and set run.root or run.folder",
    ),
    Refusal(
        "logger",
        _names("wandb"),
        "the run has a W&B run already; leave it out, and set wandb.project and wandb.mode",
    ),
    Refusal(
        "strategy",
        _names(*_SHARDING),
        "it shards the network, and a checkpoint here is one whole file; set it to auto or ddp",
    ),
    Refusal(
        "strategy",
        _names("spawn", "fork", "notebook"),
        "it copies the trainer into other processes, which its locks do not survive; set it to auto or ddp",
    ),
    Refusal(
        "reload_dataloaders_every_n_epochs",
        bool,
        "loaders know their place in an epoch, which a new one does not; leave it out: crops differ in each epoch anyway",
    ),
    Refusal("gradient_clip_val", _below(0), "expected a number, at least 0"),
    Refusal("max_epochs", lambda value: value is not None and value < -1, "expected a whole number, at least 0"),
    Refusal("log_every_n_steps", _below(0), "expected a whole number, at least 0"),
    Refusal("accumulate_grad_batches", _below(1), "expected a whole number, at least 1"),
    Refusal("check_val_every_n_epoch", _below(1), "expected a whole number of epochs, at least 1"),
    Refusal("min_epochs", _below(0), "expected a whole number, at least 0"),
    Refusal("num_sanity_val_steps", _below(-1), "expected a whole number, at least 0, or -1 for all"),
    Refusal("val_check_interval", lambda value: value in (0, "0"), "expected a share of an epoch or a number of steps, above 0"),
    Refusal("num_nodes", _below(1), "expected a whole number, at least 1"),
)
"""Every option that is refused. What Lightning itself refuses is not listed."""


def check_trainer(trainer: Mapping[str, Any]) -> None:
    """Refuse options that cannot work.

    Args:
        trainer: The trainer's arguments.

    Raises:
        SettingError: Names the option, its value and the reason.
    """
    for refusal in REFUSED:
        value = trainer.get(refusal.option)
        for each in value if isinstance(value, list) else [value]:
            if each is not None and refusal.is_wrong(each):
                raise SettingError(f"trainer.{refusal.option} is {_shown(each)}: {refusal.reason}")
    if trainer.get("max_epochs") == -1 and trainer.get("max_steps") in (None, -1):
        raise SettingError(
            "trainer.max_epochs is -1: the learning rate falls over all steps, so their number must be known; set "
            "trainer.max_epochs to a number, or trainer.max_steps"
        )


def check_monitors(callbacks: Iterable[Any]) -> None:
    """Refuse callbacks that watch a metric which no validation gives; Lightning would say so after an epoch.

    Args:
        callbacks: Callbacks as built; one of the user's own may log metrics of its own, and then all names are taken.

    Raises:
        SettingError: Names the callback, what it watches and the nearest metric.
    """
    known = [f"val/{name}" for name in NAMES]
    callbacks = list(callbacks)
    if not all(type(callback).__module__.startswith(("lightning.", "sdsiqa.")) for callback in callbacks):
        return
    for callback in callbacks:
        watched = getattr(callback, "monitor", None)
        if isinstance(watched, str) and watched not in known and not watched.startswith("train/"):
            near = next(iter(get_close_matches(watched, known, n=1, cutoff=0.3)), known[0])
            raise SettingError(
                f"trainer.callbacks: {type(callback).__name__} watches {watched!r}, which no validation gives; did you mean "
                f"{near!r}? There are {', '.join(known)}"
            )


def check_seed(seed: bool | int) -> None:
    """Refuse a seed that is none.

    Args:
        seed: Of `seed_everything`: a number; true draws one, false seeds nothing.

    Raises:
        SettingError: It is out of range.
    """
    if not isinstance(seed, bool) and not 0 <= seed <= HIGHEST_SEED:
        raise SettingError(f"seed_everything is {seed}; expected a whole number from 0 to {HIGHEST_SEED}, true or false")
