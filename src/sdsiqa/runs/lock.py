"""One process per folder: a lock that dies with its holder, and a note that says who that is."""

import datetime
import json
import os
import platform
import shutil
from pathlib import Path
from typing import ClassVar

from filelock import FileLock, Timeout

from sdsiqa.errors import RunMismatchError
from sdsiqa.files import write_bytes


class Claim:
    """The right of one process to write into a folder.

    It is an advisory lock of the system (`flock`): however its holder ends, by SIGKILL or with its machine, the lock is
    gone, and nobody has to judge whether a note is stale. The file system has to carry such locks between machines, as
    NFS and Lustre (mounted with `flock`) do.

    Args:
        folder: The folder; made if it is not there.
    """

    _held: ClassVar[set[FileLock]] = set()
    """A lock that nobody refers to is given back; this refers to those that are held."""

    _made: ClassVar[list[Path]] = []
    """Folders that this process has made, the innermost first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.note = folder / ".owner.json"
        self._lock = FileLock(folder / ".lock", is_singleton=True)

    def take(self, patience: float = 0) -> None:
        """Take the folder, or say who has it.

        Args:
            patience: Seconds to wait for a holder that may be on its way out.

        Raises:
            RunMismatchError: Another process has it.
        """
        self._made.extend(place for place in (self.folder, *self.folder.parents) if not place.exists())
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=patience)
        except Timeout as error:
            who = dict(json.loads(self.note.read_text())) if self.note.exists() else {}
            by = ", ".join(f"{name} {value}" for name, value in who.items() if value) or "unknown"
            raise RunMismatchError(
                f"{self.folder} is in use by another process ({by}); wait for it, or start this run under another run.name"
            ) from error
        self._held.add(self._lock)
        since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        facts = {"host": platform.node(), "pid": os.getpid(), "job": os.environ.get("SLURM_JOB_ID"), "since": since}
        write_bytes(self.note, json.dumps(facts).encode())

    def give_back(self) -> None:
        """Let other processes in."""
        self._held.discard(self._lock)
        self._lock.release(force=True)

    @classmethod
    def discard_unused(cls, keep_started: bool) -> None:
        """Remove folders that this process has made and that hold no result: what a wrong setting leaves behind.

        Args:
            keep_started: Keep those of runs that have begun, too; their logs may say why they failed.
        """
        for place in cls._made:
            if (place / ".lock").exists() and not any(place.glob("checkpoints/*.ckpt")):
                if not (keep_started and (place / "run.json").exists()):
                    shutil.rmtree(place, ignore_errors=True)
            elif place.is_dir() and not any(place.iterdir()):
                place.rmdir()
        cls._made.clear()

    @classmethod
    def give_all_back(cls) -> None:
        """Let other processes into every folder of this one."""
        cls._made.clear()
        while cls._held:
            cls._held.pop().release(force=True)


def patience() -> float:
    """Seconds to wait for a folder: a job that was put back into the queue may start before its first life has ended."""
    again = any(os.environ.get(name, "0") != "0" for name in ("SLURM_RESTART_COUNT", "TORCHELASTIC_RESTART_COUNT"))
    return 60.0 if again else 0.0
