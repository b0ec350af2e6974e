"""One process per folder: a lock that ends with its owner, and says who that is."""

import contextlib
import datetime
import fcntl
import json
import os
import platform
import shutil
import time
from pathlib import Path
from typing import Any, ClassVar

from sdsiqa.errors import RunMismatchError

RUN = ".run.lock"
"""Lock of a run's folder, held by the process that writes into it."""

CELL = ".cell.lock"
"""Lock of a cell's folder, held by the grid and by what it started, which has the run's lock itself."""

GLANCE = 0.25
"""Seconds in which another process that only asks for the owner is gone."""


class RunLock:
    """The right of one process to write into a folder.

    It is an advisory lock of the system (`flock`): however its owner ends, by SIGKILL or with its machine, the lock is
    gone, and no stale note has to be judged. The file system has to carry such locks between machines, as NFS and Lustre
    (mounted with `flock`) do. The file of the lock holds the owner's name.

    The lock belongs to an open file. A child process holds it too if it is handed that file (`file`, as in `pass_fds`), so
    that a training whose launcher was killed still has its folder; forked workers of a process do not hold it.

    Args:
        folder: The folder; made when the lock is taken.
        name: Name of the lock's file, `RUN` or `CELL`.
    """

    _held: ClassVar[dict[Path, int]] = {}
    """Locks of this process: their open files."""

    _made: ClassVar[list[Path]] = []
    """Folders that this process has made, the innermost first."""

    def __init__(self, folder: Path, name: str = RUN) -> None:
        self.folder = folder
        self.path = folder.absolute() / name

    @property
    def file(self) -> int:
        """The open file, to hand to a child process.

        Raises:
            RuntimeError: This process does not hold the lock: a fault of the caller.
        """
        if self.path not in self._held:
            raise RuntimeError("the lock is not held")
        return self._held[self.path]

    @property
    def owner(self) -> dict[str, Any] | None:
        """Facts of the owner, such as `host` and `pid`; None if the folder is free."""
        try:
            file = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two processes that ask do not disturb each other
            return None
        except BlockingIOError:
            try:
                return dict(json.loads(os.read(file, 1000)))
            except ValueError:  # its owner is about to write
                return {}
        finally:
            os.close(file)

    def acquire(self, patience: float = 0) -> None:
        """Take the folder, or say who has it; a process that has it already keeps it.

        Args:
            patience: Seconds to wait for an owner that may be on its way out.

        Raises:
            RunMismatchError: Another process has it.
        """
        if self.path not in self._held and not self.try_acquire(patience):
            by = ", ".join(f"{name} {value}" for name, value in (self.owner or {}).items() if value) or "unknown"
            raise RunMismatchError(
                f"{self.folder} is in use by another process ({by}); wait for it, or start this run under another run.name"
            )

    def try_acquire(self, patience: float = 0) -> bool:
        """Take the folder unless it is taken, be it by this process; say whether that was possible.

        Args:
            patience: As for `acquire`.
        """
        if self.path in self._held:
            return False
        self._made.extend(place for place in (self.folder, *self.folder.parents) if not place.exists())
        self.folder.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + max(patience, GLANCE)
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                os.close(file)
                return False
            time.sleep(0.05)
        since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        facts = {"host": platform.node(), "pid": os.getpid(), "job": os.environ.get("SLURM_JOB_ID"), "since": since}
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(facts).encode(), 0)
        self._held[self.path] = file
        return True

    def release(self) -> None:
        """Let other processes in; nothing happens if this one does not hold the lock."""
        file = self._held.pop(self.path, None)
        if file is not None:
            fcntl.flock(file, fcntl.LOCK_UN)  # also for children that linger
            os.close(file)

    @classmethod
    def discard_unused(cls, keep_started: bool) -> None:
        """Remove folders that this process has made and that hold no result: what a wrong setting leaves behind.

        Args:
            keep_started: Keep those of runs that have begun, too; their logs may say why they failed.
        """
        for place in cls._made:
            if (place / RUN).exists() and not any(place.glob("checkpoints/*.ckpt")):
                if not (keep_started and (place / "run.json").exists()):
                    shutil.rmtree(place, ignore_errors=True)
            elif place.is_dir() and not any(place.iterdir()):
                place.rmdir()
        cls._made.clear()

    @classmethod
    def release_all(cls) -> None:
        """Let other processes into every folder of this one."""
        cls._made.clear()
        while cls._held:
            _, file = cls._held.popitem()
            fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)

    @classmethod
    def _forget(cls) -> None:
        """Close the files in a forked child, which leaves the locks to their owner."""
        while cls._held:
            os.close(cls._held.popitem()[1])


os.register_at_fork(after_in_child=RunLock._forget)


def patience() -> float:
    """Seconds to wait for a folder: a job that was put back into the queue may start before its first life has ended."""
    again = any(os.environ.get(name, "0") != "0" for name in ("SLURM_RESTART_COUNT", "TORCHELASTIC_RESTART_COUNT"))
    return 60.0 if again else 0.0
