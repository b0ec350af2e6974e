"""CSIQ [Larson and Chandler, JEI 2010]: 866 distorted images of 30 references, six distortions."""

import pandas as pd

from sdsiqa.benchmarks.base import Benchmark
from sdsiqa.benchmarks.labels import parse_names

FOLDERS = {"noise": "awgn", "jpeg 2000": "jpeg2000"}  # the workbook calls the others what their folders are called
TOKENS = {"awgn": "AWGN", "jpeg": "JPEG", "blur": "BLUR"}  # the other folders have the name of their files' token
WORKBOOKS = ("csiq.DMOS.xlsx", "csiq.beta.xlsx")


class CSIQ(Benchmark):
    """CSIQ: DMOS, lower is better.

    Expected files: the workbook `csiq.DMOS.xlsx` or `csiq.beta.xlsx` (sheet `all_by_image`), or else `csiq_label.txt`
    ("1600.AWGN.1.png 0.061989"); `dst_imgs/{awgn,blur,…}/NAME.TOKEN.LEVEL.png`, or all of them flat in `dst_imgs_all/`;
    `src_imgs/NAME.png`. Copies with folders in upper case circulate: letter case is ignored.

    Args:
        root: The folder with the label file, or the one that holds it.
        short_side: Resize every image so that its short side has this many pixels; None keeps the authors' size.
    """

    name = "csiq"
    title = "CSIQ"
    mos_range = (0.0, 1.0)
    higher_is_better = False
    opinion = "DMOS"
    size = 866
    mean_quality = 0.6493
    contents = 30
    url = "https://s2.smu.edu/~eclarson/csiq.html"
    label_files = (*WORKBOOKS, "csiq_label.txt")
    any_case = True

    def read(self) -> pd.DataFrame:
        """Read the workbook, or its text form."""
        path = self.file(*self.label_files)
        if path.suffix.lower() == ".txt":
            labels = pd.read_csv(path, sep=r"\s+", header=None, names=["file", "dmos"])
            pattern = r"(?i)^(?P<image>.+)\.(?P<token>\w+)\.(?P<level>\d)\.png$"
            parts = parse_names(labels["file"], pattern, "1600.AWGN.1.png", self.title, self.remedy)
            folder = parts["token"].str.lower()
            labels = labels.assign(image=parts["image"], dst_lev=parts["level"], dmos_std=float("nan"))
        else:
            labels = pd.read_excel(path, sheet_name="all_by_image", header=3).dropna(subset="dst_type")
            folder = labels["dst_type"].replace(FOLDERS)
        content = labels["image"].astype(str)  # the reference 1600 is a number in the workbook
        level = labels["dst_lev"].astype(int)
        file = content + "." + folder.replace(TOKENS) + "." + level.astype(str) + ".png"
        flat = self.tree.find("dst_imgs_all") is not None and self.tree.find("dst_imgs") is None
        return pd.DataFrame(
            {
                "image": "dst_imgs_all/" + file if flat else "dst_imgs/" + folder + "/" + file,
                "mos": labels["dmos"],
                "content": content,
                "reference": "src_imgs/" + content + ".png",
                "distortion": folder,
                "level": level,
                "mos_std": labels["dmos_std"],
            }
        )
