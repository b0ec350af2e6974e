"""The loader beside the decoder it stands on."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from bench.measure import Row, compare, in_turns
from bench.pictures import Photographs
from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.saliency import SDSP


def plain(files: list[Path], threads: int) -> Callable[[], float]:
    """Make the bare way: read and decode each file, and let it go.

    Args:
        files: The images.
        threads: How many decode at once; OpenCV's decoder lets others run.
    """

    def decode(file: Path) -> None:
        cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR_RGB)

    def run() -> float:
        start = time.perf_counter()
        if threads < 2:
            for file in files:
                decode(file)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(decode, files))
        return time.perf_counter() - start

    return run


class ImagesAlone(QualityDataModule):
    """What a network gets that asks for no map, so that the loader is compared with the decoder and nothing else."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The image."""
        return ("image",)


def images_per_second(
    photographs: Photographs, folder: Path, turns: int, crops: int, keep: str, workers: int, side: int, epochs: int = 3
) -> Row:
    """Compare epochs of the DataModule with decoding the same files.

    Args:
        photographs: The images.
        folder: Where the cache and the maps lie.
        turns: Repetitions.
        crops: Crops cut from an image.
        keep: `all` keeps decoded images and SDSP maps in the mapped file; `nothing` decodes each time, without maps;
            `maps` decodes each time, SDSP maps too, which it keeps as files.
        workers: Loader processes; the bare way gets as many threads.
        side: Side of a crop in pixels.
        epochs: Epochs of one turn.
    """
    kind = ImagesAlone if keep == "nothing" else QualityDataModule
    data = kind(
        photographs,
        SDSP(),
        crop=side,
        patches_per_image=crops,
        num_workers=workers,
        maps=folder / "maps" if keep == "maps" else None,
        cache=folder / "cache" if keep == "all" else None,
    )
    data.prepare_data()
    data.setup("fit")
    loader = data.train_dataloader()
    files = [photographs.root / name for name in data.rows("train")["image"]]

    def run() -> float:
        start = time.perf_counter()
        for _ in range(epochs):
            for _ in loader:
                pass
        return (time.perf_counter() - start) / epochs

    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)  # as loader processes have it
    ours, bare = in_turns(run, plain(files, workers), turns)
    cv2.setNumThreads(threads)
    count = len(files)
    kept = {"nothing": "no cache, no maps", "maps": "no cache, maps from files", "all": "decoded cache"}[keep]
    where = f"{workers} worker processes; bare: {workers} threads" if workers else "both in one process, one thread"
    how = f"{count} files, {where}. Ours: epochs of the training loader, {crops} crops of {side}², batches of 8."
    unit, goal = ("images/s", 0.75 if keep == "maps" else 0.92) if crops == 1 else ("crops/s : images/s", 15.0)
    return compare(
        f"loading, {crops} crop{'s' * (crops > 1)}, {kept}{f', {workers} workers' if workers else ''}",
        unit,
        [crops * count / s for s in ours],
        [count / s for s in bare],
        goal if (keep != "maps" or crops == 1) and not workers else None,  # the bare way sends nothing around
        False,
        how,
    )


def loadings(photographs: Photographs, folder: Path, turns: int, side: int = 224, workers: int = 2) -> list[Row]:
    """Compare the loader in each of its settings.

    Args:
        photographs: The images.
        folder: Where the cache and the maps lie.
        turns: Repetitions.
        side: Side of a crop in pixels.
        workers: Loader processes of the last comparisons.
    """
    cases = [(crops, keep, 0) for crops in (1, 25) for keep in ("all", "nothing", "maps")]
    cases += [(crops, "all", workers) for crops in (1, 25)]
    return [images_per_second(photographs, folder, turns, crops, keep, n, side) for crops, keep, n in cases]
