"""`make bench-gpu`: the training step on a GPU and the loader over all cores, into `results/bench-gpu.json`."""

import argparse
import contextlib
import dataclasses
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from rich.console import Console
from torch import Tensor

from bench.__main__ import table
from bench.compute import Backbones, BetweenBare, Load, Ready, two_branches
from bench.loading import images_per_second
from bench.measure import Row, compare, in_turns, machine
from bench.pictures import gather
from sdsiqa.files import write_json
from sdsiqa.runs.process import keep_freed_memory
from sdsiqa.training.task import QualityTask

WARM = 8
"""Steps before the clock starts: compilation, and the choice of kernels."""


@dataclasses.dataclass(frozen=True)
class Way:
    """One way to compute a step.

    Args:
        name: What it is called.
        precision: As `trainer.precision`.
        channels_last: Whether channels lie last in memory.
        compiled: Whether the networks are compiled.
    """

    name: str
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    channels_last: bool = False
    compiled: bool = False


WAYS = (
    Way("eager"),
    Way("channels last", channels_last=True),
    Way("bf16", "bf16-mixed"),
    Way("bf16, channels last", "bf16-mixed", channels_last=True),
    Way("bf16, channels last, compiled", "bf16-mixed", channels_last=True, compiled=True),
)


class BackbonesThatWay(Backbones):
    """The two backbones, computed as a way says.

    Args:
        name: In timm's naming.
        way: How.
    """

    def __init__(self, name: str, way: Way) -> None:
        super().__init__(name)
        self.format = torch.channels_last if way.channels_last else torch.contiguous_format
        self.narrow = way.precision == "bf16-mixed"
        self.pair.to(memory_format=self.format)
        self._loss = torch.compile(self._mean) if way.compiled else self._mean

    def step(self, image: Tensor) -> None:
        """Go forward and back once.

        Args:
            image: `(N, 3, h, w)` float32.
        """
        self.zero_grad()
        with torch.autocast(image.device.type, dtype=torch.bfloat16, enabled=self.narrow):
            loss = self._loss(image.contiguous(memory_format=self.format))
        loss.backward()  # type: ignore[no-untyped-call]

    def _mean(self, image: Tensor) -> Tensor:
        total: Any = sum(features.float().mean() for body in self.pair for features in body(image))
        return total  # type: ignore[no-any-return]


def step(load: Load, turns: int, way: Way) -> list[Row]:
    """Compare a step of a real training with the bare backbones, computed in the same way.

    Args:
        load: What to compute on.
        turns: Repetitions.
        way: How both compute.

    Returns:
        The time of a step, and the crops of a second that follow from it.
    """
    torch.manual_seed(0)
    watch = BetweenBare(BackbonesThatWay(load.backbone, way))
    trainer = lightning.Trainer(
        accelerator="auto",
        devices=1,
        max_epochs=1,
        precision=way.precision,
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[watch],
    )
    task = QualityTask(two_branches(load.backbone), channels_last=way.channels_last, compile=way.compiled)
    trainer.fit(task, datamodule=Ready(load.batch(), turns + WARM))
    crops = load.images * load.crops
    how = (
        f"{load.backbone}, batch of {crops} at {load.side}². Ours: one turn of Lightning's loop, with optimiser, clipping, "
        "schedule and the copy to the device. Bare: both timm bodies, forward and back, computed in the same way."
    )
    ours, bare = watch.ours[WARM:], watch.theirs[WARM:]
    rates = ([crops / s for s in ours], [crops / s for s in bare])
    return [
        compare(f"training step, {way.name}", "s", ours, bare, 1.15, True, how),
        compare(f"crops trained on, {way.name}", "crops/s", *rates, None, False, how),
    ]


@torch.inference_mode()
def evaluation(backbone: str, turns: int, size: int, count: int = 12) -> Row:
    """Compare whole pictures computed together with the same pictures one by one, in float32.

    Args:
        backbone: In timm's naming; weights are random.
        turns: Repetitions.
        size: Side of a picture in pixels.
        count: Pictures of a batch.
    """
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = two_branches(backbone).eval().to(device)
    image, saliency = torch.rand(count, 3, size, size, device=device), torch.rand(count, 1, size, size, device=device)

    def alone() -> Tensor:
        return torch.cat([network(image[i : i + 1], saliency[i : i + 1]) for i in range(count)])

    def rate(score: Callable[[], Tensor]) -> float:
        start = time.perf_counter()
        score().cpu()  # waits for the device
        return count / (time.perf_counter() - start)

    gap = float((network(image, saliency) - alone()).abs().max())
    ours, bare = in_turns(lambda: rate(lambda: network(image, saliency)), lambda: rate(alone), turns)
    how = f"{backbone}, {count} pictures of {size}². Ours: all at once. Bare: one by one. Scores differ by {gap:.1e} at most."
    return compare("evaluation, pictures together", "pictures/s", ours, bare, None, False, how)


def steps(settings: argparse.Namespace) -> Iterator[list[Row]]:
    """Measure the step in every way, the slowest to prepare last."""
    load = Load(settings.backbone, settings.batch, 1, settings.side)
    for way in WAYS:
        if not (way.compiled and settings.eager):
            yield step(load, settings.turns, way)


def fastest(rows: list[Row]) -> Row:
    """Give the row of the most crops of a second."""
    return max((row for row in rows if row.unit == "crops/s"), key=lambda row: row.ours)


def loader(settings: argparse.Namespace, needed: float) -> tuple[list[Row], dict[str, int | None]]:
    """Measure the loader with ever more workers.

    Args:
        settings: As `parser` reads them.
        needed: Crops that one GPU trains on in a second.

    Returns:
        A row for each number of workers, and the fewest that deliver what is needed; none if all cores do not.
    """
    rows, fewest = [], dict[str, int | None]()
    counts = sorted({min(2**k, settings.workers) for k in range(settings.workers.bit_length() + 1)})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photographs = gather(folder / "images", settings.files, None, settings.size)
        for keep, called in (("all", "decoded cache"), ("nothing", "no cache")):
            fewest[called] = None
            for workers in counts:
                rows.append(images_per_second(photographs, folder, 1, 1, keep, workers, settings.side, epochs=1))
                if rows[-1].ours >= needed:
                    fewest[called] = workers
                    break
    return rows, fewest


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
    shown = {name: value for name, value in vars(settings).items() if name != "output"}
    rows: list[Row] = []

    def keep(**found: object) -> None:  # after each part, so that one who cannot wait has what was measured
        kept = {"settings": shown, "fastest": fastest(rows).name.partition(", ")[2], **found}
        write_json(settings.output, {**facts, **kept, "measurements": [row.to_json() for row in rows]})

    with warnings.catch_warnings(), contextlib.suppress(KeyboardInterrupt):
        warnings.simplefilter("ignore")
        for found in steps(settings):
            rows += found
            keep()
        best, peak = fastest(rows), torch.cuda.max_memory_allocated()
        torch.set_float32_matmul_precision("highest")  # as runs score
        rows.append(evaluation(settings.backbone, settings.turns, settings.size))
        loads, fewest = loader(settings, best.ours)
        rows += loads
        keep(workers_for_one_gpu=fewest, peak_gpu_bytes=peak)
        print(f"fastest: {best.name.partition(', ')[2]}, {best.ours:.0f} crops/s")
        for called, workers in fewest.items():
            enough = "all of them are too few" if workers is None else workers
            print(f"loader processes that keep this GPU busy, {called}: {enough}")
    if rows:
        Console(width=150).print(table(rows))
        print(f"wrote {settings.output}")


if __name__ == "__main__":
    main()
