"""What a method of two stages takes from its first one, and the check that it has one."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from torch import nn

from sdsiqa.errors import CheckpointError, SettingError, in_short
from sdsiqa.files import user_path
from sdsiqa.inference.checkpoint import read_checkpoint
from sdsiqa.models.base import QualityNetwork
from sdsiqa.runs.first_stage import NOTHING, FirstStage
from sdsiqa.runs.folder import RunFolder


def first_stage(plain: dict[str, Any], is_fit: bool = True) -> FirstStage | None:
    """Find the first stage that a run starts from.

    Args:
        plain: The run's configuration as plain values.
        is_fit: Whether the run is to be trained from it; else what the run's record says of it is enough.

    Raises:
        CheckpointError: It is not there, not finished, or of no use to the network.
        SettingError: The network needs one, and none is named.
    """
    if is_fit:
        check_first_stage(plain["model"])
    place, folder = plain["model"].get("init_from"), plain["run"]["folder"]
    if place is None or Path(place) == NOTHING:
        return None
    known = {} if folder is None else RunFolder(Path(folder)).record.get("stage_one") or {}
    if "hash" in known and not (is_fit and user_path(place).exists()):
        return FirstStage.from_record(known)
    return FirstStage.of(Path(place))


def load_first_stage(network: QualityNetwork, stage: FirstStage) -> None:
    """Give a network the parts that a first stage has learned.

    Args:
        network: Names them in `stage_one`.
        stage: A finished first stage.

    Raises:
        CheckpointError: The network names none, or the first stage has learned others.
    """
    file = cast(Path, stage.file)
    _check_parts(type(network), str(file))
    found = read_checkpoint(file)["state_dict"]
    for name in network.stage_one:
        part = cast(nn.Module | None, getattr(network, name))
        if part is None:  # a branch that this variant does without
            continue
        prefix = f"network.{name}."
        state = {key[len(prefix) :]: value for key, value in found.items() if str(key).startswith(prefix)}
        try:
            part.load_state_dict(state)
        except RuntimeError as error:
            reason = in_short(error, 300)
            raise CheckpointError(
                f"{file}: its {name!r} is not the one of {type(network).__name__} ({reason}); give the networks of both stages "
                "the same arguments"
            ) from error


def check_first_stage(model: Mapping[str, Any]) -> None:
    """Refuse to train a method of two stages without its first one unasked, and a first stage that nothing reads.

    A method without its first stage is another method: its scores under the method's name would mislead.

    Args:
        model: The model section of a run, as plain values.

    Raises:
        SettingError: The network takes weights from a first stage, and `init_from` is not set.
        CheckpointError: `init_from` is set, and the network takes none.
    """
    module, _, name = model["network"]["class_path"].rpartition(".")
    kind = getattr(import_module(module), name)
    if model.get("init_from") is None and kind.stage_one and kind.needs_stage_one:
        file = f"configs/overlay/{kind.__module__.rpartition('.')[2]}_first.yaml"
        raise SettingError(
            f"{name} starts from a first stage, and model.init_from names none; train it with `sdsiqa fit -c RUN_FILE -c "
            f"{file}`, RUN_FILE being that of a benchmark with what it learns from (configs/demo.yaml), and give its "
            "folder as --model.init_from, or let an experiment name it under first_stages; --model.init_from nothing trains "
            "without one"
        )
    if model.get("init_from") not in (None, "nothing"):
        _check_parts(kind, model["init_from"])


def _check_parts(kind: type[QualityNetwork], place: str) -> None:
    if not kind.stage_one:
        raise CheckpointError(
            f"{kind.__name__} takes no weights from a first stage, and model.init_from is {place}; leave model.init_from out"
        )
