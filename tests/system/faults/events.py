"""Callbacks for configurations: a fault at a certain step."""

import os
import signal
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback


class At(Callback):
    """Does something after so many optimiser steps of a run's first life.

    Args:
        step: How many.
    """

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.ckpt_path is None and trainer.global_step == self.step:
            self.happen(trainer, batch)

    def happen(self, trainer: Any, batch: Any) -> None:
        raise NotImplementedError


class Poison(At):
    """Labels of a batch become NaN."""

    def happen(self, trainer: Any, batch: Any) -> None:
        batch["quality"].fill_(float("nan"))


class Vanish(At):
    """The folder of the data is gone.

    Args:
        step: When.
        folder: Which.
    """

    def __init__(self, step: int, folder: str) -> None:
        super().__init__(step)
        self.folder = Path(folder)

    def happen(self, trainer: Any, batch: Any) -> None:
        self.folder.rename(self.folder.with_name("elsewhere"))


class Fill(At):
    """The disk of the run is full.

    Args:
        step: When.
        folder: A folder on that disk.
    """

    def __init__(self, step: int, folder: str) -> None:
        super().__init__(step)
        self.folder = Path(folder)

    def happen(self, trainer: Any, batch: Any) -> None:
        with (self.folder / "filler").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(1 << 12)):
                    pass
            except OSError:
                return


class Hunger(At):
    """A step asks for more memory than the process may have, as a batch that is too large does."""

    def happen(self, trainer: Any, batch: Any) -> None:
        torch.empty(1 << 44, dtype=torch.uint8)


class ToGroup(At):
    """A signal comes to the process group: the run and its loader processes.

    Args:
        step: When.
        name: Such as `SIGTERM`.
    """

    def __init__(self, step: int, name: str) -> None:
        super().__init__(step)
        self.number = signal.Signals[name]

    def happen(self, trainer: Any, batch: Any) -> None:
        os.killpg(0, self.number)


class KillWorker(At):
    """The system kills a loader process, as it does when memory is short."""

    def happen(self, trainer: Any, batch: Any) -> None:
        iterator = trainer.fit_loop._combined_loader.flattened[0]._iterator
        os.kill(iterator._workers[0].pid, signal.SIGKILL)


class KillRank(At):
    """A process of several is killed.

    Args:
        step: When.
        rank: Which.
    """

    def __init__(self, step: int, rank: int) -> None:
        super().__init__(step)
        self.rank = rank

    def happen(self, trainer: Any, batch: Any) -> None:
        if trainer.global_rank == self.rank:
            os.kill(os.getpid(), signal.SIGKILL)


class KillService(At):
    """The local service of W&B dies."""

    def happen(self, trainer: Any, batch: Any) -> None:
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                if "wandb-core" in (entry / "cmdline").read_text() and int(parent) == os.getpid():
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue
