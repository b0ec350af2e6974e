"""Many small images, with parts whose sizes do not divide."""

from pathlib import Path

import numpy as np
import pandas as pd
from fakes import scene

from sdsiqa.benchmarks import Benchmark
from sdsiqa.images import write_image

TRAIN, SMALL, LARGE = 20, 155, 232
"""LIVE's and LIVEC's test parts have these sizes, which do not divide by most numbers of processes."""


class Many(Benchmark):
    """The official split validates on 155 images and tests on 232, or the other way round. Expected file: `scores.csv`."""

    name = "many"
    title = "Many"
    mos_range = (0.0, 1.0)
    size = None
    url = "nowhere: a test draws it"

    def read(self) -> pd.DataFrame:
        return pd.read_csv(self.root / "scores.csv", dtype={"content": str}, keep_default_na=False)


class More(Many):
    """Other pictures, which weights of `Many` have not seen."""

    name = "more"
    title = "More"


def draw(root: Path, val: int, test: int, seed: int) -> None:
    """Draw the benchmark; pictures get smaller and greyer with their score, which a network can learn."""
    parts = ["train"] * TRAIN + ["val"] * val + ["test"] * test
    rng = np.random.default_rng(seed)
    rows = []
    for number, (part, mos) in enumerate(zip(parts, rng.uniform(0, 1, len(parts)), strict=True)):
        image = scene(number % 40, 64 + 8 * (number % 3), 72)
        noise = rng.normal(0, 60 * (1 - mos), image.shape)
        write_image(root / f"{number}.png", np.clip(image + noise, 0, 255).astype(np.uint8))
        rows.append({"image": f"{number}.png", "mos": mos, "content": str(number), "split": part})
    pd.DataFrame(rows).to_csv(root / "scores.csv", index=False)
