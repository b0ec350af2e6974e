"""LIVE In the Wild Challenge [Ghadiyaram and Bovik, TIP 2016]: 1162 photographs from mobile devices."""

import pandas as pd

from sdsiqa.benchmarks.base import Benchmark

TRAINING_ROWS = 7  # pictures the raters practised on; they lie in Images/trainingImages


class LIVEC(Benchmark):
    """LIVE In the Wild: MOS, higher is better, without the seven pictures that raters practised on.

    Expected files: `Data/AllImages_release.mat`, `Data/AllMOS_release.mat`, `Data/AllStdDev_release.mat`;
    `Images/*.bmp` and `Images/*.JPG`. Two photographs are in the release twice: 246.bmp is 333.bmp to the byte (rated
    52.0 and 51.1), and 694.JPG is 672.JPG in a brighter version.

    Args:
        root: The folder `ChallengeDB_release`, or the one that holds it.
        short_side: Resize every image so that its short side has this many pixels; None keeps the authors' size.
    """

    name = "livec"
    title = "LIVE In the Wild"
    mos_range = (0.0, 100.0)
    size = 1162
    mean_quality = 0.554
    url = "https://live.ece.utexas.edu/research/ChallengeDB/index.html"
    twins = (("246.bmp", "333.bmp"), ("672.JPG", "694.JPG"))
    folder = "ChallengeDB_release"
    label_files = ("Data/AllImages_release.mat",)

    def read(self) -> pd.DataFrame:
        """Read names, scores and standard deviations."""
        keys = ("AllImages_release", "AllMOS_release", "AllStdDev_release")
        files, mos, std = (self.read_mat(f"Data/{key}.mat", key)[key] for key in keys)
        self.check_count(len(mos), len(files), "rows in AllMOS_release.mat")
        self.check_count(len(std), len(files), "rows in AllStdDev_release.mat")
        table = pd.DataFrame({"image": "Images/" + files, "mos": mos, "content": files, "mos_std": std})
        return table[TRAINING_ROWS:]
