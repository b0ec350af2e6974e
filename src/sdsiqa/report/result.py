"""One score table with its method, benchmark and split, and the grouping of several."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.metrics.significance import TEST_PER_TRAIN
from sdsiqa.runs.class_paths import class_name

Kind = Literal["distortion", "level"]
"""What a benchmark's images can be told apart by."""

FULL = "full"
"""The ablation that takes nothing away."""

RECONSTRUCTIONS = frozenset({"SDSIQA", "SETNet", "AIGQA", "QualityMapNet"})
"""Networks of which only an abstract is known, or their family: their rows say that they are not the authors' own."""


@dataclass(frozen=True, eq=False)
class Result:
    """Scores of one method on one part of one benchmark.

    Args:
        file: The score table.
        method: Name of the method.
        ablation: What was changed in it; `full` if nothing.
        trained_on: Benchmark whose training part it saw; empty if unknown.
        benchmark: Benchmark the images are from.
        part: `test`, or `all` for a benchmark it never saw.
        split: Number or name of the split it was trained on.
        seed: Seed of its training; empty if unknown.
        table: The score table, in order of its images.
        test_per_train: Test images per training image.
        minutes: That the run took; NaN if unknown.
        is_wall_time: Whether these are of wall time; else of training steps alone.
        chosen_by: What chose the epoch; empty if unknown.
        seen: Images of the training and validation part; empty if unknown.
        tested: Images of the test part; empty if unknown.
        root: Folder of the benchmark's images, if the run says it.
        is_foreign: Whether it is not of a run of ours.
        settings: What decided the run but for split and seed: values by dotted key.
        remark: What the run says a reader must know of it.
        tuned_on: What its settings were chosen on, as the run says; empty if nothing is known.
        under_trained: Whether the run says that it learned for too short a time to be ranked.
    """

    file: Path
    method: str
    ablation: str
    trained_on: str
    benchmark: str
    part: str
    split: str
    seed: str
    table: pd.DataFrame
    test_per_train: float = TEST_PER_TRAIN
    minutes: float = float("nan")
    is_wall_time: bool = True
    chosen_by: str = ""
    seen: frozenset[str] = field(default_factory=frozenset)
    tested: frozenset[str] = field(default_factory=frozenset)
    root: Path | None = None
    is_foreign: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    remark: str = ""
    tuned_on: str = ""
    under_trained: bool = False

    @property
    def label(self) -> str:
        """Label in tables: the method, whether it is a reconstruction or under-trained, and its ablation."""
        return label_of(self.method, self.ablation, self.is_reconstruction, self.under_trained)

    @property
    def is_reconstruction(self) -> bool:
        """Whether its network is one of `RECONSTRUCTIONS`."""
        return class_name(str(self.settings.get("model.network.class_path", ""))) in RECONSTRUCTIONS

    @property
    def is_cross(self) -> bool:
        """Whether the benchmark is another than it was trained on, or none is known."""
        return self.part == "all" or self.trained_on != self.benchmark

    @property
    def protocol(self) -> str:
        """Author of the splits: empty for our numbered ones, else `official` or the publisher's name."""
        return "" if self.split.isdecimal() else re.sub(r"-\d+$", "", self.split)

    @property
    def group(self) -> str:
        """Results with the same value share a table: benchmark, part, and author of the splits."""
        whose = f" ({self.protocol} split)" if self.protocol and self.part != "all" else ""
        return f"{self.benchmark}-{self.part}{whose}"

    @property
    def order(self) -> tuple[float, str, str]:
        """Numbers before names, then by seed."""
        return (float(self.split) if self.split.isdecimal() else float("inf"), self.split, self.seed)


@dataclass(frozen=True)
class Blank:
    """A row of a table that stays blank.

    Args:
        benchmark: Name of the benchmark, as of a result.
        variant: Name of the method, and what was changed in it, as of a result.
        reason: Why there is no score.
    """

    benchmark: str
    variant: tuple[str, str]
    reason: str


def label_of(method: str, ablation: str, is_reconstruction: bool = False, under_trained: bool = False) -> str:
    """Give what tables call a method with its ablation.

    Args:
        method: Name of the method.
        ablation: What was changed in it; `full` if nothing.
        is_reconstruction: Whether it is not the authors' own network.
        under_trained: Whether it learned for too short a time to be ranked.
    """
    said = ["reconstruction"] * is_reconstruction + ["under-trained"] * under_trained + [ablation] * (ablation != FULL)
    return f"{method} ({', '.join(said)})" if said else method


def title(benchmark: str) -> str:
    """Write a benchmark as its authors do.

    Args:
        benchmark: Its name, such as `livec`; one that is not ours stays as it is.
    """
    return BENCHMARKS[benchmark].title if benchmark in BENCHMARKS else benchmark


def stem(text: str) -> str:
    """Make a part of a file name.

    Args:
        text: Any.
    """
    return "-".join("".join(sign if sign.isalnum() or sign in "_." else " " for sign in text).split())


def by_label(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Group results by what tables call them: full methods first, then by name; each in order of splits and seeds.

    Args:
        results: In any order.
    """
    ordered = sorted(results, key=lambda result: (result.method, result.ablation != FULL, result.ablation, result.order))
    groups: dict[str, list[Result]] = {}
    for result in ordered:
        groups.setdefault(result.label, []).append(result)
    return groups


def by_group(results: Sequence[Result], is_cross: bool) -> dict[str, list[Result]]:
    """Group results by what a table may hold together.

    Args:
        results: In any order.
        is_cross: Whether those of benchmarks never seen in training are wanted, or the others.
    """
    groups: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda result: result.group):
        if result.is_cross == is_cross:
            groups.setdefault(result.group, []).append(result)
    return groups


def by_split(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Group the results of one method by split; several of one split have other seeds.

    Args:
        results: Of one method in one group.
    """
    groups: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda result: result.order):
        groups.setdefault(result.split, []).append(result)
    return groups


def by_kind(results: Sequence[Result], kind: Kind) -> dict[str, list[Result]]:
    """Cut results into those of each distortion or level; images without one are left out.

    Args:
        results: Of one group.
        kind: By what.
    """
    parts: dict[str, list[Result]] = {}
    for result in results:
        for value, table in result.table.groupby(kind, sort=True):
            if value not in ("", -1):
                own = replace(result, table=table.reset_index(drop=True))
                parts.setdefault(str(value), []).append(own)
    return dict(sorted(parts.items()))
