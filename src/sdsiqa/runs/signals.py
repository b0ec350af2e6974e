"""Signals that ask a process to stop, and what they do in each phase of a run.

| signal | who sends it | exit status | who starts the run again |
| --- | --- | --- | --- |
| SIGUSR1 | SLURM, before the time limit | 75 | the job script, with `scontrol requeue` |
| SIGTERM | preemption, `scontrol requeue`, `scancel`, Kubernetes, a person | 143 | its sender, if wanted |
| SIGINT | Ctrl-C | 130 | the person, with the same command |
| SIGHUP | a terminal that was closed | 129 | the person, with the same command |

A job that was cancelled must not come back, so only SIGUSR1 means "put me back into the queue".

| phase | what a signal does |
| --- | --- |
| imports | ends the process: nothing is begun |
| before the first step, and in an evaluation | raises `Interrupted`: there is nothing to save, and no file is half written |
| from the first step to the last | is noted; the run is saved after the step and ends (`sdsiqa.training.resume`) |

A second Ctrl-C ends the process at once, whatever it does.
"""

import contextlib
import enum
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

from sdsiqa.errors import StoppedError, causes

REQUEUE = 75
"""Exit status of a run that was saved and wants to resume: `EX_TEMPFAIL` of sysexits.h."""

STATUS = {
    signal.SIGUSR1: REQUEUE,
    signal.SIGTERM: 128 + signal.SIGTERM,
    signal.SIGINT: 128 + signal.SIGINT,
    signal.SIGHUP: 128 + signal.SIGHUP,
}
"""Exit status by signal."""

_ONE_PRESS = 0.3  # seconds in which a launcher may pass on the Ctrl-C that the terminal has sent already


class Answer(enum.Enum):
    """Effects of a signal."""

    END = enum.auto()
    RAISE = enum.auto()
    NOTE = enum.auto()


class Interrupted(BaseException):
    """A signal came where nothing has to be saved; no `except Exception` on the way holds it up."""


_received: dict[int, float] = {}
_before: dict[signal.Signals, Any] = {}
_answer = Answer.NOTE
_verb, _message, _process = "", "", 0


def heeded() -> list[signal.Signals]:
    """Signals that are listened to: not those that the process was started to ignore, as `nohup` does with SIGHUP."""
    return [number for number in STATUS if signal.getsignal(number) is not signal.SIG_IGN]


def listen(verb: str = "") -> None:
    """Answer signals from now on; other threads than the main one cannot.

    Args:
        verb: Verb of the command line, for messages.
    """
    global _verb, _process
    if threading.current_thread() is not threading.main_thread():
        return
    _verb, _process = verb or _verb, os.getpid()
    for number in heeded():
        handler = signal.signal(number, _take)
        if handler is not _take:
            _before.setdefault(number, handler)


def answer(how: Answer, message: str = "") -> None:
    """Choose what a signal does from now on.

    Args:
        how: That.
        message: What a person reads if one comes; for all answers but `NOTE`.

    Raises:
        Interrupted: A signal was noted before, and the answer is to raise.
    """
    global _answer, _message
    _answer, _message = how, message or _message
    if how is Answer.RAISE and _received and _before:
        raise Interrupted


def received() -> list[signal.Signals]:
    """Signals that have come so far, in the order of `STATUS`."""
    return [number for number in STATUS if number in _received]


def stop_listening() -> None:
    """Put back what was there before, and forget what has come."""
    global _answer
    while _before:
        number, handler = _before.popitem()
        signal.signal(number, handler)
    _answer = Answer.NOTE
    _received.clear()


def note(number: int) -> None:
    """Remember that a signal has come, for those who have a handler of their own."""
    _received.setdefault(number, time.monotonic())


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Hold signals back while processes are started, which inherit that: none dies before it has come to `ignore`."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, list(STATUS))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore() -> None:
    """Leave all of them to the parent: a signal to the process group reaches its children too."""
    for number in STATUS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def obeyed() -> Iterator[None]:
    """Turn `Interrupted`, and what libraries raise while they clean up after it, into the error that a person reads.

    Raises:
        StoppedError: A signal came.
    """
    try:
        yield
    except BaseException as error:
        if not any(isinstance(cause, Interrupted) for cause in causes(error)):
            raise
        message, status = _message, next((STATUS[number] for number in received()), STATUS[signal.SIGINT])
        raise StoppedError(message, status) from None


def _take(number: int, frame: FrameType | None) -> None:
    if os.getpid() != _process:  # a child that was forked a moment ago
        return
    first, since = not _received, _received.get(number)
    note(number)
    if _answer is Answer.END and first:
        _end(number, _message)
    elif number == signal.SIGINT and since is not None and time.monotonic() - since > _ONE_PRESS:
        _end(number, "ended at once; the same command resumes from the last checkpoint")
    elif _answer is Answer.RAISE and first:
        raise Interrupted


def _end(number: int, message: str) -> None:
    """Leave without cleaning up; one process of several says so, and no launcher takes the others for broken."""
    first = all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    if first:
        with contextlib.suppress(Exception):  # the signal may have come in the middle of a write
            sys.stdout.flush()
        os.write(2, f"sdsiqa {_verb}: {message}\n".encode())
    os._exit(STATUS[signal.Signals(number)] if first else 0)
