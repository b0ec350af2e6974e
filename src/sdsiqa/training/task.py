"""Training and scoring of one network."""

from __future__ import annotations  # signatures in a notebook show names, not what they stand for

import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.data.dataset import Sample
from sdsiqa.errors import SdsiqaError, in_short
from sdsiqa.inference.checkpoint import check_weights
from sdsiqa.inference.recipe import Recipe
from sdsiqa.losses import L1, QualityLoss
from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.objective import Crops, Objective, crops_of
from sdsiqa.runs.first_stage import NOTHING, FirstStage
from sdsiqa.runs.ranges import check_numbers, check_shares
from sdsiqa.training.devices import SameStatistics, check_layer_sync
from sdsiqa.training.equal_scores import EqualScores
from sdsiqa.training.first_stage import load_first_stage
from sdsiqa.training.optimisation import ParameterGroup, Schedule, parameter_groups, scheduler
from sdsiqa.training.scores import EpochScores, LoggedAgreement
from sdsiqa.training.solvers.closed_form import ClosedForm
from sdsiqa.training.solvers.feature_regression import FeatureRegression
from sdsiqa.training.solvers.ridge import RidgeStart


class QualityTask(lightning.LightningModule):
    """Trains a quality network on crops and scores whole images or fixed grids of crops.

    Example:
        >>> from sdsiqa.losses import SmoothL1
        >>> from sdsiqa.models import CNNIQA
        >>> task = QualityTask(CNNIQA(), loss=SmoothL1(beta=0.1))
        >>> task.network
        CNNIQA(image): 0.72 M parameters
          filters: Conv2d, 2500
          hidden: Linear, 0.08 M
          dropout: Dropout, 0
          second: Linear, 0.64 M
          output: Linear, 801

        Then `Trainer(max_epochs=10).fit(task, data)`, with a `QualityDataModule`; `trainer.callback_metrics` has `val/srcc`.

    Args:
        network: What maps images to scores.
        loss: What is minimised over the scores of crops; each crop has the label of its image.
        objective: What is minimised instead, where scores of crops are not all that training looks at.
        optimizer: Steps the weights; its learning rate is that of new layers. `None`: AdamW, since arguments of an optimiser that
            is the default would leak into the one that a configuration names.
        backbone_lr_scale: Factor on the learning rate of parts that start from pretrained weights.
        layer_decay: Factor in (0, 1] on that rate from each block of such a part to the one before it, so that earlier blocks
            learn more slowly.
        attention_lr_scale: Factor on the learning rate of gates and attention. They start where they change nothing, and
            a rate at which new layers learn within few steps may leave them there.
        schedule: Learning rate over all steps: `cosine` falls to 0, `one_cycle` rises and falls,
            `constant` stays.
        warmup: Share of the steps in which the rate rises from 0 (`cosine`, `constant`) or to its top (`one_cycle`).
        init_from: A finished first stage of training: the folder of its run, or a checkpoint in it, relative to the working
            folder. The parts that the network names in `stage_one` start from its weights. `nothing` trains a network that
            names some without them.
        frozen_fraction: Share of the steps, the first ones, in which parts that start from pretrained weights are frozen.
        ridge_start: Closed-form ridge regression on frozen features of whole images as the initial head; `None` starts
            from a random one.
        regression: Closed-form regression on features of whole images that takes the place of training.
        channels_last: Keep activations channels-last, which is faster on GPUs with half precision.
        compile: Compile the network with `torch.compile`.

    Raises:
        ValueError: A number is out of its range, the optimiser refuses its arguments, or both `ridge_start` and `regression` are
            set.
    """

    def __init__(
        self,
        network: QualityNetwork,
        loss: QualityLoss | None = None,
        objective: Objective | None = None,
        optimizer: OptimizerCallable | None = None,
        backbone_lr_scale: float = 0.1,
        layer_decay: float = 1.0,
        attention_lr_scale: float = 1.0,
        schedule: Schedule = "cosine",
        warmup: float = 0.05,
        init_from: Path | None = None,
        frozen_fraction: float = 0.0,
        ridge_start: RidgeStart | None = None,
        regression: FeatureRegression | None = None,
        channels_last: bool = False,
        compile: bool = False,  # noqa: A002 - the library's word for it
    ) -> None:
        super().__init__()
        check_numbers(0, backbone_lr_scale=backbone_lr_scale, attention_lr_scale=attention_lr_scale)
        check_numbers(0, 1, warmup=warmup)
        self.network = network
        self.loss, self.objective = L1() if loss is None else loss, objective
        self.optimizer: OptimizerCallable = torch.optim.AdamW if optimizer is None else optimizer
        self.backbone_lr_scale, self.layer_decay = backbone_lr_scale, layer_decay
        self.attention_lr_scale = attention_lr_scale
        if not 0 < layer_decay <= 1:
            raise ValueError(f"layer_decay is {layer_decay!r}; give a factor above 0, up to 1 for equal rates")
        self.schedule, self.warmup = schedule, warmup
        self.closed_form: ClosedForm | None = ridge_start if regression is None else regression
        self.init_from = init_from
        self.resumes = False  # set by the run: Lightning says so after `setup` alone
        self.frozen_fraction, self._is_frozen, self._frozen = frozen_fraction, False, list[nn.Parameter]()
        self.channels_last = channels_last
        check_shares(frozen_fraction=frozen_fraction)
        if ridge_start is not None and regression is not None:
            raise ValueError("there are both a ridge_start and a regression; set one of them to null")
        if ridge_start is not None and hasattr(network, "regressor"):
            raise ValueError(f"ridge_start starts what is trained, and {type(network).__name__} is fitted; set it to null")
        _check_optimizer(self.optimizer)
        self._equal_scores = EqualScores()
        # a plain function beside the network: compiling the module itself would rename its weights in checkpoints
        self._forward: Callable[..., Tensor] = torch.compile(network) if compile else network

    def __repr__(self) -> str:
        """Name the parts as PyTorch does, the network once: what computes it may be a compiled twin."""
        parts = [f"\n({name}): {part!r}".replace("\n", "\n  ") for name, part in self.named_children() if name != "_forward"]
        return f"{type(self).__name__}({''.join(parts)}\n)"

    def setup(self, stage: str) -> None:
        """Load pretrained weights and those of a first stage, unless a checkpoint brings its own.

        Raises:
            SdsiqaError: As `check_layer_sync`.
        """
        if stage == "fit":
            check_layer_sync(self.trainer, self.network)
        if stage == "fit" and not self.resumes:
            self.network.load_pretrained()
            if self.objective is not None:
                self.objective.load_pretrained()
            if self.init_from is not None and self.init_from != NOTHING:
                load_first_stage(self.network, FirstStage.of(self.init_from))
        if self.channels_last:
            self.network.to(memory_format=torch.channels_last)
        if self.objective is not None and self.trainer.world_size > 1:
            self.objective.gather = self._gather
        # torch's deterministic mode also fills fresh memory with NaN, which is a fifth of a step's time on a CPU; that
        # shows who reads what was never written, and changes no result
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]

    def on_fit_start(self) -> None:
        """Start from the mean quality or a solution in closed form, unless the run resumes from a checkpoint.

        Raises:
            SdsiqaError: The network is fitted by a regression, and none is set.
        """
        if self.trainer.ckpt_path is not None:
            return
        data = cast(QualityDataModule, self.trainer.datamodule)  # type: ignore[attr-defined]
        if self.closed_form is not None:
            self.print(self.closed_form(self.network, data, self.device))
        elif hasattr(self.network, "regressor"):
            raise SdsiqaError(
                f"{type(self.network).__name__} is fitted and not trained; set model.regression, to "
                "sdsiqa.training.SupportVectorRegression for example"
            )
        else:
            self.network.start_at(float(data.rows("train")["quality"].mean()))

    def configure_callbacks(self) -> list[lightning.Callback]:
        """Bring what logs `val/srcc` and its kin, the same on every device, where the trainer has nothing that does."""
        return [] if self._has(LoggedAgreement) else [SameStatistics(), LoggedAgreement()]

    @property
    def learns(self) -> bool:
        """Whether there is a weight for steps to change; what is a formula, or solved in closed form, has none."""
        return any(parameter.requires_grad for parameter in self.parameters())

    def chosen_by(self, fit_on: str) -> str:
        """Say what chooses the weights that are tested.

        Args:
            fit_on: As of the data.
        """
        if not self.learns and self.closed_form is None:
            return "nothing to choose"
        return "last" if fit_on == "train+val" else "val/srcc"

    def score(self, batch: Sample) -> Tensor:
        """Score every crop.

        Args:
            batch: Pictures in [0, 1], `(B, P, C, h, w)`.

        Returns:
            `(B, P)` float32, higher is better.
        """
        shape = batch["image"].shape[:2]
        pictures = [cast(Mapping[str, Tensor], batch)[name].flatten(0, 1) for name in self.network.inputs]
        if self.channels_last:
            pictures = [picture.contiguous(memory_format=torch.channels_last) for picture in pictures]
        return self._forward(*pictures).float().reshape(shape)  # (B·P,) → (B, P)

    def training_step(self, batch: Sample, batch_idx: int) -> Tensor:
        """Give the loss of one step."""
        loss = self._compare(batch) if self.objective is None else self.objective(self.network, self._crops(batch))
        # for the eye; what is kept is the mean over devices, see `StepSync`
        self.log("train/loss", loss, prog_bar=True, logger=False, batch_size=len(batch["quality"]))
        return cast(Tensor, loss)

    def on_train_batch_start(self, batch: Sample, batch_idx: int) -> None:
        """Freeze pretrained parts, or let them learn from now on: a function of the step, so that a restart knows it."""
        freeze = self.frozen_fraction > 0 and self.trainer.global_step < round(self.frozen_fraction * self._steps())
        if freeze == self._is_frozen:
            return
        parts = self.network.pretrained_parts()
        for part in parts:
            part.train(not freeze)
        if freeze:
            self._frozen = [p for part in parts for p in part.parameters() if p.requires_grad]
        if self.trainer.world_size == 1:  # several devices have agreed before the first step on what has a gradient
            for parameter in self._frozen:
                parameter.requires_grad_(not freeze)
        self._is_frozen = freeze

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Drop the gradients of frozen weights: the optimiser leaves out a weight that has none."""
        if self._is_frozen:
            for parameter in self._frozen:
                parameter.grad = None

    def _compare(self, batch: Sample) -> Tensor:
        """Compare the scores of crops with the quality of their images."""
        score, quality = self.score(batch), batch["quality"]
        if self.loss.compares and self.trainer.world_size > 1:
            # a loss that compares images needs those of all devices, else its gradient is another one
            score, quality = self._gather(score), self._gather(quality)
        return cast(Tensor, self.loss(score, quality[:, None].expand_as(score)))

    def _crops(self, batch: Sample) -> Crops:
        crops = crops_of(cast(Mapping[str, Tensor], batch))
        if self.channels_last:
            return {name: v.contiguous(memory_format=torch.channels_last) if v.dim() == 4 else v for name, v in crops.items()}
        return crops

    def _gather(self, values: Tensor) -> Tensor:
        """Join values `(n, …)` of all devices along their first axis, with their gradients."""
        return cast(Tensor, self.all_gather(values, sync_grads=values.is_floating_point())).flatten(0, 1)

    def _steps(self) -> int:
        return max(1, int(self.trainer.estimated_stepping_batches))

    def validation_step(self, batch: Sample, batch_idx: int) -> dict[str, Tensor]:
        """Score images: the mean over their crops."""
        score = self._equal_scores(lambda images: self.score(images).mean(1), batch)
        return {"index": batch["index"], "score": score, "quality": batch["quality"]}

    test_step = validation_step
    predict_step = validation_step

    def on_validation_epoch_start(self) -> None:
        """Measure anew whether images may be scored together: the weights are others."""
        self._equal_scores.start()

    on_test_epoch_start = on_validation_epoch_start
    on_predict_epoch_start = on_validation_epoch_start

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the optimiser over groups of weights and the schedule over steps; neither where nothing learns."""
        if not self.learns:
            return []
        solved = [] if self.closed_form is None else self.closed_form.solved(self.network)
        lr_scale = 1.0 if self.closed_form is None else self.closed_form.lr_scale
        groups = parameter_groups(
            self.network, self.backbone_lr_scale, solved, lr_scale, self.layer_decay, self.attention_lr_scale
        )
        own = [] if self.objective is None else [p for p in self.objective.parameters() if p.requires_grad]
        if own:
            groups.append(ParameterGroup("objective", 1.0, False, own))
        optimizer = self.optimizer([{"params": group.parameters, "name": group.name} for group in groups])
        for group, settings in zip(groups, optimizer.param_groups, strict=True):
            settings["lr"] *= group.lr_scale
            if not group.decay:
                settings["weight_decay"] = 0.0
        rates = scheduler(optimizer, self.schedule, self.warmup, self._steps())
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rates, "interval": "step"}}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another network or version before torch lists all its keys.

        Raises:
            CheckpointError: Says what does not fit.
        """
        name = str(self.trainer.ckpt_path or "the checkpoint")
        if self._has(EpochScores) or "sdsiqa" in checkpoint:  # with a trainer of one's own there is no recipe
            recipe = Recipe.from_json(checkpoint.get("sdsiqa"), name)
            recipe.check_classes(name, trusted=tuple(sys.modules))  # what the configuration names is imported
        check_weights(self.state_dict(), checkpoint["state_dict"], name)

    def _has(self, kind: type[lightning.Callback]) -> bool:
        return any(isinstance(callback, kind) for callback in self.trainer.callbacks)  # type: ignore[attr-defined]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the checkpoint free of objects: a recipe of plain values is added by the run."""
        checkpoint.pop("hyper_parameters", None)


def _check_optimizer(optimizer: OptimizerCallable) -> None:
    """Build the optimiser over two groups of weights, as a run does; what it refuses is then told before a run begins.

    Raises:
        ValueError: It refuses its arguments, or a learning rate is not finite.
    """
    groups = [{"params": [nn.Parameter(torch.zeros(2, 2))], "name": name} for name in ("pretrained", "new")]
    try:
        built = optimizer(groups)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"optimizer: {in_short(error, 300)}") from error
    rates = [float(group["lr"]) for group in built.param_groups if "lr" in group]
    if not rates or not all(math.isfinite(rate) and rate >= 0 for rate in rates):
        raise ValueError(f"optimizer: the learning rate is {rates[0] if rates else None}; expected a number, at least 0")
