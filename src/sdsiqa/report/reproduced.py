"""Which method here stands for one that is printed in the paper's tables, and the command that runs it."""

from collections.abc import Collection
from typing import Final, NamedTuple

PAPER: Final = "SDS-IQA ("
"""How the source of a row begins that comes from the paper's own tables."""


class Made(NamedTuple):
    """A method here.

    Args:
        title: Name in tables.
        name: Name of its model file, and of its runs.
    """

    title: str
    name: str


MADE: Final = {
    "sdsiqa": Made("SDS-IQA (reconstruction)", "sdsiqa"),
    "psnr": Made("PSNR", "psnr"),
    "ssim": Made("SSIM", "ssim"),
    "bliindsii": Made("BLIINDS-II", "bliinds2"),
    "biecon": Made("BIECON", "biecon"),
    "diqa": Made("DIQA", "diqa"),
    "rankiqa": Made("RankIQA", "rankiqa"),
    "dbcnn": Made("DB-CNN", "dbcnn"),
    "dqmiqa": Made("QualityMapNet (reconstruction)", "qualitymap"),
    "tsig": Made("TwoStreamIQA", "twostream"),
    "sgdnet": Made("SGDNet", "sgdnet"),
    "aigqa": Made("AIGQA (reconstruction)", "aigqa"),
    "setnet": Made("SETNet (reconstruction)", "setnet"),
}
"""By the printed name, reduced to letters and digits. The paper's DQM-IQA and TSIG could not be identified: what stands there
goes by a name of its own."""


AUTHENTIC: Final = {"livec", "koniq10k"}
"""Benchmarks of photographs in the paper's tables."""


def how(method: str, source: str, test: str, distortion: str, seen: Collection[str]) -> str:
    """Say why there is no number of ours, and give the command that makes one: cells of the experiment that is the paper's table.

    Args:
        method: Printed name, reduced as the keys of `MADE` are.
        source: Name of the benchmark that is trained on, or that is tested on where nothing is trained.
        test: Name of the benchmark that is tested on.
        distortion: Kind that the number is of; empty for all.
        seen: Names of the benchmarks that runs of the report have used.

    Returns:
        Nothing for a method that is not here.
    """
    made = MADE.get(method)
    if made is None:
        return ""
    table = "table2_distortions" if distortion else "table3_authentic" if test in AUTHENTIC else "table1_synthetic"
    table = table if source == test else "table4_cross_dataset"
    command = f"sdsiqa grid experiments/paper/{table}.yaml --only {source}-{made.name}"
    return f"{'not run' if {source, test} <= set(seen) else 'data not here'}: {command}"
