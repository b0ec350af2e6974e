"""What happens around training: figures, score tables, checkpoints, records."""

import time
import warnings
from pathlib import Path
from typing import Any, cast

import lightning
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.callbacks.weight_averaging import WeightAveraging
from lightning.pytorch.utilities import rank_zero_only
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from sdsiqa import metrics, plots, tracking
from sdsiqa.agreement import Agreement, Scores
from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.images import write_bytes
from sdsiqa.models.network import QualityNetwork
from sdsiqa.recipe import Recipe
from sdsiqa.run import RunFolder
from sdsiqa.score_table import score_table, write_scores


def data_of(trainer: lightning.Trainer) -> QualityDataModule:
    """The trainer's data, of which there is one kind."""
    return cast(QualityDataModule, trainer.datamodule)  # type: ignore[attr-defined]


def folder_of(trainer: lightning.Trainer) -> Path:
    """The run's folder."""
    return Path(trainer.default_root_dir)


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
        self.on_scores(trainer, module, stage, scores)

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
    """Logs SRCC, PLCC, KRCC and RMSE of each epoch, and keeps the test's in `metrics.json`."""

    def on_scores(self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: str, scores: Scores) -> None:
        """Log the figures; the file gets float64, the loggers float32."""
        if stage == "predict":
            return
        with warnings.catch_warnings():
            # a collapsed epoch is shown as NaN; the training goes on
            warnings.simplefilter("default", metrics.AgreementWarning)
            values = metrics.agreement(scores.score, scores.quality)
        module.log_dict({f"{stage}/{name}": torch.tensor(v, dtype=torch.float32) for name, v in values.items()}, sync_dist=True)
        if trainer.is_global_zero and stage == "test":
            key = part_key(trainer)
            RunFolder(folder_of(trainer)).add_metrics(key, {"n": len(scores.index), **values, "of": "quality in [0, 1]"})
            tracking.log_summary(trainer.loggers, {f"{key}/{name}": value for name, value in values.items()})


class WriteScores(EpochScores):
    """Writes one row per image into `scores/<benchmark>-<part>.csv`, from which every report is made."""

    def on_scores(self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: str, scores: Scores) -> None:
        """Write the table of a test or prediction, on rank zero."""
        if stage == "val" or not trainer.is_global_zero:
            return
        benchmark = data_of(trainer).benchmark
        table = score_table(benchmark.table(), scores.index, scores.score)
        file = folder_of(trainer) / "scores" / f"{part_key(trainer)}.csv"
        write_scores(file, table)
        tracking.log_table(trainer.loggers, f"scores/{part_key(trainer)}", table)


class LogScatter(EpochScores):
    """Draws score against MOS with the fitted curve after a test."""

    def on_scores(self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: str, scores: Scores) -> None:
        """Draw the figure of a test, on rank zero."""
        if stage != "test" or not trainer.is_global_zero:
            return
        benchmark = data_of(trainer).benchmark
        table = score_table(benchmark.table(), scores.index, scores.score)
        figure = plots.scatter(
            benchmark.to_mos(scores.score),
            table["mos"].to_numpy(),
            title=f"{benchmark.title}, {part_of(trainer)}",
            distortion=table["distortion"].tolist() if table["distortion"].any() else None,
            label=benchmark.opinion,
        )
        file = folder_of(trainer) / "figures" / f"scatter-{part_key(trainer)}.png"
        plots.save(figure, file)
        tracking.log_figure(trainer.loggers, "figures/scatter", file)


class BestCheckpoint(ModelCheckpoint):
    """Keeps the weights that the validation part chose (`best.ckpt`) and the newest ones (`last.ckpt`).

    Args:
        monitor: Figure of the validation part; none keeps only the newest weights.
    """

    def __init__(self, monitor: str | None = "val/srcc") -> None:
        super().__init__(
            monitor=monitor,
            mode="max",
            filename="best",
            save_top_k=1 if monitor else 0,
            save_last=True,
            enable_version_counter=False,
            auto_insert_metric_name=False,
        )

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Live in the run's folder, whatever the loggers do."""
        self.dirpath = str(folder_of(trainer) / "checkpoints")
        if stage == "fit" and data_of(trainer).fit_on == "train+val":
            self.monitor, self.save_top_k, self._save_on_train_epoch_end = None, 0, True
        super().setup(trainer, pl_module, stage)

    def check_monitor_top_k(self, trainer: lightning.Trainer, current: Tensor | None = None) -> bool:
        """Say whether this epoch is kept: of equal ones the later (`docs/protocol.md`)."""
        if current is None or self.save_top_k == 0:
            return False
        if self.best_model_score is None or not self.best_k_models:
            return True
        return bool(current >= self.best_model_score.to(current.device))


