"""A run and its folder: settings, path, files, state.

The name of the folder comes from the configuration alone, so every rank and every requeued job finds the same
folder.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sdsiqa.errors import RunMismatchError
from sdsiqa.files import to_json, user_path
from sdsiqa.runs.lock import RunLock
from sdsiqa.runs.manifest import Manifest
from sdsiqa.runs.ranges import check_counts
from sdsiqa.runs.records import read_record

START = -1
"""Epoch of the weights before the first step, in `metrics.csv` and `run.json`."""

LONGEST_NAME = 200
"""Bytes of a run's name; a file system takes 255, and a hash and the names of temporary files are added."""


@dataclasses.dataclass
class RunSettings:
    """The folder of a run and its name on dashboards.

    Args:
        name: First part of the folder's name; `None`: BENCHMARK-SPLIT-SEED, with the method after the benchmark where it is not
            sdsiqa.
        root: Folder of all runs.
        folder: This very folder, as a saved configuration says it; `None` makes `root/name-hash`.
        group: Runs that belong together on a dashboard, such as the cells of one experiment.
        job_type: Kind of run on a dashboard.
        tags: Words to filter by on a dashboard.
        method: What tables call the method; `None`: its network's class, in small letters.
        ablation: What tables call the variant of the method; `full` leaves nothing out.
        remark: What a reader of tables must know of it, such as that it learnt for too short a time.
        tuned_on: What its settings were chosen on, as benchmark and splits, such as `livec-9` or `livec-0,1`; tables say so.
        under_trained: Whether it learns for too short a time to be ranked: tables say so beside its name, and never call it best.
        checkpoint_every: Steps between checkpoints within an epoch, which is what a killed run repeats at most; 0 keeps
            those of epochs' ends alone.
        test: Whether the test part is read at the end; a first stage leaves it alone.
        figures: Whether a test draws its scatter plot and what the network looked at, which takes some seconds.

    Raises:
        ValueError: `name` is no name of a folder, or `checkpoint_every` is out of range.
    """

    name: str | None = None
    root: Path = Path("runs")
    folder: Path | None = None
    group: str | None = None
    job_type: str = "train"
    tags: list[str] = dataclasses.field(default_factory=list)
    method: str | None = None
    ablation: str = "full"
    remark: str = ""
    tuned_on: str = ""
    under_trained: bool = False
    checkpoint_every: int = 500
    test: bool = True
    figures: bool = True

    def __post_init__(self) -> None:
        check_counts(0, checkpoint_every=self.checkpoint_every)
        if self.name is not None:
            check_name(self.name)


def check_name(name: str) -> None:
    """Refuse what cannot be a part of a path: the name of a run is the beginning of its folder's.

    Args:
        name: The name.

    Raises:
        ValueError: It is empty or too long, or holds a slash or what cannot be printed.
    """
    shown = repr(name) if len(name) <= 60 else f"{name[:40]!r} … ({len(name)} characters)"
    if not name.strip() or name.strip(".") == "" or "/" in name or not name.isprintable():
        raise ValueError(f"name is {shown}; expected the name of a folder, without slashes and control characters")
    if len(name.encode()) > LONGEST_NAME:
        raise ValueError(f"name is {shown}; expected {LONGEST_NAME} bytes at most, because a folder is called so")


_KINDS: Final = {
    str: (
        "id",
        "hash",
        "data_version",
        "split_hash",
        "code_version",
        "state",
        "chosen_by",
        "method",
        "ablation",
        "started",
        "request",
    ),
    dict: ("cost", "best", "stage_one", "git", "versions"),
}
"""Facts of `run.json` that are read again, by their type."""
_TOLD: Final = {str: "a text", dict: "keys and values"}


