"""FLIVE, also LIVE-FB or PaQ-2-PiQ [Ying et al., CVPR 2020]: 39 810 photographs with an official split."""

import numpy as np
import pandas as pd

from sdsiqa.benchmarks.base import Benchmark

VALIDATION = "labels=640_padded.csv"


class FLIVE(Benchmark):
    """FLIVE: MOS of 0 to 100, higher is better, in a narrow band; correlations are low by nature.

    Expected files: `labels_image.csv` (name, mos); `labels640.csv`, whose images are the official test part;
    `labels=640_padded.csv`, where `is_valid` marks the official validation part; folders `voc_emotic_ava/`,
    `blur_dataset/`, `EE371R/`. Without the third file the table has no official split: numbered splits still work.

    Args:
        root: The folder `database`, or the one that holds it.
        short_side: Resize every image so that its short side has this many pixels; None keeps the authors' size.
    """

    name = "flive"
    title = "FLIVE"
    mos_range = (0.0, 100.0)
    size = 39_810
    mean_quality = 0.7213
    url = "https://github.com/niu-haoran/FLIVE_Database"
    label_files = ("labels_image.csv",)
    official_files = (VALIDATION, "labels640.csv")

    def read(self) -> pd.DataFrame:
        """Read the scores and, where all of it is there, the official split."""
        labels = pd.read_csv(self.file("labels_image.csv"))
        table = pd.DataFrame({"image": labels["name"], "mos": labels["mos"], "content": labels["name"]})
        if all(name in self.tree.names() for name in self.official_files):
            test = pd.read_csv(self.file("labels640.csv"))["name_image"]
            padded = pd.read_csv(self.file(VALIDATION))
            name = "name_image" if "name_image" in padded else "name"
            val = padded.loc[padded["is_valid"].astype(bool), name]
            part = np.where(labels["name"].isin(val), "val", "train")
            table["split"] = np.where(labels["name"].isin(test), "test", part)
        return table
