"""The base class of benchmarks: facts, a reader of the authors' files, and the checked table of images."""

from __future__ import annotations  # signatures show names, not what they stand for

import hashlib
import logging
import os
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sdsiqa.benchmarks.labels import COLUMNS, check_rows, check_scores, read_mat, reading
from sdsiqa.benchmarks.tree import Located, Tree, complaints, find_root, locate
from sdsiqa.errors import BenchmarkMismatchError, BenchmarkNotFoundError
from sdsiqa.files import user_path
from sdsiqa.images import read_image
from sdsiqa.runs.class_attributes import Attribute, check_attributes, is_count, is_flag, is_name, is_range, is_text, is_texts
from sdsiqa.runs.ranges import check_counts

logger = logging.getLogger(__name__)

SUBSET = "SDSIQA_TEST_SUBSET"
"""Environment variable of the tests: with 1, a benchmark may have fewer images than its authors' release."""

_ATTRIBUTES = {
    "name": Attribute(is_name, "letters, digits and _ - . +", "'garden'", required=True),
    "mos_range": Attribute(is_range, "the lowest and the highest score", "(1.0, 5.0)", required=True),
    "title": Attribute(is_text, "a text", "'Garden'"),
    "mean_quality": Attribute(lambda value: value is None or 0 < value < 1, "a number between 0 and 1, or None", "0.55"),
    "url": Attribute(lambda value: isinstance(value, str), "a text", "'https://example.org/garden'"),
    "higher_is_better": Attribute(is_flag, "true or false", "False"),
    "opinion": Attribute(is_text, "a text", "'DMOS'"),
    "size": Attribute(is_count, "a number of images or None", "10"),
    "contents": Attribute(is_count, "a number of contents or None", "10"),
    "label_files": Attribute(is_texts, "a tuple of texts", "('scores.csv',)"),
    "official_files": Attribute(is_texts, "a tuple of texts", "('split.csv',)"),
    "unordered": Attribute(is_texts, "a tuple of texts", "('contrast change',)"),
    "listed": Attribute(is_flag, "true or false", "False"),
    "any_case": Attribute(is_flag, "true or false", "True"),
}


