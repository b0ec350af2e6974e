"""`python -m tools.levels RUN`: how often a network puts the levels of a distortion in order, on the Demo's photographs.

Needs the scores of the whole benchmark: `sdsiqa test -c RUN/config.yaml --data configs/data/demo.yaml --data.test_on all`.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from sdsiqa.benchmarks import Demo

WORDS = {"gblur": "blur", "jp2k": "JPEG 2000", "jpeg": "JPEG", "wn": "white noise", "fastfading": "JPEG 2000 with lost packets"}


def levels(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare neighbouring levels of one distortion of one photograph.

    Args:
        scores: A row per image: `reference`, `distortion`, `level`, `score`, `quality`.

    Returns:
        A row per distortion: `images`; `ordered`, the share of neighbouring levels of which the weaker one has the higher score;
        `srcc` with the labels.
    """
    rows = []
    for distortion, found in scores.groupby("distortion"):
        falls = [np.diff(one.sort_values("level")["score"]) < 0 for _, one in found.groupby("reference")]
        srcc = found["score"].corr(found["quality"], method="spearman")
        rows.append((distortion, len(found), float(np.concatenate(falls).mean()), float(srcc)))
    return pd.DataFrame(rows, columns=["distortion", "images", "ordered", "srcc"])


def main(words: list[str] | None = None) -> None:
    """Print the table as Markdown.

    Args:
        words: Words of the command line; `None`: use `sys.argv`.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.levels", description=__doc__, allow_abbrev=False)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument("--demo", type=Path, default=Path("data/demo"), metavar="FOLDER", help="folder of the Demo benchmark")
    options = parser.parse_args(words)
    table = Demo(options.demo).table()[["image", "reference"]]
    found = levels(pd.read_csv(options.run / "scores" / "demo-all.csv").merge(table, on="image", validate="one_to_one"))
    print("| distortion | images | neighbouring levels in order | SRCC with the proxy |\n| :--- | ---: | ---: | ---: |")
    for row in found.sort_values("ordered", ascending=False).itertuples():
        print(f"| {WORDS[str(row.distortion)]} | {row.images} | {row.ordered:.1%} | {row.srcc:.3f} |")


if __name__ == "__main__":
    main()
