"""Lives of a run: real processes, forked from one that has imported everything, so that a hundred of them take minutes."""

import logging
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from sdsiqa.cli import main


@dataclass(frozen=True)
class End:
    """How a life ended.

    Args:
        status: Exit status; minus the number of the signal that killed it.
        seconds: From its start.
        said: What it wrote to stdout and stderr.
    """

    status: int
    seconds: float
    said: str

    @property
    def last_words(self) -> str:
        """Its message: the part of what it said that begins with `sdsiqa fit:`."""
        found = re.search(r"sdsiqa \w+: .*", self.said, re.DOTALL)
        return "" if found is None else found[0].strip()


def live(
    words: list[str],
    log: Path,
    prepare: Callable[[], object] | None = None,
    after: float | None = None,
    watch: Callable[[int, float], object] | None = None,
    limit: float = 120,
    **environment: str,
) -> End:
    """Run `sdsiqa` in a child process.

    Args:
        words: Words after `sdsiqa`.
        log: File for what it says.
        prepare: What the child does first.
        after: Seconds until it is killed; none lets it end.
        watch: Called with its process id and age in seconds, again and again while it lives.
        limit: Seconds after which the test gives up on it.
        environment: Variables of the child.
    """
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_the_child(words, log, prepare, environment)
    killed = False
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        seconds = time.monotonic() - start
        if done:
            return End(os.waitstatus_to_exitcode(status), seconds, log.read_text(errors="replace"))
        if not killed and after is not None and seconds >= after:
            os.kill(child, signal.SIGKILL)
            killed = True
        if seconds > limit:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError(f"not ended after {limit} s; it said: {log.read_text(errors='replace')[-3000:]}")
        if watch is not None:
            watch(child, seconds)
        time.sleep(0.005)


def _be_the_child(words: list[str], log: Path, prepare: Callable[[], object] | None, environment: dict[str, str]) -> NoReturn:
    """Run the command with streams of its own, and leave without the parent's exit handlers."""
    status = 70
    try:
        os.setsid()
        with log.open("ab", buffering=0) as file:
            for stream in (1, 2):
                os.dup2(file.fileno(), stream)
        sys.stdout, sys.stderr = (os.fdopen(stream, "w", buffering=1, closefd=False) for stream in (1, 2))
        for name in ("lightning.pytorch", "lightning.fabric"):  # their handlers hold the streams of the parent
            for handler in logging.getLogger(name).handlers:
                if isinstance(handler, logging.StreamHandler):
                    handler.setStream(sys.stderr)
        os.environ.update(environment)
        if prepare is not None:
            prepare()
        status = main(words)
    except SystemExit as stop:
        status = int(stop.code or 0)
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


@dataclass
class Survivals:
    """Rows of the table of faults."""

    rows: list[dict[str, str]] = field(default_factory=list)

    def add(self, fault: str, injected: str, seconds: float, outcome: str) -> None:
        self.rows.append(
            {"fault": fault, "injected": injected, "seconds": f"{seconds:.1f}", "outcome": " ".join(outcome.split())}
        )

    def table(self) -> str:
        head = "| fault | injected by | seconds to its end | what the run said, and what was left |\n| --- | --- | ---: | --- |"
        lines = (f"| {row['fault']} | {row['injected']} | {row['seconds']} | {row['outcome']} |" for row in self.rows)
        return "\n".join([head, *lines])

    def into(self, page: Path) -> None:
        """Put the table between its marks."""
        text = page.read_text()
        new, count = re.subn(
            r"(<!-- faults -->\n).*?(<!-- end -->)",
            lambda found: f"{found[1]}\n{self.table()}\n\n{found[2]}",
            text,
            flags=re.DOTALL,
        )
        assert count == 1
        page.write_text(new)
