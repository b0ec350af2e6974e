"""A first stage of training: a finished run whose weights another run starts from (`model.init_from`)."""

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sdsiqa.errors import CheckpointError, RunMismatchError, SplitLeakError
from sdsiqa.files import user_path
from sdsiqa.runs.class_paths import benchmark_name
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.lock import RUN
from sdsiqa.runs.records import read_config

NOTHING = Path("nothing")
"""Value of `model.init_from` that trains a method of two stages without its first one."""

_IDENTITY = ("hash", "data_version", "split_hash", "code_version")


@dataclasses.dataclass(frozen=True)
class FirstStage:
    """What decides the weights of a first stage, and what they have seen.

    Args:
        benchmark: Name of the benchmark that it learned from.
        hash: Fingerprint of its configuration.
        data_version: Version of that benchmark's labels.
        split_hash: Hash of its split.
        code_version: Version of the code that trained it.
        run: Name of its folder.
        checkpoint: Which of its checkpoints is read: `best` or the stem of a file.
        wall_hours: Hours of wall time that it took.
        file: That checkpoint; `None` for a run that is planned, or known from a record alone.
        stage_one: The record of its own first stage, if it has one.
    """

    benchmark: str
    hash: str
    data_version: str
    split_hash: str
    code_version: str
    run: str = ""
    checkpoint: str = "best"
    wall_hours: float | None = None
    file: Path | None = None
    stage_one: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, place: Path) -> "FirstStage":
        """Read a finished run.

        Args:
            place: Its folder, or a checkpoint in its `checkpoints/`.

        Raises:
            CheckpointError: There is no such run or checkpoint, or the run is not finished.
        """
        place = user_path(place)
        folder = RunFolder(place.parent.parent if place.is_file() else place)
        record, config = folder.record, folder.path / "config.yaml"
        if not place.exists():
            raise CheckpointError(
                f"model.init_from is {place}, and there is no such run; name a folder that `sdsiqa fit` made, or a checkpoint in "
                "it"
            )
        if not record:
            if (folder.path / RUN).exists():
                raise CheckpointError(
                    f"model.init_from: the first stage {folder.path} was stopped before its first step; start it again with the "
                    "same command, then this run"
                )
            what = "a checkpoint outside of a run's folder" if place.is_file() else "no run's folder: it has no run.json"
            raise CheckpointError(
                f"model.init_from is {place}, {what}, so nothing says which images its weights have seen; name the folder of a "
                "first stage that `sdsiqa fit` trained"
            )
        if not folder.finished:
            raise CheckpointError(
                f"model.init_from: the first stage {folder.path} is not finished; finish it with `sdsiqa fit -c "
                f"{shlex.quote(str(config))}`, then start this run"
            )
        file = place if place.is_file() else folder.best
        if file is None:
            raise CheckpointError(f"model.init_from: {folder.path} holds no checkpoints/*.ckpt; train it again")
        return cls(
            benchmark=_benchmark_of(folder.path),
            **{name: str(record.get(name, "")) for name in _IDENTITY},
            run=folder.path.name,
            checkpoint=file.stem if place.is_file() else "best",
            wall_hours=(record.get("cost") or {}).get("wall_hours"),
            file=file,
            stage_one=record.get("stage_one"),
        )

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "FirstStage":
        """Read what a run that started from it has recorded.

        Args:
            record: `stage_one` of its `run.json`.
        """
        return cls(**{field.name: record[field.name] for field in dataclasses.fields(cls) if field.name in record})

    @property
    def identity(self) -> dict[str, str]:
        """What decides its weights: part of the identity of every run that starts from it. Its place is not."""
        return {name: str(getattr(self, name)) for name in (*_IDENTITY, "checkpoint")}

    @property
    def record(self) -> dict[str, Any]:
        """What the `run.json` of a run that starts from it says of it."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "file"}
        return {name: value for name, value in values.items() if value is not None}

    def refuse_leak(self, data: Mapping[str, Any], data_version: str, split_hash: str) -> None:
        """Refuse a first stage that may have trained on images that a run tests.

        Args:
            data: The run's data section, as plain values.
            data_version: Version of its benchmark's labels.
            split_hash: Hash of its split.

        Raises:
            SplitLeakError: It trained on the same benchmark, and not on the same version and split.
        """
        shares = self.benchmark == benchmark_name(data) or self.data_version == data_version
        if shares and data.get("test_on") == "all":
            raise SplitLeakError(
                f"the first stage {self.run} trained on {self.benchmark}, all of which this run tests; set data.test_on to test"
            )
        seen = {"data_version": (self.data_version, data_version), "split_hash": (self.split_hash, split_hash)}
        other = next((f"{name} {ours} and not {its}" for name, (its, ours) in seen.items() if its != ours), None)
        if shares and other is not None:
            raise SplitLeakError(
                f"the first stage {self.run} trained on {self.benchmark}, parts of which this run tests: this run has the "
                f"{other}; train a first stage on the same data.split, or on another benchmark"
            )
        if self.stage_one and "hash" in self.stage_one:
            FirstStage.from_record(self.stage_one).refuse_leak(data, data_version, split_hash)


def _benchmark_of(folder: Path) -> str:
    try:
        return benchmark_name(read_config(folder)["data"])
    except RunMismatchError as error:
        raise CheckpointError(f"model.init_from: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"model.init_from: {folder / 'config.yaml'} names no benchmark (data.benchmark.class_path), so nothing says which "
            "images the first stage has seen; put the file back, or train the first stage again"
        ) from error
