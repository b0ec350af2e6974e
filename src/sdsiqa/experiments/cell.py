"""The cells of an experiment: settings, folder and state of each.

With `sdsiqa.experiments.plan.plan`, which lists them, and `sdsiqa.experiments.runner.run_cell`, which runs one, this is all
that running an experiment needs, here or on a cluster.
"""

import dataclasses
import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sdsiqa.experiments.definition import Variant, benchmark_of_test
from sdsiqa.files import leaves, write_bytes
from sdsiqa.runs.class_paths import benchmark_name
from sdsiqa.runs.fingerprint import decisive
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.lock import CELL, RunLock
from sdsiqa.runs.records import read_config, read_record

FACTS = ("hash", "split_hash", "data_version", "code_version")
"""Facts that decide the result of a cell: configuration, split, annotation, code."""

QUIET = ("--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false")
"""Options of a run whose output goes to a file."""


class State(enum.StrEnum):
    """The state of a cell."""

    NEW = "new"
    INTERRUPTED = "interrupted"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STALE = "stale"
    BLOCKED = "blocked"


@dataclasses.dataclass(frozen=True)
class Cell:
    """One run of an experiment.

    Args:
        variant: What it is.
        folder: Where it lies.
        facts: The values of `FACTS`.
        config: The resolved configuration as plain values.
        argv: Words for `sdsiqa fit`, complete.
        tests: Data file of another benchmark by name, all of whose images are scored after training.
        blocked: Why it cannot be run, such as a benchmark that is not here; empty if it can.
        first: The first stage that it starts from, which runs before it.
    """

    variant: Variant
    folder: Path
    facts: Mapping[str, str]
    config: Mapping[str, Any]
    argv: tuple[str, ...]
    tests: Mapping[str, Path]
    blocked: str = ""
    first: "Cell | None" = None

    @property
    def name(self) -> str:
        """Its name, without what decides the result."""
        return self.variant.name

    @property
    def benchmark(self) -> str:
        """Name of the benchmark, as score tables have it; the experiment's own name of it where nothing is known."""
        data = self.config.get("data") or {}
        return benchmark_name(data) if data.get("benchmark") else self.variant.benchmark.lower()

    @property
    def log(self) -> Path:
        """Output of its processes."""
        return self.folder / "log.txt"

    @property
    def failure(self) -> dict[str, Any]:
        """The last failure: `step`, `status`, `when`, `said`; empty if there was none."""
        return read_record(self.folder / "failed.json")

    @property
    def steps(self) -> list[str]:
        """Steps that are left: `fit`, then names of tests."""
        fit = [] if RunFolder(self.folder).finished else ["fit"]
        return fit + [name for name in self.tests if not (self.folder / "tests" / f"{name}.json").exists()]

    @property
    def state(self) -> State:
        """Its state, read from its folder."""
        if self.blocked:
            return State.BLOCKED
        if self.stale:
            return State.STALE
        if not self.steps:
            return State.DONE
        if RunLock(self.folder, CELL).owner is not None:
            return State.RUNNING
        if self.failure:
            return State.FAILED
        return State.INTERRUPTED if (self.folder / "config.yaml").exists() else State.NEW

    @property
    def stale(self) -> list[Path]:
        """Folders of the same name that were made from something else; one in which nothing was learnt yet is none."""
        others = self.folder.parent.glob(f"{self.name}-{'[0-9a-f]' * 8}")
        return sorted(path for path in others if path != self.folder and any(path.glob("checkpoints/*.ckpt")))

    def difference(self, other: Path) -> list[str]:
        """Say what differs between a folder and this cell, a line each.

        Args:
            other: A folder of `stale`.
        """
        record = RunFolder(other).record
        lines = [f"{name}: {record.get(name)} → {self.facts[name]}" for name in FACTS if record.get(name) != self.facts[name]]
        theirs = dict(leaves(decisive(read_config(other))))
        ours = dict(leaves(decisive(self.config)))
        for key in sorted(theirs.keys() | ours.keys()):
            before, after = theirs.get(key, "absent"), ours.get(key, "absent")
            if before != after:
                lines.append(f"{key}: {before} → {after}")
        return lines

    def words(self, step: str) -> list[str]:
        """Give the words after `sdsiqa` of one step; a test needs the folder of a finished training.

        Args:
            step: `fit`, or the name of a test.
        """
        if step == "fit":
            return ["fit", *self.argv]
        return ["test", "-c", str(self.folder / "config.yaml"), "-c", str(self._overlay(step)), *QUIET]

    def _overlay(self, test: str) -> Path:
        """Write what exchanges the benchmark and nothing else: view and saliency are those that the network learnt with."""
        benchmark = benchmark_of_test(test, self.tests[test])
        # an argument that is not named would keep the value that the other benchmark has
        benchmark["init_args"] = {"short_side": None, **benchmark["init_args"]}
        data = {"benchmark": benchmark, "split": 0, "split_folder": None, "test_on": "all"}
        file = self.folder / "tests" / f"{test}.yaml"
        write_bytes(file, yaml.safe_dump({"data": data}, sort_keys=False).encode())
        return file
