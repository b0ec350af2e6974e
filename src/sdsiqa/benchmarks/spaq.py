"""SPAQ [Fang, Zhu, Zeng, Ma, Wang, CVPR 2020]: 11 125 photographs from 66 smartphones."""

from pathlib import PurePosixPath

import pandas as pd

from sdsiqa.benchmarks.base import Benchmark


class SPAQ(Benchmark):
    """SPAQ: MOS of 0 to 100, higher is better. The pictures have several megapixels: set `short_side: 512`.

    Expected files: `Annotations/MOS and Image attribute scores.xlsx` (Image name, MOS, …), or else
    `SPAQ.IQA-Dataset.csv` (dis_img_path, dis_type, score); `TestImage/00001.jpg` …

    Args:
        root: The folder with `Annotations` and `TestImage`, or the one that holds it.
        short_side: Resize every image so that its short side has this many pixels; 512 is usual, None keeps all.
    """

    name = "spaq"
    title = "SPAQ"
    mos_range = (0.0, 100.0)
    size = 11_125
    mean_quality = 0.5032
    url = "https://github.com/h4nwei/SPAQ"
    label_files = ("Annotations/MOS and Image attribute scores.xlsx", "SPAQ.IQA-Dataset.csv")

    def read(self) -> pd.DataFrame:
        """Read the released workbook, or the list of scores."""
        path = self.file(*self.label_files)
        if path.suffix == ".csv":
            labels = pd.read_csv(path)
            files, mos = labels["dis_img_path"].map(lambda name: PurePosixPath(name).name), labels["score"]
        else:
            labels = pd.read_excel(path)
            files, mos = labels["Image name"], labels["MOS"]
        return pd.DataFrame({"image": "TestImage/" + files, "mos": mos, "content": files})
