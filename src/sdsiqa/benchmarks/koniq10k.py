"""KonIQ-10k [Hosu, Lin, Sziranyi, Saupe, TIP 2020]: 10 073 photographs from the wild."""

from __future__ import annotations  # signatures show names, not what they stand for

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sdsiqa.benchmarks.base import Benchmark

PARTS = {"training": "train", "validation": "val", "test": "test"}


class KonIQ10k(Benchmark):
    """KonIQ-10k: MOS on the authors' scale of 0 to 100, or of 1 to 5; higher is better.

    Two files give one column name, MOS, to two scales; the maximum tells which it is, and the constants of `quality`
    follow. The official split stands in the first file only.

    Expected files: `koniq10k_distributions_sets.csv` (…, MOS, SD, set), or else
    `koniq10k_scores_and_distributions.csv` (…, MOS, SD, MOS_zscore); `1024x768/<image_name>`. With `short_side: 384`
    the authors' `512x384/` will do where the large pictures are not.

    Args:
        root: The folder with the label file, or the one that holds it.
        short_side: Resize every image so that its short side has this many pixels, 384 for the usual 512×384; None
            keeps the authors' size.
    """

    name = "koniq10k"
    title = "KonIQ-10k"
    mos_range = (0.0, 100.0)
    size = 10_073
    mean_quality = 0.5873
    url = "https://database.mmsp-kn.de/koniq-10k-database.html"
    label_files = ("koniq10k_distributions_sets.csv", "koniq10k_scores_and_distributions.csv")
    official_files = label_files[:1]

    def read(self) -> pd.DataFrame:
        """Read scores and, where the file has it, the official split."""
        labels = pd.read_csv(self.file(*self.label_files))
        small = self.short_side == 384 and {"1024x768", "512x384"} & set(self.tree.names()) == {"512x384"}
        mos = labels["MOS_zscore" if "MOS_zscore" in labels else "MOS"].astype(float)
        table = pd.DataFrame(
            {
                "image": ("512x384/" if small else "1024x768/") + labels["image_name"],
                "mos": mos,
                "content": labels["image_name"],
            }
        )
        if "SD" in labels and mos.max() <= 5:  # it is the deviation of the grades 1 to 5 in either file
            table["mos_std"] = labels["SD"]
        if "set" in labels:
            table["split"] = labels["set"].map(PARTS)
        return table

    def scale(self, mos: NDArray[np.float64]) -> tuple[float, float]:
        """Return (1, 5) if no score exceeds 5, else (0, 100)."""
        return (1.0, 5.0) if np.max(mos) <= 5 else self.mos_range
