"""What a picture costs as there are more of them: `python -m bench.growth`, into `results/growth.json`.

Each program runs over sets of drawn pictures, as a whole. A set of ten says what the start costs, which is left out. Processor
time is compared, since it depends least on what else the machine does, and with one thread: spinning while threads wait for each
other would count. Seconds stand beside it, for waits that use no processor.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from bench.document import GROWTH, write_document
from bench.measure import machine
from bench.programs import ROOT, Cost, program
from sdsiqa.files import write_json

START = 10
"""Pictures of the set that says what the start costs."""
SIDE = 256


def draw(folder: Path, count: int) -> None:
    """Fill a folder with different square pictures, their scores, and the files of settings that name them.

    Args:
        folder: Where.
        count: How many.
    """
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    generator = np.random.default_rng(0)
    rows = ["image,score"]
    for number in range(count):
        small = generator.integers(0, 256, (SIDE // 16, SIDE // 16, 3), np.uint8)
        cv2.imwrite(str(pictures / f"{number:05d}.jpg"), cv2.resize(small, (SIDE, SIDE)))
        rows.append(f"{number:05d}.jpg,{100 * number / count:.3f}")
    (folder / "scores.csv").write_text("\n".join(rows))
    own = {"root": str(pictures), "scale": [0, 100], "scores": str(folder / "scores.csv")}
    data = {
        "benchmark": {"class_path": "sdsiqa.benchmarks.Folder", "init_args": own},
        "saliency": "sdsiqa.saliency.SDSP",
        "crop": SIDE,
        "batch_size": 8,
        "num_workers": 0,
        "view": "whole",
    }
    branch = {"backbone": "test_resnet", "weights": None}
    (folder / "data.yaml").write_text(yaml.safe_dump(data))
    model = {"network": {"init_args": {"image_branch": branch, "saliency_branch": branch}}}
    trainer = {"max_epochs": 0, "accelerator": "cpu", "enable_progress_bar": False}
    run = {"folder": str(folder / "run"), "figures": False}
    (folder / "run.yaml").write_text(yaml.safe_dump({"trainer": trainer, "model": model, "run": run}))


def programs(folder: Path) -> dict[str, Sequence[str]]:
    """Give the programs and their words after `python`, in an order in which each finds what it needs.

    Args:
        folder: As `draw` filled it.
    """
    ours = ("-m", "sdsiqa")
    data = str(folder / "data.yaml")
    fit = ("fit", "-c", str(ROOT / "configs" / "base.yaml"), "--data", data, "-c", str(folder / "run.yaml"))
    score = ("score", str(folder / "pictures"), "--checkpoint", str(folder / "run"), "--format", "csv")
    return {
        "check-data": (*ours, "check-data", data, "--jobs", "1"),
        "saliency": (*ours, "saliency", str(folder / "pictures"), "--out", str(folder / "maps"), "--jobs", "1"),
        "cache": ("-m", "bench.growth", "--cache", data),
        "fit without an epoch, which tests a fifth": (*ours, *fit),
        "score": (*ours, *score),
        "report": (*ours, "report", str(folder / "run"), "--out", str(folder / "report")),
    }


def fill_cache(data: Path) -> None:
    """Fill a cache of decoded pictures and maps, beside the file of settings.

    Args:
        data: That file.
    """
    from sdsiqa.benchmarks.folder import Folder
    from sdsiqa.data.datamodule import QualityDataModule
    from sdsiqa.saliency import SDSP

    own: dict[str, Any] = yaml.safe_load(data.read_text())["benchmark"]["init_args"]
    benchmark = Folder(Path(own["root"]), tuple(own["scale"]), Path(own["scores"]))
    QualityDataModule(benchmark, SDSP(), crop=SIDE, num_workers=0, cache=data.with_name("cache")).prepare_data()


def measure(counts: Sequence[int], turns: int) -> dict[str, dict[str, dict[str, float]]]:
    """Run each program over each set.

    Args:
        counts: Pictures of each set.
        turns: Runs over each set of at most a hundred, in turns, for a start varies by what many pictures cost.

    Returns:
        By program and count: milliseconds per picture without the start, of processor (`ms`) and as a clock has it (`clock_ms`),
        `noise_ms`, what the difference between the dearest and the cheapest start would be per picture, and `MB` at most.
    """
    found: dict[str, dict[int, list[Cost]]] = {}
    small = [count for count in (START, *counts) if count <= 100]
    with tempfile.TemporaryDirectory() as name:
        for run, count in enumerate([START, *turns * small, *(count for count in counts if count > 100)]):
            folder = Path(name) / str(count)
            draw(folder, count)
            for title, words in programs(folder).items():
                cost = program(words, OMP_NUM_THREADS="1")
                if run > 0:  # the first one compiles what it imports
                    found.setdefault(title, {}).setdefault(count, []).append(cost)
            shutil.rmtree(folder)
            print(f"measured {count} pictures", flush=True)
    return {title: {str(count): _per_picture(of[count], of[START], count) for count in counts} for title, of in found.items()}


def _per_picture(costs: Sequence[Cost], starts: Sequence[Cost], count: int) -> dict[str, float]:
    each = 1000 / (count - START)
    processor, clock = (
        statistics.median(getattr(cost, name) for cost in costs) - statistics.median(getattr(start, name) for start in starts)
        for name in ("processor", "seconds")
    )
    noise = max(start.processor for start in starts) - min(start.processor for start in starts)
    values = {"ms": each * processor, "clock_ms": each * clock, "noise_ms": each * noise}
    return {**{name: round(value, 4) for name, value in values.items()}, "MB": round(max(c.megabytes for c in costs), 1)}


def main(words: list[str] | None = None) -> None:
    """Measure, print, write.

    Args:
        words: Words of the command line; `None`: use `sys.argv`.
    """
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1_000, 10_000], help="pictures of each set")
    parser.add_argument("--turns", type=int, default=6, help="runs over each small set")
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=GROWTH, help="where the figures go")
    settings = parser.parse_args(words)
    if settings.cache is not None:
        fill_cache(settings.cache)
        return
    if min(settings.counts) <= START:
        parser.error(f"--counts: {min(settings.counts)}; expected more than {START}, which say what the start costs")
    facts, found = {**machine(), "torch_threads": 1}, measure(settings.counts, settings.turns)
    drawn = {"photographs": f"drawn, {SIDE}×{SIDE}, JPEG"}
    write_json(settings.output, {**facts, "settings": drawn, "counts": settings.counts, "programs": found})
    table = Table("ms of processor per picture, MB", *(str(count) for count in settings.counts))
    for title, cells in found.items():
        table.add_row(title, *(f"{cells[str(n)]['ms']:.3g}, {cells[str(n)]['MB']:.0f}" for n in settings.counts))
    Console(width=120).print(table)
    print(f"wrote {settings.output}")
    if settings.output == GROWTH:
        write_document()


if __name__ == "__main__":
    main(sys.argv[1:])
