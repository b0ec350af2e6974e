"""A command in a process of its own, forked from one that has imported everything."""

import contextlib
import io
import logging
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import NoReturn

from commands import Command

from sdsiqa.cli import main

HANGS = 99
LIMIT = 300.0
"""Seconds after which a command counts as one that hangs; each takes a second on an idle machine."""
MEMORY = 6 << 30
"""Bytes that a command may take beyond its parent's: a wrong number must not starve the machine."""


def run(command: Command, folder: Path) -> tuple[int, str]:
    """Run a command.

    Args:
        command: That.
        folder: Its current folder.

    Returns:
        Its exit status, minus the number of the signal that ended it, and what it said.
    """
    log = folder / "said.txt"
    log.write_bytes(b"")
    start = time.monotonic()
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until the child has handlers of its own
    child = os.fork()
    if child == 0:
        _be_the_child(command, log, folder)
    signal.pthread_sigmask(signal.SIG_SETMASK, held)
    sent = False
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), log.read_text(errors="replace")
        seconds = time.monotonic() - start
        if command.signal and not sent and seconds > command.after:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, command.signal)
            sent = True
        if seconds > LIMIT:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return HANGS, log.read_text(errors="replace")
        time.sleep(0.005)


def _be_the_child(command: Command, log: Path, folder: Path) -> NoReturn:
    status = 70
    try:
        os.setsid()
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        with log.open("ab", buffering=0) as file:
            os.dup2(file.fileno(), 2)
            out = file.fileno()
            if command.output == "full":
                out = os.open("/dev/full", os.O_WRONLY)
            elif command.output == "closed":
                reading, out = os.pipe()
                os.close(reading)
            os.dup2(out, 1)
        coding = "ascii" if command.output == "ascii" else "utf-8"
        sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False), coding, "strict", write_through=False)
        sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", closefd=False), coding, "backslashreplace", line_buffering=True)
        for name in ("lightning.pytorch", "lightning.fabric"):
            for handler in logging.getLogger(name).handlers:
                if isinstance(handler, logging.StreamHandler):
                    handler.setStream(sys.stderr)
        os.chdir(folder)
        if command.is_lost:
            lost = Path(tempfile.mkdtemp())
            os.chdir(lost)
            lost.rmdir()
        os.environ.update(command.environment)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        status = main(command.words)
        sys.stdout.flush()
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
    except BaseException:
        os.write(2, traceback.format_exc().encode(errors="replace"))
        status = 70
    finally:
        try:
            sys.stderr.flush()
        finally:
            os._exit(status)
