"""Progress of longer work: a bar in a terminal, a line every few seconds in a log.

Everything goes to standard error. Work whose cost is known beforehand is announced with it; short work says nothing.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Self, TypeVar

T = TypeVar("T")

EVERY = 10.0
"""Seconds between two lines of a log."""

SHORT = 3.0
"""Seconds below which work is done without a word in a log."""


class Progress:
    """One phase of work, as a context.

    Args:
        title: What is done, such as `decoding livec into data/cache`.
        total: How many steps there are; None where that is not known.
        unit: What a step is, in the plural.
        each: Seconds that a step takes on a core of a usual machine, for the announcement; 0 announces no time.
        is_shown: Whether anything is shown at all: one process of several should.
        clock: Tells the time in seconds.
    """

    def __init__(
        self,
        title: str,
        total: int | None = None,
        unit: str = "images",
        each: float = 0.0,
        is_shown: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.title, self.total, self.unit, self.each, self.clock = title, total, unit, each, clock
        self.done, self.note, self.is_shown = 0, "", is_shown
        self._bar: _Bar | None = None

    def __enter__(self) -> Self:
        """Announce the work."""
        self._start = self._last = self.clock()
        self._has_spoken = False
        expected = self.each * (self.total or 0)
        if self.is_shown and sys.stderr.isatty():
            self._bar = _Bar(self)
        elif expected > SHORT:
            self._say(f"{self.total} {self.unit}, about {duration(expected)}")
        return self

    def advance(self, steps: int = 1, note: str | None = None) -> None:
        """Count steps that are done.

        Args:
            steps: How many.
            note: What else to show from now on, such as how many failed; None leaves what was there.
        """
        self.done += steps
        self.note = self.note if note is None else note
        self._show()

    def say(self, line: str) -> None:
        """Show what is being done now, where steps are not counted.

        Args:
            line: What.
        """
        self.note = line
        self._show()

    def __exit__(self, *error: object) -> None:
        """End: in a log, say how long it took if anything was said before."""
        if self._bar is not None:
            self._bar.close()
        elif self._has_spoken and error[0] is None:
            self._say(f"done in {duration(self.clock() - self._start)}")

    @property
    def left(self) -> float | None:
        """Seconds that are left at the speed so far; None while that is not known."""
        if not self.total or not self.done:
            return None
        return (self.clock() - self._start) / self.done * (self.total - self.done)

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.update()
            return
        now = self.clock()
        # the first line comes early, to show that work has begun; then the log stays short
        if now - self._last < (EVERY if self._has_spoken else SHORT):
            return
        parts = [f"{self.done} of {self.total} {self.unit}"] if self.total else []
        parts += [self.note] if self.note else []
        parts += [f"about {duration(self.left)} left"] if self.left is not None else []
        self._say(", ".join(parts) or f"{duration(now - self._start)} so far")
        self._last = now

    def _say(self, text: str) -> None:
        self._has_spoken = True
        if self.is_shown:
            print(f"{self.title}: {text}", file=sys.stderr, flush=True)


def track(
    items: Iterable[T], title: str, total: int | None = None, unit: str = "images", each: float = 0.0, is_shown: bool = True
) -> Iterator[T]:
    """Yield items while showing how many are done.

    Args:
        items: The items.
        title: As for `Progress`, and so are the rest.
        total: How many there are; None asks the items.
        unit: What they are.
        each: Seconds of each.
        is_shown: Whether anything is shown.
    """
    count = total if total is not None else len(items) if isinstance(items, Sized) else None
    with Progress(title, count, unit, each, is_shown) as progress:
        for item in items:
            yield item
            progress.advance()


def duration(seconds: float) -> str:
    """Write a time as a person says it.

    Args:
        seconds: The time.

    Returns:
        Such as `8 s`, `3.5 min`, `2.1 h`.
    """
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"


class _Bar:
    """The bar of a terminal; gone when the work is done."""

    def __init__(self, work: Progress) -> None:
        from rich.console import Console  # a log does without
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            [SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()]
            if work.total is None
            else [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()]
        )
        self.work = work
        # what goes to a file must not be caught by the terminal that shows the bar
        self.bar = Bar(*columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty())
        expected = work.each * (work.total or 0)
        about = f" (about {duration(expected)})" if expected > SHORT else ""
        self.task = self.bar.add_task("", total=work.total)
        self.about = about
        self.bar.start()
        self.update()

    def update(self) -> None:
        """Show what the work has come to."""
        from rich.markup import escape

        text = f"{self.work.title}{self.about if not self.work.done else ''}{': ' if self.work.note else ''}{self.work.note}"
        self.bar.update(self.task, completed=self.work.done, description=escape(text))

    def close(self) -> None:
        """End."""
        self.bar.stop()
