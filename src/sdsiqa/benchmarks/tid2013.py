"""TID2013 [Ponomarenko et al., Signal Processing: Image Communication 2015]: 3000 images, 24 distortions, 5 levels."""

import pandas as pd

from sdsiqa.benchmarks.base import Benchmark
from sdsiqa.benchmarks.labels import parse_names, type_of

NAMES = (
    "additive Gaussian noise, additive noise in colour components, spatially correlated noise, masked noise, "
    "high-frequency noise, impulse noise, quantisation noise, Gaussian blur, image denoising, JPEG, JPEG2000, "
    "JPEG transmission errors, JPEG2000 transmission errors, non-eccentricity pattern noise, "
    "local block-wise distortions, mean shift, contrast change, colour saturation, multiplicative Gaussian noise, "
    "comfort noise, lossy compression of noisy images, colour quantisation with dither, chromatic aberrations, "
    "sparse sampling and reconstruction"
)
TYPES = NAMES.split(", ")


class TID2013(Benchmark):
    """TID2013: MOS, higher is better. Levels of types 14 to 17 are not ordered by severity (`unordered`).

    Expected files: `mos_with_names.txt` ("MOS name"), `mos_std.txt` in the same order; `distorted_images/iRR_TT_L.bmp`;
    `reference_images/I01.BMP` … `i25.bmp`. Names on disk and in the list differ in letter case: it is ignored.

    Args:
        root: The folder with `mos_with_names.txt`, or the one that holds it.
        short_side: Resize every image so that its short side has this many pixels; None keeps the authors' size.
    """

    name = "tid2013"
    title = "TID2013"
    mos_range = (0.0, 9.0)
    size = 3000
    mean_quality = 0.4972
    contents = 25
    url = "https://www.ponomarenko.info/tid2013.htm"
    label_files = ("mos_with_names.txt",)
    any_case = True
    unordered = tuple(TYPES[13:17])

    def read(self) -> pd.DataFrame:
        """Read scores, names and standard deviations."""
        labels = pd.read_csv(self.file("mos_with_names.txt"), sep=r"\s+", header=None, names=["mos", "file"])
        std = pd.read_csv(self.file("mos_std.txt"), header=None)[0]
        self.check_count(len(std), len(labels), "rows in mos_std.txt")
        pattern = r"(?i)^i(?P<content>\d\d)_(?P<type>\d\d)_(?P<level>\d)\.bmp$"
        parts = parse_names(labels["file"], pattern, "i01_01_1.bmp", self.title, self.remedy)
        content = "i" + parts["content"]
        return pd.DataFrame(
            {
                "image": "distorted_images/" + labels["file"],
                "mos": labels["mos"],
                "content": content,
                "reference": "reference_images/" + content.str.upper() + ".BMP",
                "distortion": [type_of(number, TYPES) for number in parts["type"]],
                "level": parts["level"].astype(int),
                "mos_std": std,
            }
        )
