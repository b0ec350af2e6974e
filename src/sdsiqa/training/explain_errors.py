"""Errors of libraries in the middle of a run, turned into messages that say what to do."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from traceback import walk_tb

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.trainer.connectors.checkpoint_connector import _CheckpointConnector

from sdsiqa.errors import CheckpointError, SdsiqaError, SettingError, StorageError, TrainingFaultError, causes, in_short
from sdsiqa.files import CANNOT_WRITE
from sdsiqa.runs.parser_messages import one_line
from sdsiqa.runs.process import is_out_of_memory

_GONE = re.compile(
    r"[Cc]onnection (closed|reset|refused)|[Bb]roken pipe|Socket Timeout|NCCL|[Gg]loo|[Tt]imed out (after )?waiting"
)
_INTERVAL = re.compile(
    r"`val_check_interval` \((\d+)\) must be less than or equal to the number of the training batches \((\d+)\)"
)
_KILLED_WORKER = re.compile(r"DataLoader worker .*(killed by signal|exited unexpectedly)")


@contextmanager
def explained() -> Iterator[None]:
    """Turn what libraries raise into an `SdsiqaError` where its cause is known; leave everything else as it is."""
    try:
        yield
    except SdsiqaError as error:
        plain = _from_worker(error) or _from_signal(error)
        if plain is None:
            raise
        raise plain from error
    except Exception as error:
        known = explain(error) if isinstance(error, OSError | RuntimeError | MemoryError | ValueError) else None
        known = known or _from_signal(error) or _from_checkpoint(error)
        if known is None:
            raise
        raise known from error


_PLACES = {
    "QualityTask": "model", "QualityDataModule": "data", "Trainer": "trainer", "RunSettings": "run", "WandbSettings": "wandb",
}  # fmt: skip
"""Sections of a configuration by the class whose arguments they hold."""


@contextmanager
def settings_checked(place: str | None = None) -> Iterator[None]:
    """Turn what a constructor says of its arguments into one line that names their place in the configuration.

    Args:
        place: That place; `None`: as the class says that is being built.
    """
    try:
        yield
    except SdsiqaError:
        raise
    except (ValueError, TypeError, MisconfigurationException, ModuleNotFoundError) as error:
        text = in_short(error, 300)
        if text.startswith("Does not validate against"):  # what the class of an inner part says of its arguments
            raise SettingError(f"a part of the configuration: {one_line(str(error), lambda name: None)}") from error
        if place is not None:
            raise SettingError(f"{place}.{text}") from error
        frames = [frame for frame, _ in walk_tb(error.__traceback__)]
        kinds = [frame.f_locals["class_type"] for frame in frames if isinstance(frame.f_locals.get("class_type"), type)]
        if not kinds and not any(frame.f_code.co_name == "instantiate_trainer" for frame in frames):
            raise
        kind = kinds[-1] if kinds else Trainer
        is_setting = text.partition(" ")[0].partition("[")[0] in signature(kind).parameters
        raise SettingError(f"{_PLACES.get(kind.__name__, kind.__name__)}{'.' if is_setting else ': '}{text}") from error


def explain(error: BaseException) -> SdsiqaError | None:
    """Say what an error means.

    Args:
        error: What a library raised.

    Returns:
        The same for a person to read; `None` for what is not known.
    """
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and _is_of_reading(error):
        return StorageError(
            f"{error.filename} could not be read ({error.strerror}); give this user the right to read it, or look at the disk. "
            "What was written before is whole; the same command resumes"
        )
    if isinstance(error, OSError) and error.errno in CANNOT_WRITE:
        room = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "give this user the right to write there"
        return StorageError(
            f"{error.filename or 'a file'} could not be written ({error.strerror}); {room}, or set run.root to another folder. "
            "What was written before is whole; the same command resumes"
        )
    if is_out_of_memory(error):
        return TrainingFaultError(
            f"memory ran out ({in_short(error)}); lower data.batch_size or data.patches_per_image, train on more "
            "devices, or set trainer.precision to bf16-mixed. The last checkpoint is good"
        )
    if found := _INTERVAL.match(text):
        return SettingError(
            f"trainer.val_check_interval is {found[1]}, and an epoch has {found[2]} steps; give at most as many, a share up to "
            "1.0, or set trainer.check_val_every_n_epoch to null to count steps over all epochs"
        )
    if _several() and _GONE.search(text):
        return TrainingFaultError(
            f"another process of this training is gone ({in_short(text, 120)}); its own last words say why, and there are "
            "none if it was killed. The last checkpoint is good; the same command resumes from it"
        )
    return None


def _from_checkpoint(error: Exception) -> CheckpointError | None:
    """Explain what Lightning says when it puts the state of a checkpoint back: a part is missing or of another kind."""
    for frame, _ in walk_tb(error.__traceback__):
        connector = frame.f_locals.get("self")
        if isinstance(connector, _CheckpointConnector) and "restore" in frame.f_code.co_name:
            return CheckpointError(
                f"{connector.trainer.ckpt_path}: its state cannot be resumed from ({type(error).__name__}: "
                f"{in_short(error, 200)}); name a checkpoint that `sdsiqa fit` wrote with these settings, or "
                "remove the file to start again"
            )
    return None


def _from_signal(error: BaseException) -> TrainingFaultError | None:
    """Find a killed loader process behind an error: PyTorch raises it wherever the signal arrives, and others wrap it."""
    for inner in causes(error):
        text = " ".join(str(inner).split())
        if isinstance(inner, RuntimeError) and _KILLED_WORKER.search(text):
            return TrainingFaultError(
                f"a loader process was killed ({in_short(text)}); the machine may be short of memory, or /dev/shm too small "
                "(docker: --shm-size 2g): lower data.num_workers. The last checkpoint is good; the same command resumes from it"
            )
    return None


def _from_worker(error: SdsiqaError) -> SdsiqaError | None:
    """Take our own message out of the traceback that a loader process wraps around it."""
    text = str(error)
    if not text.startswith("Caught "):
        return None
    name = f"{type(error).__module__}.{type(error).__qualname__}: "
    return type(error)(text.rpartition(name)[2].strip())


def _is_of_reading(error: OSError) -> bool:
    """Say whether a file was there and could not be read: full and read-only disks refuse writing alone."""
    if error.filename is None:
        return False
    if error.errno in (errno.EIO, errno.ESTALE):
        return True
    file = Path(os.fsdecode(error.filename))
    is_there = os.access(file.parent, os.X_OK) and file.exists()
    return error.errno in (errno.EACCES, errno.EPERM) and is_there and not os.access(file, os.R_OK)


def _several() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1
