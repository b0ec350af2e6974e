"""Places that cannot be written to or read: the message names the folder at fault, and what failed."""

import errno
from pathlib import Path

import numpy as np
import pytest

from sdsiqa.benchmarks.tree import find_root
from sdsiqa.data.cache import DecodedCache, Planes
from sdsiqa.errors import StorageError
from sdsiqa.training.explain_errors import explain


def planes(name: str) -> Planes:
    return np.full((64, 64, 3), len(name), np.uint8), None


def test_a_full_disk_is_told_with_the_folder_of_the_cache(tmp_path: Path) -> None:
    cache = DecodedCache(tmp_path / "cache", "demo")
    cache.path.parent.mkdir()
    cache.path.with_suffix(".part").symlink_to("/dev/full")
    with pytest.raises(
        StorageError, match=rf"the cache {tmp_path / 'cache'} could not be written \(No space left on device\); set"
    ):
        cache.fill(["a.png", "b.png"], planes)


def test_a_complete_cache_is_read_without_writing_beside_it(tmp_path: Path) -> None:
    DecodedCache(tmp_path, "demo").fill(["a.png"], planes)
    (tmp_path / "demo.lock").unlink(missing_ok=True)
    cache = DecodedCache(tmp_path, "demo")
    cache.fill(["a.png"], planes)
    assert cache["a.png"][0].shape == (64, 64, 3)
    assert {file.name for file in tmp_path.iterdir()} == {"demo.bin", "demo.json"}


def test_what_cannot_be_read_is_not_told_as_unwritten() -> None:
    said = str(explain(OSError(errno.EIO, "Input/output error", "/data/a.png")))
    assert said.startswith("/data/a.png could not be read (Input/output error)")
    said = str(explain(OSError(errno.ENOSPC, "No space left on device", "/runs/metrics.csv")))
    assert said.startswith("/runs/metrics.csv could not be written (No space left on device); make room")


def test_a_folder_of_the_system_beside_the_benchmark_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "labels.csv").touch()
    is_file = Path.is_file

    def closed(self: Path) -> bool:  # as for any user but root
        if "lost+found" in self.parts:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return is_file(self)

    monkeypatch.setattr(Path, "is_file", closed)
    assert find_root(tmp_path, ("labels.csv",), "Garden", "look again") == tmp_path / "release"
