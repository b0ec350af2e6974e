"""Splits into training, validation and test part: by content, disjoint, the same on every machine."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd

from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.errors import BenchmarkMismatchError, SplitLeakError

PARTS = ("train", "val", "test")
NUMBERED = 10
"""Number of numbered splits of a benchmark: 0 to 9."""

Pairs = tuple[tuple[str, str], ...]
"""Contents that show the same picture, as `Benchmark.twins` lists them."""


@dataclass(frozen=True)
class Split:
    """The three parts of a benchmark.

    Args:
        benchmark: The benchmark's name.
        name: `0` … `9`, `official`, or publisher and number, such as `arniqa-3`.
        unit: What is kept together: `content` where images share one, else `image`.
        train: Rows of the table that train, ascending.
        val: Rows that choose the epoch, ascending.
        test: Rows that are read once, ascending.
        sha256: Hash of benchmark, name and the image names of each part, whatever their order or letter case.
    """

    benchmark: str
    name: str
    unit: str
    train: tuple[int, ...]
    val: tuple[int, ...]
    test: tuple[int, ...]
    sha256: str

    @classmethod
    def of(cls, benchmark: str, name: str, table: pd.DataFrame, parts: Mapping[str, Iterable[int]]) -> Self:
        """Build a split from its rows and refuse a leak.

        Args:
            benchmark: The benchmark's name.
            name: The split's name.
            table: The benchmark's table.
            parts: Rows of `train`, `val` and `test`.

        Raises:
            SplitLeakError: As `check_split`.
        """
        rows = {part: tuple(sorted(int(row) for row in parts[part])) for part in PARTS}
        images = {part: table["image"].iloc[list(rows[part])] for part in PARTS}
        unit = "content" if _contents(table).duplicated().any() else "image"
        split = cls(benchmark, name, unit, **rows, sha256=split_hash(benchmark, name, images))
        check_split(split, table)
        return split

    def rows(self, part: str) -> tuple[int, ...]:
        """Return the rows of `train`, `val` or `test`.

        Args:
            part: Its name.
        """
        return {"train": self.train, "val": self.val, "test": self.test}[part]

    def to_json(self, table: pd.DataFrame) -> bytes:
        """Give names and counts as JSON.

        Args:
            table: The benchmark's table.
        """
        document: dict[str, object] = {key: getattr(self, key) for key in ("benchmark", "name", "unit", "sha256")}
        for part in PARTS:
            chosen = table.iloc[list(self.rows(part))]
            images, contents = chosen["image"].tolist(), sorted(chosen["content"].unique())
            counts = {"images": len(images), "contents": len(contents)}
            document[part] = {"counts": counts, "contents": contents, "images": images}
        return (json.dumps(document, indent=1) + "\n").encode()


def split_hash(benchmark: str, name: str, images: Mapping[str, Iterable[str]]) -> str:
    """Hash a split, whatever the order or the letter case of its images; 64 hexadecimal digits.

    Args:
        benchmark: The benchmark's name.
        name: The split's name.
        images: Paths of the images of each part.
    """
    parts = {part: sorted(image.lower() for image in images[part]) for part in PARTS}
    return hashlib.sha256(json.dumps({"benchmark": benchmark, "name": name, **parts}, sort_keys=True).encode()).hexdigest()


def counts(units: int) -> tuple[int, int, int]:
    """Return how many contents train, choose and test: seven, one and two tenths, and no part empty.

    The rounding is Python's on doubles: 0.7 · 25 is 17.5 and goes to the even 18, 0.7 · 11 125 lies just below 7787.5.
    So every count equals that of the public splits of ARNIQA.

    Args:
        units: Number of contents.

    Raises:
        SplitLeakError: Fewer than three contents cannot be in three parts.
    """
    if units < 3:
        raise SplitLeakError(f"{units} contents cannot fill three disjoint parts; at least 3 are needed")
    test = max(1, round(0.2 * units))
    val = max(1, units - round(0.7 * units) - test)
    return units - test - val, val, test


def make_split(benchmark: str, table: pd.DataFrame, split: int | Literal["official"], twins: Pairs | None = None) -> Split:
    """Make a numbered split, or take the authors'.

    A numbered one orders the contents by the SHA-256 of `benchmark/number/content` and cuts the test part first, so it
    depends on no row order, library or platform. Contents that are for training only never leave the training part.

    Args:
        benchmark: The benchmark's name.
        table: Its table.
        split: 0 to 9, or `official`.
        twins: Pairs of contents that stay together; `None`: those of the benchmark of that name.

    Raises:
        BenchmarkMismatchError: There is no such split.
        SplitLeakError: A part would be empty, or the authors' split leaks.
    """
    if split == "official":
        return Split.of(benchmark, "official", table, _official(benchmark, table))
    if isinstance(split, bool) or split not in range(NUMBERED):
        raise BenchmarkMismatchError(f"split is {split!r}; expected 'official' or a number from 0 to {NUMBERED - 1}")
    contents = _contents(table)
    free = sorted(set(contents[~table["training_only"]]) - set(contents[table["training_only"]]))
    if twins is None:
        twins = BENCHMARKS[benchmark].twins if benchmark in BENCHMARKS else ()
    leader = leaders(twins)  # so that twins are neighbours in the order

    def place(content: str) -> tuple[bytes, str]:
        return hashlib.sha256(f"{benchmark}/{split}/{leader.get(content, content)}".encode()).digest(), content

    def whole(end: int) -> int:
        """Move the end of a part behind the twins that it would separate."""
        while 0 < end < len(order) and place(order[end - 1])[0] == place(order[end])[0]:
            end += 1
        return end

    order = sorted(free, key=place)
    _, val, test = counts(len(order))
    test_end = whole(test)
    in_test, in_val = contents.isin(order[:test_end]), contents.isin(order[test_end : whole(test_end + val)])
    masks = {"train": ~(in_test | in_val), "val": in_val, "test": in_test}
    return Split.of(benchmark, str(split), table, {part: np.flatnonzero(mask) for part, mask in masks.items()})


def leaders(twins: Pairs) -> dict[str, str]:
    """Give one name to contents that show the same picture.

    Args:
        twins: The pairs.

    Returns:
        The first content, by each of the others; all in lower case.
    """
    found = dict[str, str]()

    def first_of(content: str) -> str:
        return first_of(found[content]) if content in found else content

    for pair in twins:
        first, second = (first_of(content.lower()) for content in pair)
        if first != second:
            found[second] = first
    return {content: first_of(content) for content in found}


def check_split(split: Split, table: pd.DataFrame) -> None:
    """Refuse a split whose parts share a content, or one of whose parts is empty.

    Args:
        split: The split.
        table: Its benchmark's table.

    Raises:
        SplitLeakError: Names the content on both sides, the empty part, or what may only train and does not.
    """
    who = f"split {split.name!r} of {split.benchmark}"
    contents, owner = _contents(table), dict[str, str]()
    for part in PARTS:
        rows = list(split.rows(part))
        if not rows:
            raise SplitLeakError(f"{who}: the {part} part is empty; take another split or more images")
        chosen = contents.iloc[rows]
        shared = sorted(content for content in set(chosen) if content in owner)
        if shared:
            raise SplitLeakError(
                f"{who}: content {shared[0]!r} is in both {owner[shared[0]]} and {part} ({len(shared)} such contents); "
                "take a split by content"
            )
        owner |= dict.fromkeys(chosen, part)
        bound = table["training_only"].iloc[rows]
        if part != "train" and bound.any():
            raise SplitLeakError(f"{who}: content {chosen[bound].iloc[0]!r} may only train and is in {part}")


def check_bytes(split: Split, table: pd.DataFrame, digests: Mapping[str, str], twins: Pairs = ()) -> list[str]:
    """Refuse a split with the same file, under whatever names, in two parts.

    Args:
        split: The split.
        table: Its benchmark's table.
        digests: Content hash of each image, by its path (`sdsiqa.benchmarks.digests`).
        twins: Contents that the release itself has twice. A numbered split keeps them together; one that its authors or
            others have published may not, and stays what it is.

    Returns:
        A sentence for each such pair that the split separates.

    Raises:
        SplitLeakError: Names both files and both parts.
    """
    known = {frozenset((first.lower(), second.lower())) for first, second in twins}
    contents, separated = _contents(table), dict[str, None]()
    seen: dict[str, tuple[str, str, str]] = {}
    for part in PARTS:
        rows = list(split.rows(part))
        for image, content in zip(table["image"].iloc[rows], contents.iloc[rows], strict=True):
            other, whose, there = seen.setdefault(digests[image], (image, content, part))
            if there == part:
                continue
            if frozenset((content, whose)) not in known:
                raise SplitLeakError(
                    f"split {split.name!r} of {split.benchmark}: {other!r} in {there} and {image!r} in {part} are the "
                    "same file; unpack the benchmark again, or, if its release has the picture twice, name the pair in `twins` "
                    "of its class, which keeps it on one side"
                )
            separated[f"split {split.name!r} of {split.benchmark} has one picture twice, as published: {other!r} in {there}, "
                      f"{image!r} in {part}"] = None  # fmt: skip
    return list(separated)


def _contents(table: pd.DataFrame) -> "pd.Series[str]":
    return table["content"].str.lower()


def _official(benchmark: str, table: pd.DataFrame) -> dict[str, Iterable[int]]:
    absent = ~table["split"].isin(PARTS)
    if absent.any():
        files = BENCHMARKS[benchmark].official_files if benchmark in BENCHMARKS else ()
        need = f" without {' and '.join(repr(file) for file in files)}" if files else ""
        raise BenchmarkMismatchError(
            f"{benchmark} has no official split{need} ({int(absent.sum())} images stand in no part); "
            f"take a number from 0 to {NUMBERED - 1}"
        )
    return {part: np.flatnonzero(table["split"] == part) for part in PARTS}
