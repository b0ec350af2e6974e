"""Memory, each figure from a fresh process that prints it in MB.

`python -m bench.memory train|bare BACKBONE IMAGES CROPS SIDE`, `python -m bench.memory loader FOLDER cache|decode`.
"""

import gc
import re
import sys
from pathlib import Path

import torch

from bench.compute import Backbones, Load, fit
from bench.measure import Row, child, compare
from bench.pictures import Photographs, many
from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.data.dataset import Sample
from sdsiqa.runs.process import keep_freed_memory
from sdsiqa.saliency import Uniform

STEPS = 3


def training_peak(load: Load, turns: int) -> Row:
    """Compare the peak of training with that of the bare backbones.

    Args:
        load: What to compute on.
        turns: Repetitions.
    """
    words = (load.backbone, str(load.images), str(load.crops), str(load.side))
    pairs = [(child("memory", "train", *words), child("memory", "bare", *words)) for _ in range(turns)]
    what = "allocated on the GPU" if torch.cuda.is_available() else "resident, less what stood there after the imports"
    how = (
        f"Highest memory {what}, of {STEPS} steps in fresh processes. Ours: a real training with AdamW. Bare: both timm bodies, "
        "forward and backward, no optimiser."
    )
    return compare("peak memory of training", "MB", [a for a, _ in pairs], [b for _, b in pairs], 1.1, True, how)


def loader_growth(folder: Path, few: int, lots: int, turns: int) -> list[Row]:
    """Compare the loader's memory over many images with that over few.

    Args:
        folder: Where the images go.
        few: How many images are few.
        lots: How many are many.
        turns: Repetitions.
    """
    rows = []
    for count in (few, lots):
        many(folder / str(count), count)
    for keep in ("decode", "cache"):
        for count in (few, lots):
            _data(folder / str(count), keep).prepare_data()  # filling the cache is not what is measured
        found = [[child("memory", "loader", str(folder / str(n)), keep) for n in (lots, few)] for _ in range(turns)]
        how = (
            "Memory that no file holds, of the main process and two workers after an epoch, shared pages once: with "
            f"{lots} images over that with {few}; everything counts, libraries, label table and split included."
        )
        name = "loader's memory, decoded cache" if keep == "cache" else "loader's memory, no cache"
        rows.append(compare(name, "MB", [a for a, _ in found], [b for _, b in found], 1.05, True, how))
    return rows


def train_peak_here(load: Load, ours: bool) -> float:
    """Train in this process; return the peak in MB.

    Args:
        load: What to compute on.
        ours: SDS-IQA, or the bare backbones.
    """
    before = _forget_peak()
    if ours:
        fit(load, STEPS, [])
    else:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        bodies = Backbones(load.backbone).to(device).train()
        image = load.batch()["image"].to(device).flatten(0, 1).float().div_(255)
        for _ in range(STEPS):
            bodies.step(image)
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    return _peak() - before


def loader_here(folder: Path, keep: str) -> float:
    """Go through one epoch in this process and two workers; return what all of them hold together in MB.

    Args:
        folder: The images.
        keep: `cache` or `decode`.
    """
    data = _data(folder, keep)
    data.prepare_data()
    data.setup("fit")
    loader = data.train_dataloader()
    seen = sum(_count(batch) for batch in loader)
    if seen != len(data.rows("train")):
        raise RuntimeError(f"{seen} images came of {len(data.rows('train'))}")
    gc.collect()
    workers = [worker.pid for worker in loader._iterator._workers]  # type: ignore[union-attr] # persistent: they still live
    return sum(_own(pid) for pid in ("self", *workers))


def _data(folder: Path, keep: str) -> QualityDataModule:
    cache = folder.with_name(f"{folder.name}-cache") if keep == "cache" else None
    return QualityDataModule(Photographs(folder), Uniform(), crop=32, patches_per_image=2, num_workers=2, cache=cache)


def _count(batch: Sample) -> int:
    return len(batch["index"])


def _own(pid: str | int) -> float:
    """Memory in MB that no file holds; what forked processes share counts once, spread over them.

    Pages of a mapped file are left out: the system keeps them once for all processes and frees them when needed.
    """
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss_Anon:\s+(\d+) kB", text, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"/proc/{pid}/smaps_rollup names no anonymous memory")
    return int(found[1]) * 1024 / 1e6


def _forget_peak() -> float:
    """Let the highest resident memory start anew from what is resident now, and return that in MB."""
    Path("/proc/self/clear_refs").write_text("5")  # the imports' own peak would hide a small training's
    return _peak()


def _peak() -> float:
    """Highest resident memory so far, in MB."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError("/proc/self/status names no highest memory")
    return int(found[1]) * 1024 / 1e6


def here(what: str, *words: str) -> float:
    """Measure in this process; return MB.

    Args:
        what: `train`, `bare` or `loader`.
        words: The rest, as in the module's description.
    """
    if what == "loader":
        return loader_here(Path(words[0]), words[1])
    backbone, images, crops, side = words
    return train_peak_here(Load(backbone, int(images), int(crops), int(side)), what == "train")


if __name__ == "__main__":
    keep_freed_memory()
    print(here(*sys.argv[1:]))
