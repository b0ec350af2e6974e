"""Variables of the environment: one that is set to nothing counts as unset, as a shell script leaves it behind."""

import os
from collections.abc import MutableMapping
from typing import Any

from sdsiqa.errors import SettingError

_OTHERS = ("HF_HOME", "PL_GLOBAL_SEED", "SLURM_RESTART_COUNT", "TORCHELASTIC_RESTART_COUNT", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables of libraries that are read here. `CUDA_VISIBLE_DEVICES` is not among them: empty, it hides all GPUs."""


def forget_empty(environment: MutableMapping[str, str] = os.environ) -> None:
    """Drop variables of sdsiqa, and others that it reads, that are empty.

    Args:
        environment: Variables of this process; changed in place.
    """
    for name in [name for name in environment if name.startswith(("SDSIQA_", "WANDB_")) or name in _OTHERS]:
        if not environment[name].strip():
            del environment[name]


def read_empty_as_unset() -> None:
    """Let `${oc.env:NAME,DEFAULT}` give the default for an empty variable too, and name an unset one in a sentence."""
    from omegaconf import OmegaConf  # here: not for every verb

    try:
        OmegaConf.register_resolver("oc.env", _variable, replace=True)
    except TypeError:  # OmegaConf 2.3, where this name is that of an older interface
        OmegaConf.register_new_resolver("oc.env", _variable, replace=True)


def _variable(name: str, *default: Any) -> Any:
    value = os.environ.get(name)
    if value is not None and value.strip():
        return value
    if not default:
        state = "is empty" if value is not None else "is not set"
        raise SettingError(f"the environment variable {name} {state}; set it, or write ${{oc.env:{name},DEFAULT}}")
    return default[0]
