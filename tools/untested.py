"""`python -m tools.untested livec data/ChallengeDB_release data/photographs`: photographs for a first stage of training.

Copies the images of a benchmark that people liked best among those that no reported split tests, as stand-ins for pristine ones.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.benchmarks.splits import make_split
from sdsiqa.errors import SdsiqaError


def untested(benchmark: str, table: pd.DataFrame, splits: Sequence[int], count: int) -> list[str]:
    """List images that no test part has, the best first.

    Args:
        benchmark: Name of the benchmark.
        table: Its table.
        splits: Numbers of the splits whose test parts are reported.
        count: How many images.

    Returns:
        Their paths below its root; fewer where there are fewer.
    """
    tested = {row for split in splits for row in make_split(benchmark, table, split).test}
    free = table.loc[[row for row in range(len(table)) if row not in tested]]
    return list(free.sort_values("quality", ascending=False, kind="stable")["image"][:count])


def main(words: list[str] | None = None) -> None:
    """Copy them into a folder, which must be empty or absent.

    Args:
        words: Words of the command line; `None`: use `sys.argv`.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.untested", description=__doc__, allow_abbrev=False)
    parser.add_argument("benchmark", choices=sorted(BENCHMARKS), help="name of the benchmark")
    parser.add_argument("root", type=Path, metavar="ROOT", help="its folder")
    parser.add_argument("to", type=Path, metavar="FOLDER", help="where the copies go")
    parser.add_argument("--splits", type=int, nargs="+", default=[0, 1, 2], help="splits whose test parts are left out")
    parser.add_argument("--count", type=int, default=60, help="how many images")
    options = parser.parse_args(words)
    if options.to.exists() and any(options.to.iterdir()):
        parser.error(f"{options.to} is not empty; name another folder")
    source = BENCHMARKS[options.benchmark](options.root)
    try:
        images = untested(source.name, source.table(), options.splits, options.count)
    except SdsiqaError as error:
        parser.error(str(error))
    for image in images:  # below their folders, for two may have one name
        (options.to / image).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source.root / image, options.to / image)
    print(f"{len(images)} images that splits {', '.join(map(str, options.splits))} do not test: {options.to}")


if __name__ == "__main__":
    main()
