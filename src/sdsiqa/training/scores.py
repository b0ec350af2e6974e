"""What becomes of the scores of a whole part: figures, a table, pictures."""

import warnings
from pathlib import Path
from typing import Any, Literal, cast

import lightning
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn
from numpy.typing import NDArray
from torch import Tensor

from sdsiqa import metrics, plots
from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.errors import BenchmarkMismatchError
from sdsiqa.models.base import QualityNetwork
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.manifest import Manifest
from sdsiqa.runs.scores import score_table, write_scores
from sdsiqa.tracking import session
from sdsiqa.training.agreement import Agreement, Scores

_HEARD: dict[Any, Any] = {}  # each warning is told once


def data_of(trainer: lightning.Trainer) -> QualityDataModule:
    """The trainer's data, of which there is one kind."""
    return cast(QualityDataModule, trainer.datamodule)  # type: ignore[attr-defined]


def folder_of(trainer: lightning.Trainer) -> Path:
    """The run's folder."""
    return Path(trainer.default_root_dir)


def part_of(trainer: lightning.Trainer) -> Literal["val", "test", "all"]:
    """Which part is evaluated."""
    return "val" if trainer.state.fn in (TrainerFn.FITTING, TrainerFn.VALIDATING) else data_of(trainer).test_on


def part_key(trainer: lightning.Trainer) -> str:
    """Benchmark and part, as files are named."""
    return f"{data_of(trainer).benchmark.name}-{part_of(trainer)}"


