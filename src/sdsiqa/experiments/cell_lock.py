"""A lock on a cell's folder that outlives whoever took it for as long as a process that it started runs."""

import contextlib
import fcntl
import json
import os
import platform
import time
from pathlib import Path
from typing import Any


class CellLock:
    """Keeps others out of a folder.

    The lock hangs on an open file, which child processes inherit: a training whose launcher was killed still holds it, and a
    dead process never does. (`filelock` closes its file in children, so it could not do this.)

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".cell.lock"
        self._file: int | None = None

    @property
    def file(self) -> int:
        """The open file, to hand to a child process."""
        if self._file is None:
            raise RuntimeError("the lock is not held")
        return self._file

    @property
    def holder(self) -> dict[str, Any] | None:
        """Say who has it: `host` and `pid`; none if nobody has."""
        try:
            file = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who look do not disturb each other
            return None
        except BlockingIOError:
            text = os.read(file, 1000).decode()
            return dict(json.loads(text)) if text else {}
        finally:
            os.close(file)

    def acquire(self) -> bool:
        """Take it; say whether that was possible."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        for _ in range(5):  # somebody who only looks is gone in a moment
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(0.05)
        else:
            os.close(file)
            return False
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps({"host": platform.node(), "pid": os.getpid()}).encode(), 0)
        self._file = file
        return True

    def release(self) -> None:
        """Give it back."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)  # also for children that linger
            os.close(self._file)
            self._file = None
