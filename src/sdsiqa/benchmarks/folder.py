"""Folder: pictures of one's own with scores in a CSV file, without a class to write."""

from __future__ import annotations  # signatures show names, not what they stand for

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sdsiqa.benchmarks.base import Benchmark
from sdsiqa.errors import BenchmarkMismatchError, BenchmarkNotFoundError
from sdsiqa.files import user_path
from sdsiqa.runs.class_attributes import is_name


class Folder(Benchmark):
    """Pictures of a folder, with a CSV file that has a row for each of them.

    Example:
        >>> pictures = Folder("pictures", scale=(1, 5))
        >>> list(pictures.table().columns)[:4], len(pictures.table())
        (['image', 'mos', 'quality', 'content'], 10)

    Args:
        root: Folder of the pictures.
        scale: The lowest and the highest score that raters could give; the ends of the scale, not of the file.
        scores: CSV file with a header: a path below `root`, or an absolute one.
        image: Its column of pictures, as paths below `root`.
        score: Its column of scores.
        content: Its column that is the same for all versions of one scene, which no split separates; `None`: each picture is a
            scene of its own.
        split: Its column of `train`, `val` and `test`, the official split; `None` where there is none.
        lower_is_better: Whether the scores grow with the damage, as DMOS does.
        name: What runs and tables call these pictures: letters, digits and `_ - . +`. Give each folder its own.
        short_side: As for every benchmark; `None` keeps the size.

    Raises:
        ValueError: `scale` is not two finite numbers, the lower one first; `name` is none that files can carry.
    """

    name = "folder"
    title = "Own pictures"
    opinion = "score"
    listed = False  # what it is depends on a folder of pictures
    mos_range = (0.0, 100.0)  # of the class; each folder has its own

    def __init__(
        self,
        root: Path,
        scale: tuple[float, float],
        scores: Path = Path("scores.csv"),
        image: str = "image",
        score: str = "score",
        content: str | None = None,
        split: str | None = None,
        lower_is_better: bool = False,
        name: str = "folder",
        short_side: int | None = None,
    ) -> None:
        super().__init__(root, short_side)
        low, high = scale
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise ValueError(f"scale is {list(scale)}; expected two numbers, the lowest possible score first")
        if not is_name(name):
            raise ValueError(f"name is {name!r}; expected letters, digits and _ - . +")
        self.name = name
        self.ends = (float(low), float(high))
        self.scores = user_path(scores) if str(scores).startswith("~") else Path(scores)
        self.columns = {"image": image, "mos": score, "content": content, "split": split}
        self.higher_is_better = not lower_is_better

    @property
    def remedy(self) -> str:
        """The end of an error message."""
        return "correct the file, or name another one or other columns (scores, image, score, content, split)"

    def scale(self, mos: NDArray[np.float64]) -> tuple[float, float]:
        """Give the ends of the scale; arguments as of every benchmark."""
        return self.ends

    def read(self) -> pd.DataFrame:
        """Read the columns that were named."""
        file = self.root / self.scores
        if not file.is_file():
            raise BenchmarkNotFoundError(f"{self.title}: {file} does not exist; expected a CSV file of pictures and scores")
        found = pd.read_csv(file, sep=None, engine="python")  # a comma, a semicolon or a tab
        named = {name: column for name, column in self.columns.items() if column is not None}
        for column in named.values():
            if column not in found:
                there = ", ".join(map(repr, found.columns))
                raise BenchmarkMismatchError(f"{self.title}: {file} has no column {column!r}; there are {there}; {self.remedy}")
        table = found[list(named.values())].set_axis(list(named), axis=1)
        mos = pd.to_numeric(table["mos"], errors="coerce")
        unread = np.flatnonzero(mos.isna())
        if unread.size:
            row = int(unread[0])
            raise BenchmarkMismatchError(
                f"{self.title}: {file}, line {row + 2}: the column {self.columns['mos']!r} holds {table['mos'].iloc[row]!r}; "
                f"expected a number; {self.remedy}"
            )
        return table.assign(mos=mos, image=table["image"].astype(str), content=table.get("content", table["image"]).astype(str))