class RunFolder:
    """The folder of one run.

    ```text
    config.yaml               everything, resolved: `sdsiqa fit -c <folder>/config.yaml` repeats the run
    run.json                  id, hashes, versions, machine, times, state
    split.json                which images trained, chose and tested
    checkpoints/              best.ckpt last.ckpt
    metrics.csv metrics.json  learning curve · final metrics in full precision, by benchmark and part
    tests.json                settings and weights behind each score table
    scores/<benchmark>-<part>.csv
    figures/*.png  wandb/
    manifest.json             checksums of all these, for `sdsiqa verify`
    ```

    Args:
        path: Where it lies.
    """

    def __init__(self, path: Path) -> None:
        self.path = path = user_path(path)
        self.manifest = Manifest(path)
        self.lock = RunLock(path)

    @property
    def record(self) -> dict[str, Any]:
        """Content of `run.json`; empty for a new folder.

        Raises:
            RunMismatchError: The file is damaged.
        """
        file = self.path / "run.json"
        content = read_record(file)
        for kind, names in _KINDS.items():
            for name in names:
                if content.get(name) is not None and not isinstance(content[name], kind):
                    told = f"{file}: {name} is {str(content[name])[:60]!r}; expected {_TOLD[kind]}"
                    raise RunMismatchError(f"{told}; put the file back, or remove the folder")
        for name, value in (content.get("cost") or {}).items():
            if name.endswith("_hours") and value is not None and not (type(value) in (int, float) and 0 <= value < float("inf")):
                told = f"{file}: cost.{name} is {str(value)[:60]!r}; expected a number, not negative"
                raise RunMismatchError(f"{told}; put the file back, or remove the folder")
        return content

    @property
    def finished(self) -> bool:
        """Whether the run is finished."""
        return self.record.get("state") == "finished"

    @property
    def last(self) -> Path | None:
        """Checkpoint to resume from."""
        file = self.path / "checkpoints" / "last.ckpt"
        return file if file.exists() else None

    @property
    def best(self) -> Path | None:
        """Checkpoint that validation chose; the last one where nothing was chosen."""
        file = self.path / "checkpoints" / "best.ckpt"
        return file if file.exists() else self.last

    def summary(self) -> str:
        """Summarise metrics and files of the run as text."""
        metrics = read_record(self.path / "metrics.json")
        lines = [_told(key, values) for key, values in metrics.items() if isinstance(values, dict)]
        files = [*self.path.glob("figures/*.png"), *self.path.glob("scores/*.csv"), *([self.best] if self.best else [])]
        return "\n".join([*lines, *(f"  {file}" for file in sorted(map(str, files))), *self._no_gain()])

    def _no_gain(self) -> list[str]:
        """Say that training brought nothing, if so."""
        best = self.record.get("best") or {}
        if best.get("epoch") != START:
            return []
        name, value = next((name, value) for name, value in best.items() if name not in ("epoch", "step"))
        return [f"no epoch reached the {name} of {value:.4f} before the first step: the weights of the start were tested"]

    def list_as_made(self) -> None:
        """Append the folder's path to the file that SDSIQA_RUN_LIST names, so that a script knows which runs it made."""
        if os.environ.get("SDSIQA_RUN_LIST"):
            with Path(os.environ["SDSIQA_RUN_LIST"]).open("a", encoding="utf-8") as file:
                file.write(f"{self.path}\n")

    def write(self, name: str, data: bytes) -> None:
        """Write a file, atomically and with its checksum.

        Args:
            name: Path below the folder.
            data: Its content.
        """
        self.manifest.write(self.path / name, data)

    def check(self, facts: Mapping[str, str]) -> None:
        """Refuse to mix runs.

        Args:
            facts: What this process is about to use: `hash`, `data_version`, `split_hash`.

        Raises:
            RunMismatchError: The folder was made from something else; says from what.
        """
        record = self.record
        for name, value in facts.items():
            if name in record and record[name] != value:
                raise RunMismatchError(
                    f"{self.path} holds a run whose {name} is {record[name]!r}, and this one's is {value!r}; choose another "
                    "run.name, or remove the folder"
                )

    def update(self, **facts: Any) -> None:
        """Write facts into `run.json`, keeping what is there.

        Args:
            facts: JSON values by name.
        """
        with self.manifest.lock:
            self.write("run.json", to_json({**self.record, **facts}))

    def add_metrics(self, key: str, values: Mapping[str, Any]) -> None:
        """Write final metrics into `metrics.json`, keeping those of other parts.

        Args:
            key: Benchmark and part, such as `livec-test`.
            values: Metrics by name.
        """
        file = self.path / "metrics.json"
        with self.manifest.lock:
            self.write(file.name, to_json({**read_record(file), key: dict(values)}))


def _told(key: str, values: Mapping[str, Any]) -> str:
    """Write the metrics of a part in one line; those that are undefined with the reason."""
    told = [f"{name.upper()} {value:.4f}" for name, value in values.items() if isinstance(value, float)]
    if isinstance(values.get("rmse"), float) and "of" in values:
        told.append(f"(RMSE: of {values['of']})")
    undefined = [name.upper() for name, value in values.items() if value is None]
    if undefined:
        told.append(f"no {', '.join(undefined)}: {values.get('why', 'undefined for these scores')}")
    return f"{key}: " + "  ".join(told)
