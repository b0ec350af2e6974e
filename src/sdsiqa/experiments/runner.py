"""Running one cell of an experiment."""

import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from sdsiqa.errors import ExperimentError
from sdsiqa.experiments.cell import Cell, State
from sdsiqa.files import now, write_json
from sdsiqa.runs.environment import code_version
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.lock import CELL, RunLock
from sdsiqa.runs.signals import STATUS

_PATIENCE = 30.0  # seconds that a run has to save itself when it is asked to stop


def run_cell(cell: Cell, environment: Mapping[str, str], stop: threading.Event | None = None) -> State:
    """Run what is left of a cell, in processes of its own, under a lock on its folder.

    The lock belongs to those processes too: where the caller is killed, the folder stays locked until they are gone.

    Args:
        cell: The cell.
        environment: All variables of the processes.
        stop: Asks the processes to save themselves and end.

    Returns:
        `DONE`; `FAILED`; `INTERRUPTED` if stopped; `RUNNING` if another process has the cell.

    Raises:
        ExperimentError: The cell cannot be run, or the code has changed since it was planned.
    """
    if cell.blocked:
        raise ExperimentError(f"{cell.name}: {cell.blocked}")
    if cell.facts["code_version"] != code_version():
        raise ExperimentError(f"{cell.name}: the code of sdsiqa has changed since this was planned; start again")
    lock = RunLock(cell.folder, CELL)
    if not lock.try_acquire():
        return State.RUNNING
    try:
        (cell.folder / "failed.json").unlink(missing_ok=True)
        folder = RunFolder(cell.folder)
        if not folder.record:  # the run itself then refuses to be another one than planned
            folder.update(**cell.facts)
        for step in cell.steps:
            status = _run(cell, step, environment, lock, stop or threading.Event())
            if status is None:
                return State.INTERRUPTED
            if status:
                write_json(cell.folder / "failed.json", {"step": step, "status": status, "when": now(), "said": _said(cell.log)})
                return State.FAILED
            if step != "fit":
                write_json(cell.folder / "tests" / f"{step}.json", {"finished": now()})
        return State.DONE
    finally:
        lock.release()


def _run(cell: Cell, step: str, environment: Mapping[str, str], lock: RunLock, stop: threading.Event) -> int | None:
    """Run one step to its end; give its exit status, or none if it was stopped."""
    words = cell.words(step)
    with cell.log.open("ab") as log:
        log.write(f"\n$ sdsiqa {' '.join(words)}\n".encode())
        log.flush()
        process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-m", "sdsiqa", *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(environment),
            pass_fds=[lock.file],
        )
    while process.poll() is None and not stop.wait(0.2):
        pass
    if process.returncode == 0:
        return 0
    if process.returncode in STATUS.values():
        return None  # a signal that SLURM sends to all processes of a job; the run has saved itself
    if process.returncode is not None:
        # Ctrl-C in a terminal reaches the process by itself, which may end before `stop` is set here
        return None if stop.wait(1) else process.returncode
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return None


def _said(log: Path) -> str:
    """Give the last line of a process's log."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
