"""`make bench-gpu`: the training step on a GPU and the loader over all cores, into `results/bench-gpu.json`."""

import argparse
import contextlib
import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from rich.console import Console
from torch import Tensor

from bench.__main__ import table
from bench.compute import Backbones, BetweenBare, Load, Ready, two_branches
from bench.loading import images_per_second
from bench.measure import Row, compare, machine
from bench.pictures import gather
from sdsiqa.files import write_json
from sdsiqa.runs.process import keep_freed_memory
from sdsiqa.training.task import QualityTask

WARM = 8
"""Steps before the clock starts: compilation, and the choice of kernels."""


class FastBackbones(Backbones):
    """The two backbones as fast as they get: compiled, bf16, channels last.

    Args:
        name: In timm's naming.
        compiled: Whether they are compiled.
    """

    def __init__(self, name: str, compiled: bool = True) -> None:
        super().__init__(name)
        self.pair.to(memory_format=torch.channels_last)
        self._loss = torch.compile(self._mean) if compiled else self._mean

    def step(self, image: Tensor) -> None:
        """Go forward and back once.

        Args:
            image: `(N, 3, h, w)` float32.
        """
        self.zero_grad()
        with torch.autocast(image.device.type, dtype=torch.bfloat16):
            loss = self._loss(image.contiguous(memory_format=torch.channels_last))
        loss.backward()  # type: ignore[no-untyped-call]

    def _mean(self, image: Tensor) -> Tensor:
        total: Any = sum(features.float().mean() for body in self.pair for features in body(image))
        return total  # type: ignore[no-any-return]


def fast_step(load: Load, turns: int, compiled: bool = True) -> list[Row]:
    """Compare a step of a real training in bf16, channels last and compiled, with the bare backbones.

    Args:
        load: What to compute on.
        turns: Repetitions.
        compiled: Whether both are compiled.

    Returns:
        The time of a step, and the crops of a second that follow from it.
    """
    torch.manual_seed(0)
    watch = BetweenBare(FastBackbones(load.backbone, compiled))
    trainer = lightning.Trainer(
        accelerator="auto",
        devices=1,
        max_epochs=1,
        precision="bf16-mixed",
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[watch],
    )
    task = QualityTask(two_branches(load.backbone), channels_last=True, compile=compiled)
    trainer.fit(task, datamodule=Ready(load.batch(), turns + WARM))
    crops = load.images * load.crops
    how = (
        f"{load.backbone}, batch of {crops} at {load.side}², bf16-mixed, channels last{', compiled' * compiled}. Ours: one turn "
        "of Lightning's loop, with optimiser, clipping, schedule and the copy to the device. Bare: both timm bodies, forward "
        "and back."
    )
    ours, bare = watch.ours[WARM:], watch.theirs[WARM:]
    rates = ([crops / s for s in ours], [crops / s for s in bare])
    return [
        compare("training step", "s", ours, bare, 1.15, True, how),
        compare("crops trained on", "crops/s", *rates, None, False, how),
    ]


def measure(settings: argparse.Namespace) -> list[Row]:
    """Measure everything.

    Args:
        settings: As `parser` reads them.
    """
    rows = fast_step(Load(settings.backbone, settings.batch, 1, settings.side), settings.turns, not settings.eager)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photographs = gather(folder / "images", settings.files, None, settings.size)
        for keep in ("all", "nothing"):
            rows.append(images_per_second(photographs, folder, 3, 1, keep, settings.workers, settings.side))
    return rows


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    made = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    made.add_argument("--backbone", default="resnet50", help="in timm's naming; weights are random")
    made.add_argument("--batch", type=int, default=64, help="crops of a step")
    made.add_argument("--side", type=int, default=224, help="side of a crop in pixels")
    made.add_argument("--turns", type=int, default=30, help="measured steps")
    made.add_argument("--eager", action="store_true", help="do not compile")
    made.add_argument("--files", type=int, default=512, help="images that the loader reads")
    made.add_argument("--size", type=int, default=500, help="their side in pixels")
    made.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="loader processes: all cores")
    made.add_argument("--output", type=Path, default=Path("results/bench-gpu.json"), help="where the figures go")
    return made


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print, write; without a GPU say so.

    Args:
        words: Command line; none takes the process's own.
    """
    settings = parser().parse_args(words)
    if not torch.cuda.is_available():
        print(f"there is no GPU here; {settings.output} is left as it is")
        return
    torch.set_float32_matmul_precision("high")
    facts = {**machine(), "keeps_freed_memory": keep_freed_memory()}
    with warnings.catch_warnings(), contextlib.suppress(KeyboardInterrupt):
        warnings.simplefilter("ignore")
        rows = measure(settings)
        shown = {name: value for name, value in vars(settings).items() if name != "output"}
        shown["peak_gpu_bytes"] = torch.cuda.max_memory_allocated()
        write_json(settings.output, {**facts, "settings": shown, "measurements": [row.to_json() for row in rows]})
        Console(width=150).print(table(rows))
        print(f"wrote {settings.output}")


if __name__ == "__main__":
    main()
