"""The scores of a whole part, one per image on any number of devices: gathered once, and handed to all who write them."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, cast

import lightning
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor
from torchmetrics import Metric

from sdsiqa import metrics
from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.errors import BenchmarkMismatchError
from sdsiqa.runs.entries import Entries, Entry
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.scores import Scores, score_table

_PIECES = 32

Stage = Literal["val", "test", "predict"]
"""What a trainer does with a part whose scores are gathered."""


def data_of(trainer: lightning.Trainer) -> QualityDataModule:
    """The trainer's data, of which there is one kind."""
    return cast(QualityDataModule, trainer.datamodule)  # type: ignore[attr-defined]


class Agreement(Metric):
    """Agreement of scores with quality, each image counted once on any number of devices.

    Distributed samplers pad with repeats, which a mean over batches would count twice; here they go by their index.
    """

    is_differentiable: ClassVar[bool] = False  # type: ignore[misc]
    full_state_update: ClassVar[bool] = False  # type: ignore[misc]

    index: list[Tensor] | Tensor
    score: list[Tensor] | Tensor
    quality: list[Tensor] | Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("index", "score", "quality"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, index: Tensor, score: Tensor, quality: Tensor) -> None:
        """Keep the rows of a batch.

        Args:
            index: Rows of the benchmark's table, `(B,)` int64.
            score: Predictions, `(B,)`, higher is better; kept in float32, for ranks would not survive less.
            quality: Labels, `(B,)` in [0, 1], higher is better.
        """
        for state, values in ((self.index, index.long()), (self.score, score.float()), (self.quality, quality.float())):
            if isinstance(state, list):
                state.append(values.detach().reshape(-1))
                if len(state) >= _PIECES:  # a small tensor that stays keeps the large ones around it from being reused
                    state[:] = [torch.cat(state)]

    def scores(self) -> Scores:
        """Give the rows held here, one per image, in index order; inside `sync_context()`, those of all devices.

        Of an image's repeats the first counts: they differ by rounding alone, and the order of ranks is fixed.
        """
        index, score, quality = (_joined(state) for state in (self.index, self.score, self.quality))
        kept, first = np.unique(index.astype(np.int64), return_index=True)
        return Scores(kept, score[first].astype(np.float64), quality[first].astype(np.float64))

    def compute(self) -> dict[str, float]:
        """Compute `metrics.agreement`; NaN with an `AgreementWarning` that names the cause where it is undefined."""
        scores = self.scores()
        return metrics.agreement(scores.score, scores.quality)


def _joined(state: list[Tensor] | Tensor) -> np.ndarray[Any, np.dtype[Any]]:
    """Join what was appended; after a synchronisation it is one tensor already."""
    if isinstance(state, list):
        state = torch.cat(state) if state else torch.empty(0)
    return state.cpu().numpy()


@dataclass(frozen=True)
class ScoredPart:
    """Scores of all images of a part, on every rank, with what those who write them need.

    Args:
        trainer: The trainer.
        module: The task.
        folder: The run's.
        stage: What the trainer did.
        scores: One row per image.
        entry: Where the run keeps them; `None` in training, and on other ranks than the first.
    """

    trainer: lightning.Trainer
    module: lightning.LightningModule
    folder: RunFolder
    stage: Stage
    scores: Scores
    entry: Entry | None = None

    @property
    def data(self) -> QualityDataModule:
        """The trainer's data."""
        return data_of(self.trainer)

    @property
    def is_fitting(self) -> bool:
        """Whether this is a validation within a training."""
        return self.trainer.state.fn == TrainerFn.FITTING

    @property
    def part(self) -> Literal["val", "test", "all"]:
        """Which part was scored."""
        return "val" if self.trainer.state.fn in (TrainerFn.FITTING, TrainerFn.VALIDATING) else self.data.test_on

    @property
    def key(self) -> str:
        """Benchmark and part, as files are named; with a mark where it is not the first test of that part."""
        return f"{self.data.benchmark.name}-{self.part}" if self.entry is None else self.entry.name

    @property
    def is_first(self) -> bool:
        """Whether it is the first test of its part, or the same one again."""
        return self.entry is None or not self.entry.differs

    def entered(self, settings: Mapping[str, Any]) -> "ScoredPart":
        """Give the part with its place in the run; scores of the same test before stand.

        Args:
            settings: What decides the scores besides the weights.
        """
        weights = hash_weights(self.module.network.state_dict())  # type: ignore[union-attr]
        entry = Entries(self.folder).enter(self.key, {**settings, "weights": weights})
        if entry.differs:
            rank_zero_info(f"the first test of {self.key} stands; this one is {entry.name} ({'; '.join(entry.differs)})")
        before = entry.score
        if before is None or len(before) != len(self.scores) or np.array_equal(before, self.scores.score, equal_nan=True):
            return replace(self, entry=entry)
        gap = np.nanmax(np.abs(before - self.scores.score), initial=0.0)
        rank_zero_info(f"scores of the same test before differ by up to {gap:.1e}; they stand")
        return replace(self, entry=entry, scores=replace(self.scores, score=before))

    @cached_property
    def table(self) -> pd.DataFrame:
        """The score table: a row per image, with its labels."""
        return score_table(self.data.benchmark.table(), self.scores.index, self.scores.score)

    def check(self) -> None:
        """Refuse a part with images missing, which a limit on its own batches in training alone may cause.

        Raises:
            BenchmarkMismatchError: Says how many are missing.
        """
        rows = self.data.rows("val" if self.part == "val" else "test")
        limit = self.trainer.limit_val_batches  # 1 is one batch, 1.0 all
        is_limited = self.is_fitting and not (isinstance(limit, float) and limit == 1)
        if len(self.scores) != len(rows) and not is_limited:
            raise BenchmarkMismatchError(
                f"{len(self.scores)} images were scored and the {self.part} part has {len(rows)}; this is a fault of sdsiqa, "
                "or of a sampler that leaves images out"
            )


