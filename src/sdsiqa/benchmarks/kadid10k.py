"""KADID-10k [Lin, Hosu, Saupe, QoMEX 2019]: 10 125 images of 81 references, 25 distortions, 5 levels."""

import pandas as pd

from sdsiqa.benchmarks.base import Benchmark
from sdsiqa.benchmarks.labels import parse_names, type_of

NAMES = (
    "Gaussian blur, lens blur, motion blur, colour diffusion, colour shift, colour quantisation, colour saturation 1, "
    "colour saturation 2, JPEG2000, JPEG, white noise, white noise in colour component, impulse noise, "
    "multiplicative noise, denoise, brighten, darken, mean shift, jitter, non-eccentricity patch, pixelate, "
    "quantisation, colour block, high sharpen, contrast change"
)
TYPES = NAMES.split(", ")


class KADID10k(Benchmark):
    """KADID-10k: scores of 1 to 5 in a column called dmos, where higher is better all the same.

    Levels of mean shift and contrast change are not ordered by severity, and the last two of colour shift are equal
    (`unordered`). The column `var` is left out: whether it is a
    variance or a deviation is not known.

    Expected files: `dmos.csv` (dist_img, ref_img, dmos, var), or else `names_with_mos.txt` ("name score" without a
    header); `images/I01.png` … and `images/IRR_TT_LL.png`.

    Args:
        root: The folder `kadid10k`, or the one that holds it.
        short_side: Resize every image so that its short side has this many pixels; None keeps the authors' size.
    """

    name = "kadid10k"
    title = "KADID-10k"
    mos_range = (1.0, 5.0)
    size = 10_125
    mean_quality = 0.5082
    contents = 81
    unordered = ("colour shift", "contrast change", "mean shift")
    url = "https://database.mmsp-kn.de/kadid-10k-database.html"
    label_files = ("dmos.csv", "names_with_mos.txt")
    any_case = True

    def read(self) -> pd.DataFrame:
        """Read the scores; type and level stand in the names."""
        path = self.file(*self.label_files)
        if path.suffix == ".csv":
            labels = pd.read_csv(path)
        else:
            labels = pd.read_csv(path, sep=r"\s+", header=None, names=["dist_img", "dmos"])
        pattern = r"(?i)^(?P<content>I\d\d)_(?P<type>\d\d)_(?P<level>\d\d)\.png$"
        parts = parse_names(labels["dist_img"], pattern, "I01_01_01.png", self.title, self.remedy)
        content = parts["content"].str.upper()
        return pd.DataFrame(
            {
                "image": "images/" + labels["dist_img"],
                "mos": labels["dmos"],
                "content": content,
                "reference": "images/" + content + ".png",
                "distortion": [type_of(number, TYPES) for number in parts["type"]],
                "level": parts["level"].astype(int),
            }
        )