class EpochScores(Callback):
    """Collects one score per image on any number of devices; children say what to do with them."""

    def __init__(self) -> None:
        self.agreement = Agreement()

    def on_scores(self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: str, scores: Scores) -> None:
        """Use the scores of all images; called on every rank.

        Args:
            trainer: The trainer.
            module: The task.
            stage: `val`, `test` or `predict`.
            scores: One row per image.
        """
        raise NotImplementedError

    def _start(self, module: lightning.LightningModule) -> None:
        self.agreement.to(module.device)
        self.agreement.reset()

    def _update(self, outputs: Any) -> None:
        self.agreement.update(outputs["index"], outputs["score"], outputs["quality"])

    def _end(self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: str) -> None:
        if trainer.sanity_checking:
            return
        with self.agreement.sync_context():  # on every rank, before any rank writes
            scores = self.agreement.scores()
        self._check(trainer, scores)
        self.on_scores(trainer, module, stage, scores)

    def _check(self, trainer: lightning.Trainer, scores: Scores) -> None:
        """Refuse to go on with images missing, which a limit on batches alone may cause."""
        rows = data_of(trainer).rows("val" if part_of(trainer) == "val" else "test")
        limits = (trainer.limit_val_batches, trainer.limit_test_batches, trainer.limit_predict_batches)
        if len(scores) != len(rows) and not trainer.fast_dev_run and all(limit == 1.0 for limit in limits):  # type: ignore[attr-defined]
            raise BenchmarkMismatchError(
                f"{len(scores)} images were scored and the {part_of(trainer)} part has {len(rows)}; this is a fault of sdsiqa, "
                "or of a sampler that leaves images out"
            )

    def on_validation_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start anew."""
        self._start(pl_module)

    def on_validation_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Keep the batch's rows."""
        self._update(outputs)

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Gather, then call the child."""
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
        """Gather, then call the child."""
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
        """Gather, then call the child."""
        self._end(trainer, pl_module, "predict")


class LogAgreement(EpochScores):
    """Logs SRCC, PLCC, KRCC and RMSE of each epoch, and keeps those of `test` and `validate` in `metrics.json`."""

    def on_scores(self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: str, scores: Scores) -> None:
        """Log the figures; the file gets float64, the loggers float32."""
        if stage == "predict":
            return
        start = trainer.state.fn == TrainerFn.FITTING and trainer.global_step == 0
        with warnings.catch_warnings(record=True) as heard:
            # a collapsed epoch is shown as NaN; the training goes on. Before the first step it is no news
            warnings.simplefilter("ignore" if start else "always", metrics.AgreementWarning)
            values = metrics.agreement(scores.score, scores.quality)
        with warnings.catch_warnings():
            warnings.simplefilter("default", metrics.AgreementWarning)
            for warning in heard:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno, registry=_HEARD)
        # figures of a test have no course: they are a summary
        course = trainer.state.fn == TrainerFn.FITTING
        shown = {f"{stage}/{name}": torch.tensor(value, dtype=torch.float32) for name, value in values.items()}
        module.log_dict(shown, sync_dist=True, logger=course)
        if trainer.is_global_zero and trainer.state.fn != TrainerFn.FITTING:
            key = part_key(trainer)
            why = {"why": "; ".join(str(warning.message) for warning in heard)} if heard else {}
            RunFolder(folder_of(trainer)).add_metrics(key, {"n": len(scores.index), **values, "of": "quality in [0, 1]", **why})
            names = (f"{key}/", f"{stage}/")  # by benchmark, and as dashboards compare runs
            session.log_summary(trainer.loggers, {f"{start}{name}": v for start in names for name, v in values.items()})


class WriteScores(EpochScores):
    """Writes one row per image into `scores/<benchmark>-<part>.csv`, from which every report is made."""

    def on_scores(self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: str, scores: Scores) -> None:
        """Write the table of a test, a prediction or a validation outside of training, on rank zero."""
        if trainer.state.fn == TrainerFn.FITTING or not trainer.is_global_zero:
            return
        benchmark = data_of(trainer).benchmark
        table = score_table(benchmark.table(), scores.index, scores.score)
        file = folder_of(trainer) / "scores" / f"{part_key(trainer)}.csv"
        Manifest(folder_of(trainer)).publish(file, lambda part: write_scores(part, table))
        session.log_table(trainer.loggers, f"scores/{part_key(trainer)}", table)
        if table["distortion"].nunique() > 1:
            session.log_table(trainer.loggers, f"distortions/{part_key(trainer)}", _by_distortion(table))


class LogScatter(EpochScores):
    """Draws MOS against score with the fitted curve after a test.

    Args:
        method: The method with its ablation, for the title.
    """

    def __init__(self, method: str) -> None:
        super().__init__()
        self.method = method

    def on_scores(self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: str, scores: Scores) -> None:
        """Draw the figure of a test, on rank zero."""
        if stage != "test" or not trainer.is_global_zero:
            return
        data = data_of(trainer)
        benchmark = data.benchmark
        table = score_table(benchmark.table(), scores.index, scores.score)
        figure = plots.scatter(
            benchmark.to_mos(scores.score),
            table["mos"].to_numpy(),
            title=plots.heading(self.method, benchmark.title, part_of(trainer), data.split_number, data.seed),
            distortion=table["distortion"].tolist() if table["distortion"].any() else None,
            label=benchmark.opinion,
            axes_labels=benchmark.axes_labels(),
        )
        file = folder_of(trainer) / "figures" / f"scatter-{part_key(trainer)}.png"
        plots.publish(figure, file, folder_of(trainer))
        session.log_figure(trainer.loggers, "figures/scatter", file)


class LogPanel(EpochScores):
    """Draws, after a test, what the network looked at: image, map, attention per level, score.

    Six images are shown: the three with the smallest and the three with the largest error.

    Args:
        method: The method with its ablation, for the title.
    """

    def __init__(self, method: str) -> None:
        super().__init__()
        self.method = method

    def on_scores(self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: str, scores: Scores) -> None:
        """Draw the figure of a test, on rank zero."""
        if stage != "test" or not trainer.is_global_zero or len(scores.index) == 0:
            return
        data, network = data_of(trainer), cast(QualityNetwork, module.network)
        if "saliency" not in network.inputs:
            return
        table, read = data.benchmark.table(), data.reader()
        order = np.argsort(np.abs(scores.score - scores.quality), kind="stable")
        rows = []
        for place in dict.fromkeys([*order[:3], *order[-3:]]):
            entry = table.loc[scores.index[place]]
            image, saliency = read(entry["image"])
            if saliency is None:
                raise AssertionError("the network asks for saliency, so the reader gives it")
            pictures = [_to_batch(planes, module.device) for planes in (image, saliency)]
            guides, _ = network.explain(*pictures)
            rows.append(
                plots.PanelRow(
                    image,
                    saliency / np.float32(255),
                    [guide[0, 0].float().cpu().numpy() for guide in guides],
                    score=float(data.benchmark.to_mos(scores.score[place])),
                    mos=float(entry["mos"]),
                    title=entry["image"],
                    opinion=data.benchmark.opinion,
                )
            )
        file = folder_of(trainer) / "figures" / f"panel-{part_key(trainer)}.png"
        above = plots.heading(self.method, data.benchmark.title, part_of(trainer), data.split_number, data.seed)
        figure = plots.panels(rows, f"{above}: images with the smallest and the largest errors")
        plots.publish(figure, file, folder_of(trainer))
        session.log_figure(trainer.loggers, "figures/panel", file)


def _by_distortion(table: pd.DataFrame) -> pd.DataFrame:
    """Give the figures of each distortion, a row each; NaN where there are too few images for one."""
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", metrics.AgreementWarning)
        for name, part in table.groupby("distortion", sort=True):
            figures = metrics.agreement(part["score"].to_numpy(), part["quality"].to_numpy())
            rows.append({"distortion": name, "n": len(part), **figures})
    return pd.DataFrame(rows)


def _to_batch(planes: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Bring `(H, W[, 3])` uint8 to `(1, C, H, W)` float32 in [0, 1]."""
    tensor = torch.from_numpy(np.array(planes)).to(device).float().div_(255)
    return tensor.permute(2, 0, 1)[None] if tensor.dim() == 3 else tensor[None, None]