class Benchmark(ABC):
    """Images with opinion scores, read from what their authors ship.

    A subclass states `name` and `mos_range` and defines `read`; everything else has a default.

    Args:
        root: Folder the authors' archive was unpacked to, or the folder that holds it.
        short_side: Resize every image so that its short side has this many pixels; None keeps the authors' size.

    Raises:
        ValueError: `short_side` is below 1.
    """

    name: str
    title: ClassVar[str]
    """Name in tables and messages; the name of the class by default."""
    mos_range: ClassVar[tuple[float, float]]
    """The fixed ends of the authors' scale, the lower one first."""
    higher_is_better: bool = True
    opinion: ClassVar[str] = "MOS"
    """Name of the opinion scores in figures."""
    opinion_in_words: ClassVar[str] = ""
    """Axis label of scores that are not human opinion, such as `quality by GMSD (proxy)`; empty: `opinion`."""
    size: ClassVar[int | None] = None
    contents: ClassVar[int | None] = None
    mean_quality: ClassVar[float | None] = None
    """Mean quality of the whole release, in [0, 1]: scores of another scale, or reversed, have another one."""
    url: ClassVar[str] = ""
    """Page a person gets the benchmark from."""
    folder: ClassVar[str] = ""
    """The folder below `SDSIQA_DATA` that it is looked for in, where its authors' archive makes one; empty: its name."""
    label_files: ClassVar[tuple[str, ...]] = ()
    """Any of these marks the root; none: the root is taken as given."""
    official_files: ClassVar[tuple[str, ...]] = ()
    """Files without which there is no official split, for the message that says so."""
    twins: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Pairs of contents that show the same picture in the release itself; numbered splits keep them together."""
    unordered: ClassVar[tuple[str, ...]] = ()
    """Distortions whose mean opinion does not fall with every level: a higher level of these need not be a worse picture."""
    listed: ClassVar[bool] = True
    """Whether it is one benchmark, which lists name; false where what it is depends on its arguments."""
    any_case: ClassVar[bool] = False
    """Whether copies of this benchmark are known to differ in the letter case of names."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, "title"):
            cls.title = cls.__name__
        if cls.read is not Benchmark.read:  # a base class of one's own states nothing yet
            check_attributes(cls, _ATTRIBUTES)

    def __init__(self, root: Path, short_side: int | None = None) -> None:
        check_counts(short_side=short_side)
        self.given = user_path(root)
        self.short_side = short_side

    def __repr__(self) -> str:
        """Say which benchmark, and where."""
        return f"{type(self).__name__}({str(self.given)!r})"

    @classmethod
    def axes_labels(cls, higher_is_better: bool | None = None) -> tuple[str, str]:
        """Give what the axes of a scatter show, in words and with their direction: the predictions, the labels.

        Args:
            higher_is_better: Direction of the scores; `None`: as the class says.
        """
        is_up = cls.higher_is_better if higher_is_better is None else higher_is_better
        direction = f"{'higher' if is_up else 'lower'} is better"
        predicted = "quality" if cls.opinion_in_words else cls.opinion
        return f"predicted {predicted} ({direction})", f"{cls.opinion_in_words or cls.opinion} ({direction})"

    @cached_property
    def root(self) -> Path:
        """The authors' folder: the given one, or the one folder in it that holds the label file.

        Raises:
            BenchmarkNotFoundError: Neither holds a label file.
            BenchmarkMismatchError: Several folders hold one.
        """
        return find_root(self.given, self.label_files, self.title, self.remedy)

    @property
    def remedy(self) -> str:
        """The end of an error message: where the right files are."""
        return f"take the authors' release from {self.url}" if self.url else "compare its files with the authors' release"

    @cached_property
    def tree(self) -> Tree:
        """The files of the root."""
        return Tree(self.root)

    @abstractmethod
    def read(self) -> pd.DataFrame:
        """Read the authors' files.

        Returns:
            One row per image of the rating study, in file order: `image` (path below the root), `mos`, `content`, and
            what there is of `reference`, `distortion`, `level`, `split`, `mos_std`, `training_only`.
        """

    def labels(self) -> pd.DataFrame:
        """Return the table, checked but for the existence of the images: it needs the label files only.

        Returns:
            As `table`, with the names of the label file.

        Raises:
            BenchmarkNotFoundError: No label file.
            BenchmarkMismatchError: It is not the authors': row, what was found, what was expected.
        """
        return self._labels

    @cached_property
    def _labels(self) -> pd.DataFrame:
        with reading(self.title, self.root, self.remedy):
            table = self.read().reset_index(drop=True)
            table["mos"] = table["mos"].astype(np.float64)
            low, high = self.scale(table["mos"].to_numpy())
        check_rows(table, (low, high), self.title, self.remedy)
        if self.size is not None:
            self.check_count(len(table), self.size, "images in the label file")
        if self.contents is not None:
            self.check_count(table["content"].nunique(), self.contents, "contents in the label file")
        quality = (table["mos"] - low) / (high - low)
        table["quality"] = (quality if self.higher_is_better else 1 - quality).clip(0, 1)
        for column, absent in COLUMNS.items():
            if column not in table:
                table[column] = absent
        table = table[list(COLUMNS)].astype({"level": np.int64, "mos_std": np.float64, "training_only": bool})
        if self.size is not None:
            check_scores(table, (low, high), self.mean_quality if len(table) == self.size else None, self.title, self.remedy)
        return table

    def located(self) -> Located:
        """Look for every listed image and reference on disk."""
        labels = self.labels()
        references = [name for name in labels["reference"].unique() if name]
        return locate(self.tree, [*labels["image"], *references])

    def table(self) -> pd.DataFrame:
        """Return the checked table of this benchmark; it is shared: do not change it.

        Returns:
            In file order: `image` and `reference` (paths below `root` as on disk, reference `""` without one), `mos` on
            the authors' scale, `quality` in [0, 1], higher is better, `content`, `distortion` (`""` for authentic
            ones), `level` (-1 without one), `split` (`train`, `val`, `test`, or `""` without an official one),
            `mos_std` (NaN without one), `training_only`.

        Raises:
            BenchmarkNotFoundError: Label files or images are not where they belong.
            BenchmarkMismatchError: They are not what the authors ship.
        """
        return self._table

    @cached_property
    def _table(self) -> pd.DataFrame:
        labels, located = self.labels(), self.located()
        messages = complaints(self.tree, located, self.url, self.any_case)
        if messages:
            kind = BenchmarkNotFoundError if located.missing else BenchmarkMismatchError
            raise kind(f"{self.title}: {messages[0]}")
        paths = located.paths | {"": ""}
        return labels.assign(image=labels["image"].map(paths), reference=labels["reference"].map(paths))

    def data_version(self) -> str:
        """Return 16 hexadecimal digits that name the annotation content, whatever the row order or the root."""
        columns = ["image", "mos", "content", "reference", "distortion", "level", "split"]
        rows = sorted(repr(tuple(row)) for row in self.labels()[columns].to_numpy(dtype=object).tolist())
        return hashlib.sha256("\n".join([self.name, *rows]).encode()).hexdigest()[:16]

    def load(self, image: str) -> NDArray[np.uint8]:
        """Read an image or a reference, at the size this benchmark is defined with.

        Args:
            image: Path below the root, as the table has it.

        Returns:
            RGB pixels, `(H, W, 3)` uint8 in 0 … 255; with `short_side`, min(H, W) equals it.
        """
        pixels = read_image(self.root / image)
        short = min(pixels.shape[:2])
        if self.short_side is None or short == self.short_side:
            return pixels
        height, width = (max(self.short_side, round(side * self.short_side / short)) for side in pixels.shape[:2])
        how = cv2.INTER_AREA if self.short_side < short else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(pixels, (width, height), interpolation=how), np.uint8)

    def scale(self, mos: NDArray[np.float64]) -> tuple[float, float]:
        """Return the fixed ends of the authors' scale; a benchmark that ships two scales tells them apart by `mos`.

        Args:
            mos: All scores, `(N,)`, on the authors' scale.
        """
        return self.mos_range

    def to_mos(self, quality: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring scores back to the authors' scale and direction.

        Args:
            quality: Any shape, in [0, 1], higher is better.
        """
        low, high = self.scale(self.labels()["mos"].to_numpy())
        return low + quality * (high - low) if self.higher_is_better else high - quality * (high - low)

    def file(self, *names: str) -> Path:
        """Return the first of some files that exists.

        Args:
            names: Alternatives, as paths below the root.

        Raises:
            BenchmarkNotFoundError: None does.
        """
        path = self.tree.first(names, self.any_case)
        if path is None:
            raise BenchmarkNotFoundError(f"{self.title}: {self.tree.absence(names)}; {self.remedy}")
        if not (self.root / path).is_file():  # a folder, a dangling link, or a pipe that nobody writes to
            raise BenchmarkMismatchError(f"{self.title}: {self.root / path} is no file; {self.remedy}")
        return self.root / path

    def read_mat(self, name: str, *keys: str) -> dict[str, NDArray[Any]]:
        """Read variables of a MATLAB file, flattened.

        Args:
            name: Path below the root.
            keys: Variables it must hold.
        """
        return read_mat(self.file(name), *keys)

    def check_count(self, found: int, expected: int, what: str) -> None:
        """Refuse a count that is not the release's, except that tests may work on fewer (`SDSIQA_TEST_SUBSET=1`).

        Args:
            found: What was counted.
            expected: What the authors ship.
            what: What is counted, in the plural.

        Raises:
            BenchmarkMismatchError: The numbers differ.
        """
        if found == expected:
            return
        if os.environ.get(SUBSET) == "1" and 0 < found < expected:
            logger.warning("%s: %d of %d %s ACCEPTED because %s=1", self.title, found, expected, what, SUBSET)
            return
        raise BenchmarkMismatchError(f"{self.title}: found {found} {what}; expected {expected}; {self.remedy}")
