"""Signals that ask a run to stop: taken note of at once, obeyed between two steps.

| signal | who sends it | exit status | who starts the run again |
| --- | --- | --- | --- |
| SIGUSR1 | SLURM, before the time limit | 75 | the job script, with `scontrol requeue` |
| SIGTERM | preemption, `scontrol requeue`, `scancel`, Kubernetes, a person | 143 | whoever sent it, if he wants |

A job that somebody cancels must not come back, so only the one signal means "put me back into the queue".
"""

import signal
import threading
from types import FrameType
from typing import Any

REQUEUE = 75
"""Exit status of a run that was saved and wants to go on: `EX_TEMPFAIL` of sysexits.h."""

STATUS = {signal.SIGUSR1: REQUEUE, signal.SIGTERM: 128 + signal.SIGTERM}
"""Exit status by signal."""

_received: set[int] = set()
_before: dict[signal.Signals, Any] = {}


def listen() -> None:
    """Take note of stop signals instead of dying of them, as often as wanted; other threads than the main one cannot."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in STATUS:
        handler = signal.signal(number, _take_note)
        if handler is not _take_note:
            _before.setdefault(number, handler)


def received() -> list[signal.Signals]:
    """Signals that have come so far, in the order of `STATUS`."""
    return [number for number in STATUS if number in _received]


def stop_listening() -> None:
    """Put back what was there before, and forget what has come."""
    while _before:
        number, handler = _before.popitem()
        signal.signal(number, handler)
    _received.clear()


def note(number: int) -> None:
    """Remember that a signal has come, for those who have a handler of their own."""
    _received.add(number)


def _take_note(number: int, frame: FrameType | None) -> None:
    note(number)
