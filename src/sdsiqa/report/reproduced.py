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


def how(method: str, train: str, test: str, seen: Collection[str]) -> str:
    """Say why there is no number of ours, and give the command that makes one.

    Args:
        method: Printed name, reduced as the keys of `MADE` are.
        train: Name of the benchmark that is trained on; empty where nothing is.
        test: Name of the benchmark that is tested on.
        seen: Names of the benchmarks that runs of the report have used.

    Returns:
        Nothing for a method that is not here.
    """
    made = MADE.get(method)
    if made is None:
        return ""
    source = train or test
    command = f"sdsiqa fit -c configs/train/{source}.yaml --model configs/model/{made.name}.yaml --run.method {made.name}"
    if source != test:
        command += f"; sdsiqa test -c runs/<id>/config.yaml --data configs/data/{test}.yaml --data.test_on all"
    return f"{'not run' if {source, test} <= set(seen) else 'data not here'}: {command}"
