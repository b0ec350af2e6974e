"""LIVE release 2 [Sheikh, Sabir, Bovik, TIP 2006]: 779 distorted images of 29 references, five distortions."""

import numpy as np
import pandas as pd

from sdsiqa.benchmarks.base import Benchmark
from sdsiqa.errors import BenchmarkMismatchError

COUNTS = {"jp2k": 227, "jpeg": 233, "wn": 174, "gblur": 174, "fastfading": 174}
TYPES = {"jp2k": "JP2K", "jpeg": "JPEG", "wn": "WN", "gblur": "GB", "fastfading": "FF"}


class LIVE(Benchmark):
    """LIVE release 2: realigned DMOS, lower is better, without the 203 hidden references.

    Expected files: `dmos_realigned.mat` (`dmos_new`, `orgs`, `dmos_std`), `refnames_all.mat`; `jp2k/img1.bmp` …,
    `jpeg/`, `wn/`, `gblur/`, `fastfading/`; `refimgs/<name>.bmp`. Strengths differ between images: there is no level.

    Args:
        root: The folder `databaserelease2`, or the one that holds it.
        short_side: Resize every image so that its short side has this many pixels; None keeps the authors' size.
    """

    name = "live"
    title = "LIVE"
    mos_range = (-2.65, 111.78)  # the extremes of the 779, rounded outward
    higher_is_better = False
    opinion = "DMOS"
    size = 779
    mean_quality = 0.5523
    contents = 29
    url = "https://live.ece.utexas.edu/research/quality/subjective.htm"
    folder = "databaserelease2"
    label_files = ("dmos_realigned.mat",)

    def read(self) -> pd.DataFrame:
        """Read the realigned scores; altered copies, with the rows of the references taken out, are refused."""
        keys = ("dmos_new", "orgs", "dmos_std")
        dmos, orgs, std = self.read_mat("dmos_realigned.mat", *keys).values()
        names = self.read_mat("refnames_all.mat", "refnames_all")["refnames_all"]
        lengths = {"dmos_new": len(dmos), "dmos_std": len(std), "orgs": len(orgs), "refnames_all": len(names)}
        if len(set(lengths.values())) != 1:
            raise BenchmarkMismatchError(f"LIVE: arrays of different lengths {lengths}; expected 982; {self.remedy}")
        self.check_count(len(dmos), 982, "rows in dmos_realigned.mat")
        self.check_count(int(np.count_nonzero(orgs == 1)), 203, "hidden references in dmos_realigned.mat")
        for row in np.flatnonzero((dmos == 0) != (orgs == 1)):
            found = f"row {row + 1} of dmos_realigned.mat has DMOS {float(dmos[row])!r} and orgs {int(orgs[row])!r}"
            expected = "expected DMOS 0 exactly where orgs is 1: this is an altered copy"
            raise BenchmarkMismatchError(f"LIVE: {found}; {expected}; {self.remedy}")
        # rows have no names: the folders follow each other; in a subset drawn by a test, only they know their length
        counts = COUNTS if len(dmos) == 982 else {key: len(set(self.tree.names(key).values())) for key in COUNTS}
        places = [(folder, number) for folder, count in counts.items() for number in range(1, count + 1)]
        table = pd.DataFrame(
            {
                "image": [f"{folder}/img{number}.bmp" for folder, number in places],
                "mos": dmos,
                "content": [name.removesuffix(".bmp") for name in names],
                "reference": [f"refimgs/{name}" for name in names],
                "distortion": [TYPES[folder] for folder, _ in places],
                "mos_std": std,
            }
        )
        return table.loc[np.asarray(orgs != 1, bool)]
