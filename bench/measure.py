"""Two ways to do the same, timed in turns, and what came out."""

import dataclasses
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from sdsiqa.files import now
from sdsiqa.runs.environment import surroundings

Timed = Callable[[], float]
"""Does its work and returns seconds."""


@dataclasses.dataclass
class Row:
    """One comparison.

    Args:
        name: What is compared.
        unit: Unit of `ours` and `bare`.
        ours: Median of sdsiqa.
        bare: Median of what it stands on.
        ratio: Median of `ours / bare` over the turns.
        low: Lower quartile of these ratios.
        high: Upper quartile.
        goal: Ratio that is aimed at; none for a row that only informs.
        at_most: Whether the goal is an upper bound.
        how: What exactly was compared, in a sentence.
    """

    name: str
    unit: str
    ours: float
    bare: float
    ratio: float
    low: float
    high: float
    goal: float | None
    at_most: bool
    how: str

    @property
    def held(self) -> bool | None:
        """Whether the goal holds; none without a goal."""
        if self.goal is None:
            return None
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal

    def to_json(self) -> dict[str, Any]:
        """Give plain values, rounded to what a measurement carries."""
        values = dataclasses.asdict(self)
        rounded = {name: float(f"{v:.4g}") if isinstance(v, float) else v for name, v in values.items()}
        return {**rounded, "held": self.held}


def compare(
    name: str,
    unit: str,
    ours: Sequence[float],
    bare: Sequence[float],
    goal: float | None,
    at_most: bool,
    how: str,
) -> Row:
    """Make a row of two series that were measured in turns.

    Args:
        name: As in `Row`, and so are `unit`, `goal`, `at_most`, `how`.
        unit: Unit of the values.
        ours: One value per turn.
        bare: Value of the same turn.
        goal: The goal.
        at_most: Its direction.
        how: The explanation.
    """
    # neighbours in time share the machine's mood, so the ratio is taken turn by turn
    ratios = [a / b for a, b in zip(ours, bare, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return Row(name, unit, statistics.median(ours), statistics.median(bare), middle, low, high, goal, at_most, how)


def in_turns(ours: Timed, bare: Timed, turns: int) -> tuple[list[float], list[float]]:
    """Time A B, B A, A B ... after one warm-up each.

    Args:
        ours: What sdsiqa does.
        bare: What it stands on.
        turns: Repetitions.

    Returns:
        Seconds of each, one per turn.
    """
    ours(), bare()
    found: tuple[list[float], list[float]] = ([], [])
    for turn in range(turns):
        for which in (0, 1) if turn % 2 else (1, 0):
            found[which].append((ours, bare)[which]())
    return found


def timed(work: Callable[[], object]) -> Timed:
    """Make something that can be timed: on a GPU the clock waits for it.

    Args:
        work: What to do.
    """

    def run() -> float:
        synchronize()
        start = time.perf_counter()
        work()
        synchronize()
        return time.perf_counter() - start

    return run


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def machine() -> dict[str, Any]:
    """Describe where and with what the figures were measured."""
    facts = surroundings()
    for private in ("command", "host"):  # neither decides a figure
        facts.pop(private)
    return {
        "date": now(),
        **facts,
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "cores_of_this_process": len(os.sched_getaffinity(0)),
        "torch_threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def child(*words: str) -> float:
    """Run `python -m bench.<words>` and read the number that it prints last; memory is measured in fresh processes.

    Args:
        words: Module and its arguments.
    """
    command = [sys.executable, "-m", f"bench.{words[0]}", *words[1:]]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def _cpu() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