class EMA(WeightAveraging):
    """Exponential moving average of the weights, which validation and test see.

    Args:
        decay: Share of the old average that each step keeps.
    """

    def __init__(self, decay: float = 0.999) -> None:
        super().__init__(
            multi_avg_fn=get_ema_multi_avg_fn(decay),  # type: ignore[no-untyped-call]
            use_buffers=False,
        )


class LogPanel(EpochScores):
    """Draws, after a test, what the network looked at: image, map, attention per level, score.

    Six images are shown: the three with the smallest and the three with the largest error.
    """

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
        plots.save(plots.panels(rows), file)
        tracking.log_figure(trainer.loggers, "figures/panel", file)


class RecipeKeeper(Callback):
    """Puts into every checkpoint what it takes to open it: plain values, no objects.

    Args:
        recipe: Those values.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe.to_json()

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the recipe."""
        checkpoint["sdsiqa"] = self.recipe


class StepSeeds(Callback):
    """Seeds each step by run seed and step number, so that a resumed run draws what an unbroken one draws."""

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed torch on this rank."""
        seed = data_of(trainer).seed
        torch.manual_seed(hash((seed, trainer.global_step, trainer.global_rank)) & 0x7FFF_FFFF_FFFF_FFFF)


class History(Callback):
    """Keeps the course of the run in `metrics.csv`, one row per epoch, exact over stops and restarts."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def state_dict(self) -> dict[str, Any]:
        """Travel with the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the checkpoint."""
        self.rows = list(state_dict["rows"])

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add the epoch."""
        values = {name: float(v) for name, v in trainer.callback_metrics.items() if not name.endswith("_step")}
        rate = trainer.optimizers[0].param_groups[-1]["lr"]
        row = {"epoch": float(trainer.current_epoch), "step": float(trainer.global_step), "train/lr": rate, **values}
        self.rows = [kept for kept in self.rows if kept["epoch"] < row["epoch"]] + [row]
        for logger in trainer.loggers:
            logger.log_metrics({"train/lr": rate}, step=trainer.global_step)
        self._write(trainer)

    @rank_zero_only
    def _write(self, trainer: lightning.Trainer) -> None:
        content = pd.DataFrame(self.rows).to_csv(index=False, lineterminator="\n")
        write_bytes(folder_of(trainer) / "metrics.csv", content.encode())


class Cost(Callback):
    """Records throughput, memory and hours, which headers of configurations quote."""

    def __init__(self) -> None:
        self.images, self.seconds = 0, 0.0
        self._since = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Travel with the checkpoint."""
        return {"images": self.images, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the checkpoint."""
        self.images, self.seconds = state_dict["images"], state_dict["seconds"]

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock."""
        self._since = time.perf_counter()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the images of all devices, and stop the clock before validation."""
        self.images += len(batch["index"]) * trainer.world_size
        elapsed = time.perf_counter() - self._since
        self.seconds += elapsed
        self._since += elapsed

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Log images per second."""
        if self.seconds > 0:
            pl_module.log("train/images_per_second", self.images / self.seconds, sync_dist=True)

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write the record."""
        if not trainer.is_global_zero or self.seconds == 0:
            return
        crops = data_of(trainer).patches_per_image
        facts: dict[str, Any] = {
            "training_hours": self.seconds / 3600,
            "images_per_second": self.images / self.seconds,
            "crops_per_second": crops * self.images / self.seconds,
            "devices": trainer.world_size,
            "device": str(trainer.strategy.root_device),
            "threads": torch.get_num_threads(),
        }
        if torch.cuda.is_available():
            facts["peak_gpu_bytes"] = torch.cuda.max_memory_allocated()
        RunFolder(folder_of(trainer)).update(cost=facts)


def _to_batch(planes: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Bring `(H, W[, 3])` uint8 to `(1, C, H, W)` float32 in [0, 1]."""
    tensor = torch.from_numpy(np.array(planes)).to(device).float().div_(255)
    return tensor.permute(2, 0, 1)[None] if tensor.dim() == 3 else tensor[None, None]


def part_of(trainer: lightning.Trainer) -> str:
    """Which part is evaluated: `test` or `all`."""
    return data_of(trainer).test_on


def part_key(trainer: lightning.Trainer) -> str:
    """Benchmark and part, as files are named."""
    return f"{data_of(trainer).benchmark.name}-{part_of(trainer)}"