def log_values(module: lightning.LightningModule, stage: str, values: Mapping[str, float], logger: bool = True) -> None:
    """Log values of a whole part, which are the same on every rank, as `val/srcc` and so on; in float32.

    Args:
        module: Who logs.
        stage: First part of their names.
        values: By name.
        logger: Whether loggers get them too, besides callbacks.
    """
    shown = {f"{stage}/{name}": torch.tensor(value, dtype=torch.float32) for name, value in values.items()}
    module.log_dict(shown, sync_dist=True, logger=logger)


def hash_weights(state: Mapping[str, Tensor]) -> str:
    """Hash weights, whatever file they came from; 16 hexadecimal digits.

    Args:
        state: Tensors by name.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


class LoggedAgreement(Callback):
    """Collects one score per image on any number of devices, and logs their agreement with quality under `val/` and `test/`.

    `QualityTask` brings it along wherever no run folder keeps the scores: with a trainer of one's own.
    """

    def __init__(self) -> None:
        self.agreement = Agreement()

    def _start(self, module: lightning.LightningModule) -> None:
        self.agreement.to(module.device)
        self.agreement.reset()

    def _update(self, outputs: Any) -> None:
        self.agreement.update(outputs["index"], outputs["score"], outputs["quality"])

    def _end(self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: Stage) -> None:
        if trainer.sanity_checking:
            return
        with self.agreement.sync_context():  # on every rank, before any rank writes
            scores = self.agreement.scores()
        self._use(trainer, module, stage, scores)

    def _use(self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: Stage, scores: Scores) -> None:
        """Log the agreement of a whole part."""
        if stage != "predict":
            log_values(module, stage, metrics.agreement(scores.score, scores.quality))

    def on_validation_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start anew."""
        self._start(pl_module)

    def on_validation_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Keep the batch's rows."""
        self._update(outputs)

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Gather, then call the writers."""
        self._end(trainer, pl_module, "val")

    def on_test_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start anew."""
        self._start(pl_module)

    def on_test_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Keep the batch's rows."""
        self._update(outputs)

    def on_test_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Gather, then call the writers."""
        self._end(trainer, pl_module, "test")

    def on_predict_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start anew."""
        self._start(pl_module)

    def on_predict_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Keep the batch's rows."""
        self._update(outputs)

    def on_predict_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Gather, then call the writers."""
        self._end(trainer, pl_module, "predict")


class EpochScores(LoggedAgreement):
    """Collects one score per image on any number of devices, once per stage, and hands the same to every writer.

    Args:
        folder: The run's.
        writers: What uses the scores of a part; each is called on every rank, in this order.
        settings: What decides the scores of a test besides the weights, as plain values.
    """

    def __init__(self, folder: RunFolder, writers: Sequence[Callable[[ScoredPart], None]], settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.folder, self.writers, self.settings = folder, writers, settings

    def _use(self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: Stage, scores: Scores) -> None:
        """Hand a whole part to the writers."""
        part = ScoredPart(trainer, module, self.folder, stage, scores)
        if trainer.fast_dev_run and not part.is_fitting:  # type: ignore[attr-defined]
            rank_zero_info(f"trainer.fast_dev_run: {len(part.scores)} images were scored, and nothing is written")
            return
        part.check()
        if trainer.is_global_zero and not part.is_fitting:
            part = part.entered(self.settings)
        for write in self.writers:
            write(part)
