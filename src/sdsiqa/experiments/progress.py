"""The progress of a grid, in a terminal or a log."""

import collections
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sdsiqa.experiments.cell import Cell, State
from sdsiqa.runs.folder import START

_STYLES = {State.DONE: "green", State.FAILED: "red", State.RUNNING: "cyan", State.BLOCKED: "yellow"}
_ROWS = 24  # more would leave a common terminal


class Board:
    """A table that stays in its place on a terminal, and lines as they come everywhere else.

    Args:
        cells: All cells.
        states: How far each is, by name.
        jobs: Cells that run at a time.
        console: Where to show it.
    """

    def __init__(self, cells: Sequence[Cell], states: Mapping[str, State], jobs: int, console: Console) -> None:
        self.cells, self.states, self.jobs, self.console = cells, dict(states), jobs, console
        self._begun = time.monotonic()
        self._since: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._why: dict[str, str] = {}
        self._first = {cell.name: self._epoch(cell) for cell in cells}
        self._live = Live(console=console, refresh_per_second=2, transient=True) if console.is_terminal else None

    def __enter__(self) -> Self:
        """Start to show, what cannot run first: hours may pass until the end."""
        self._tell_blocked()
        if self._live is not None:
            self._live.start()
        else:
            self.console.print(self._counts(), highlight=False)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the final table, with the log of each cell that failed."""
        if self._live is not None:
            self._live.stop()
            self.console.print(self.table(everything=True))
        for cell in self.cells:
            if self.states[cell.name] is State.FAILED and cell.failure:
                self.console.print(
                    f"{cell.name} failed in {cell.failure['step']}: {cell.failure['said']}", style="red", markup=False
                )
                self.console.print(f"  log: {cell.log}", highlight=False, soft_wrap=True)
        if self._since or self._why:  # else it has just been said
            self._tell_blocked()
        self.console.print(self._counts(), highlight=False)

    def change(self, cell: Cell, state: State) -> None:
        """Note how far a cell is now; may be called by any thread.

        Args:
            cell: The cell.
            state: How far it is.
        """
        before = self.states[cell.name]
        if state is State.RUNNING:
            self._since.setdefault(cell.name, time.monotonic())
        elif cell.name in self._since:
            self._took[cell.name] = time.monotonic() - self._since[cell.name]
        self.states[cell.name] = state
        if self._live is None and state is not before:
            took = f" after {_duration(self._took[cell.name])}" if cell.name in self._took else ""
            self.console.print(f"{state:<12}{cell.name}{took}", highlight=False)

    def block(self, cell: Cell, why: str) -> None:
        """Note that a cell cannot run.

        Args:
            cell: The cell.
            why: The reason.
        """
        self._why[cell.name] = why
        self.change(cell, State.BLOCKED)

    def show(self) -> None:
        """Bring the table up to date."""
        if self._live is not None:
            self._live.update(self.table())

    def table(self, everything: bool = False) -> Table:
        """Draw the table.

        Args:
            everything: Also cells that wait or are done where there are many.
        """
        table = Table(title=self._counts(), title_justify="left", title_style="bold", box=None, pad_edge=False)
        table.add_column("cell", no_wrap=True)
        table.add_column("state")
        table.add_column("epoch", justify="right")
        table.add_column("time", justify="right")
        shown = self.cells
        if not everything and len(shown) > _ROWS:
            shown = [cell for cell in shown if self.states[cell.name] in (State.RUNNING, State.FAILED)][:_ROWS]
        for cell in shown:
            state = self.states[cell.name]
            if state is State.RUNNING and cell.name in self._since:
                took = _duration(time.monotonic() - self._since[cell.name])
            else:
                took = _duration(self._took[cell.name]) if cell.name in self._took else ""
            epoch = f"{self._epoch(cell)}/{_length(cell)}" if state in (State.RUNNING, State.INTERRUPTED, State.FAILED) else ""
            table.add_row(cell.name, Text(state, style=_STYLES.get(state, "")), epoch, took)
        return table

    def left(self) -> float | None:
        """Guess how many seconds are left, from the epochs that were trained since the start; `None` before the first."""
        trained = sum(self._epoch(cell) - self._first[cell.name] for cell in self.cells)
        if not trained:
            return None
        waiting = (State.NEW, State.INTERRUPTED, State.RUNNING)
        missing = sum(_length(cell) - self._epoch(cell) for cell in self.cells if self.states[cell.name] in waiting)
        return missing * (time.monotonic() - self._begun) / trained

    def _tell_blocked(self) -> None:
        """Say why cells cannot run, each reason once."""
        named: dict[str, list[str]] = {}
        for cell in self.cells:
            if self.states[cell.name] is State.BLOCKED:
                named.setdefault(self._why.get(cell.name, cell.blocked), []).append(cell.name)
        for why, (first, *others) in named.items():
            more = f" and {len(others)} more" if others else ""
            self.console.print(f"{first}{more} cannot run: {why}", style="yellow", markup=False)

    def _counts(self) -> str:
        counts = collections.Counter(self.states.values())
        text = " · ".join(f"{counts[state]} {state}" for state in State if counts[state])
        left = self.left() if counts[State.RUNNING] else None
        return f"{len(self.cells)} cells: {text}" + (f" · about {_duration(left)} left" if left is not None else "")

    def _epoch(self, cell: Cell) -> int:
        """Count the epochs that are behind a cell; its training writes a line for each."""
        if self.states[cell.name] is State.DONE:
            return _length(cell)
        file = cell.folder / "metrics.csv"
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()[1:] if file.exists() else []
        return sum(not line.startswith(f"{START}.") for line in lines)  # what was before the first step is no epoch


def _length(cell: Cell) -> int:
    return max(1, int((cell.config.get("trainer") or {}).get("max_epochs") or 1))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
