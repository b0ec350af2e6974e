"""A run and its folder: what it is, where it lives, whether it is finished.

The name of the folder comes from the configuration alone, so every rank, every requeued job and every impatient person
finds the same place.
"""

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sdsiqa.claim import Claim
from sdsiqa.errors import RunMismatchError
from sdsiqa.images import write_bytes
from sdsiqa.manifest import Manifest

# neither of these decides a number: where files lie, how much is shown, how work is spread
_UNDECISIVE_SECTIONS = frozenset({"config", "run", "wandb", "ckpt_path", "weights_only"})
_UNDECISIVE_DATA = frozenset({"num_workers", "cache", "maps"})
_UNDECISIVE_TRAINER = frozenset(
    {
        "accelerator", "strategy", "devices", "num_nodes", "logger", "callbacks", "default_root_dir", "profiler",
        "enable_progress_bar", "enable_model_summary", "enable_checkpointing", "log_every_n_steps", "num_sanity_val_steps",
    }
)  # fmt: skip


@dataclasses.dataclass
class RunSettings:
    """Where a run lives and what dashboards call it.

    Args:
        name: First part of the folder's name.
        root: Folder of all runs.
        folder: This very folder, as a saved configuration says it; none makes `root/name-hash`.
        group: Runs that belong together on a dashboard, such as the cells of one experiment.
        job_type: Kind of run on a dashboard.
        tags: Words to filter by on a dashboard.
        method: What tables call the method.
        ablation: What tables call the variant of the method; `full` leaves nothing out.
        checkpoint_every: Steps between checkpoints within an epoch, which is what a killed run repeats at most; 0 keeps
            those of epochs' ends alone.
    """

    name: str = "run"
    root: Path = Path("runs")
    folder: Path | None = None
    group: str | None = None
    job_type: str = "train"
    tags: list[str] = dataclasses.field(default_factory=list)
    method: str = "sdsiqa"
    ablation: str = "full"
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        if self.checkpoint_every < 0:
            raise RunMismatchError(f"run.checkpoint_every is {self.checkpoint_every}; give a number of steps, or 0")


def decisive(config: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what decides the result of a run.

    Args:
        config: The resolved configuration as plain values.

    Returns:
        What is left without places, display and the spread of work.
    """
    kept = {name: value for name, value in config.items() if name not in _UNDECISIVE_SECTIONS}
    kept["data"] = {name: value for name, value in dict(config.get("data") or {}).items() if name not in _UNDECISIVE_DATA}
    # a benchmark's labels are hashed, wherever it lies; stored maps are not, so their folder counts
    kept["data"]["benchmark"] = _without(kept["data"].get("benchmark"), "root")
    kept["trainer"] = {
        name: value for name, value in dict(config.get("trainer") or {}).items() if name not in _UNDECISIVE_TRAINER
    }
    kept["model"] = _without(config.get("model"), "folder")  # of features that ridge_start could compute again
    # averaging weights is a callback, and it decides; so may any other that a configuration adds
    kept["callbacks"] = dict(config.get("trainer") or {}).get("callbacks") or []
    return kept


def fingerprint(config: Mapping[str, Any]) -> str:
    """Hash what decides the result of a run.

    Args:
        config: The resolved configuration as plain values.

    Returns:
        Eight hexadecimal digits.
    """
    return hash_of(decisive(config))[:8]


class RunFolder:
    """The folder of one run.

    ```text
    config.yaml               everything, resolved: `sdsiqa fit -c <folder>/config.yaml` repeats the run
    run.json                  id, hashes, versions, machine, times, state
    split.json                which images trained, chose and tested
    checkpoints/              best.ckpt last.ckpt
    metrics.csv metrics.json  the course · the final figures in full precision, by benchmark and part
    scores/<benchmark>-<part>.csv
    figures/*.png  wandb/
    manifest.json             checksums of all these, for `sdsiqa verify`
    ```

    Args:
        path: Where it lies.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = Manifest(path)
        self.claim = Claim(path)

    @property
    def record(self) -> dict[str, Any]:
        """Content of `run.json`; empty for a new folder."""
        file = self.path / "run.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return self.record.get("state") == "finished"

    @property
    def last(self) -> Path | None:
        """Checkpoint to go on from."""
        file = self.path / "checkpoints" / "last.ckpt"
        return file if file.exists() else None

    @property
    def best(self) -> Path | None:
        """Checkpoint that validation chose; the last one where nothing was chosen."""
        file = self.path / "checkpoints" / "best.ckpt"
        return file if file.exists() else self.last

    def summary(self) -> str:
        """Say for a person what came out, and where everything lies."""
        file = self.path / "metrics.json"
        metrics = json.loads(file.read_text()) if file.exists() else {}
        lines = [
            f"{key}: " + "  ".join(f"{name.upper()} {value:.4f}" for name, value in values.items() if isinstance(value, float))
            for key, values in metrics.items()
        ]
        files = [*self.path.glob("figures/*.png"), *self.path.glob("scores/*.csv"), *([self.best] if self.best else [])]
        return "\n".join([*lines, *(f"  {file}" for file in sorted(map(str, files)))])

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
        """Write final figures into `metrics.json`, keeping those of other parts.

        Args:
            key: Benchmark and part, such as `livec-test`.
            values: Figures by name.
        """
        file = self.path / "metrics.json"
        with self.manifest.lock:
            known = json.loads(file.read_text()) if file.exists() else {}
            self.write(file.name, to_json({**known, key: dict(values)}))


def now() -> str:
    """Give the time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON that a person can read, atomically.

    Args:
        path: Where.
        content: What; NaN becomes null, which every reader of JSON understands.
    """
    write_bytes(path, to_json(content))


def to_json(content: Mapping[str, Any]) -> bytes:
    """Give JSON as `write_json` writes it.

    Args:
        content: What.
    """
    return (json.dumps(_plain(content), indent=2, ensure_ascii=False) + "\n").encode()


def hash_of(content: Mapping[str, Any]) -> str:
    """Hash plain values, whatever their order; 64 hexadecimal digits.

    Args:
        content: Values by name.
    """
    return hashlib.sha256(json.dumps(_plain(content), sort_keys=True, default=str).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value != value:
        return None
    return str(value) if isinstance(value, Path) else value


def _without(value: Any, name: str) -> Any:
    """Drop an argument wherever it stands in a nested configuration."""
    if not isinstance(value, Mapping):
        return value
    return {key: _without(item, name) for key, item in value.items() if key != name}
