"""A logger whose rows are exact over stops, kills and a dead server."""

from collections.abc import Callable, Mapping
from typing import Any

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_info, rank_zero_only

from sdsiqa.errors import in_short
from sdsiqa.tracking.log_rows import LogRows


class RunLogger(WandbLogger):
    """Logs each row once, however often the run is stopped or killed on its way.

    Rows are numbered as in the run's own file. What W&B has already is not sent again, and what it has lost is.

    Args:
        experiment: The W&B run.
        log_rows: The run's own file of rows.
        known: Rows that W&B has.
    """

    def __init__(self, experiment: Any, log_rows: LogRows, known: int) -> None:
        super().__init__(experiment=experiment)
        self.log_rows, self.known = log_rows, known
        self.alive = True
        self._step = 0

    def go_on(self, rows: int) -> None:
        """Start behind the rows of a checkpoint; W&B gets those of them that it has lost.

        Args:
            rows: How many the checkpoint counts.
        """
        self.log_rows.go_on(rows)
        for number, row in enumerate(self.log_rows.read()):
            self._step = int(row.get("trainer/global_step", self._step))
            self._send(number, row)

    def append(self) -> None:
        """Start behind all that there is, as an evaluation does."""
        self.go_on(len(self.log_rows.read()))
        self.log_rows.rows = max(self.log_rows.rows, self.known)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log a row.

        Args:
            metrics: Values by name.
            step: Optimiser steps before it.
        """
        row = {name: float(value) for name, value in metrics.items()}
        self._step = self._step if step is None else step
        row["trainer/global_step"] = self._step
        self._send(self.log_rows.add(row), row)

    def log_object(self, key: str, value: Any) -> None:
        """Log a figure or a table.

        Args:
            key: Its name on dashboards.
            value: What W&B shows.
        """
        self._send(self.log_rows.add({"object": key}), {key: value, "trainer/global_step": self._step})

    def _send(self, number: int, row: Mapping[str, Any]) -> None:
        if number >= self.known and "object" not in row:
            self.attempt(lambda: self.experiment.log(dict(row), step=number, commit=True))

    def attempt(self, call: Callable[[], object]) -> None:
        """Call W&B; whatever it raises, of its many kinds, ends its part in the run, and not the run.

        Args:
            call: What to do.
        """
        if not self.alive:
            return
        try:
            call()
        except Exception as error:
            self.alive = False
            rank_zero_info(f"W&B takes nothing any more ({in_short(error)}); the run continues, its folder has everything")
