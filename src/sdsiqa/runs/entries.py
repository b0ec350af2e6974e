"""The tests of a run: the first one of a part stands, and another one is an entry of its own name."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdsiqa.errors import RunMismatchError
from sdsiqa.files import leaves, plain_values, to_json
from sdsiqa.runs.fingerprint import hash_of
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.records import read_record
from sdsiqa.runs.scores import read_scores

NAME = "tests.json"


@dataclasses.dataclass(frozen=True)
class Entry:
    """What a run keeps of one test.

    Args:
        name: Benchmark and part; with `.` and a hash of its settings where it is not the first test of that part.
        differs: What differs from the first test, a line each; empty for the first.
        score: Scores of the same test before, in order of images, `(n,)`; `None` where there was none.
    """

    name: str
    differs: tuple[str, ...] = ()
    score: NDArray[np.float64] | None = None


class Entries:
    """`tests.json` of a run folder: settings and weights of each score table, by its name.

    Args:
        folder: The run's.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder, self.path = folder, folder.path / NAME

    def read(self) -> dict[str, Any]:
        """Give what is known of each table, by its name.

        Raises:
            RunMismatchError: The file is damaged.
        """
        found = read_record(self.path)
        for name, entry in found.items():
            if not isinstance(entry, dict) or not all(isinstance(line, str) for line in _lines(entry.get("differs"))):
                raise RunMismatchError(
                    f"{self.path}: {name} is {str(entry)[:60]!r}; expected identity, differs (a list of texts) and settings; put "
                    "the file back, or remove the folder"
                )
        return found

    def enter(self, key: str, settings: Mapping[str, Any]) -> Entry:
        """Find the place of a test: its own from before, or a new one.

        Args:
            key: Benchmark and part.
            settings: What decides its scores, the hash of the weights among them; plain values.
        """
        identity = hash_of(settings)
        name, differs = key, list[str]()
        with self.folder.manifest.lock:
            known = self.read()
            if self._table(key).exists():  # else the process that entered it has written no scores
                first = known.get(key)
                if first is None:
                    name, differs = f"{key}.{identity[:8]}", ["the settings of the first test are not known"]
                elif first["identity"] != identity:
                    name, differs = f"{key}.{identity[:8]}", list(_differences(first["settings"], settings))
            self.folder.write(NAME, to_json({**known, name: {"identity": identity, "differs": differs, "settings": settings}}))
        return Entry(name, tuple(differs), self._before(name))

    def _table(self, name: str) -> Path:
        return self.folder.path / "scores" / f"{name}.csv"

    def _before(self, name: str) -> NDArray[np.float64] | None:
        """Read the scores of the same test before; what was changed since it was written does not count."""
        file = self._table(name)
        if not file.exists() or not self.folder.manifest.is_as_written(file):
            return None
        return read_scores(file, allow_nan=True).sort_values("index")["score"].to_numpy(np.float64)


def _lines(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [None]


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Say what differs, by dotted key."""
    old, new = (dict(leaves(plain_values(settings))) for settings in (before, after))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield f"{key}: {old.get(key)} → {new.get(key)}"
