"""What an offline W&B run has on disk, so that a run which goes on logs what is missing and nothing twice."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path


def rows_on_disk(folder: Path) -> int:
    """Count the rows of a run's earlier lives.

    Args:
        folder: Folder `wandb` of the run.

    Returns:
        One more than the number of the last row; 0 without any.
    """
    last = -1
    for file in sorted(folder.glob("*run-*/*.wandb")):
        _end_writers(file)
        last = max([last, *_row_numbers(file)])
    return last + 1


def _row_numbers(file: Path) -> list[int]:
    """Read with W&B's own tool; of a file that ends in the middle of a record the whole ones."""
    tool = shutil.which("wandb", path=str(Path(sys.executable).parent)) or shutil.which("wandb")
    if tool is None:
        return []
    done = subprocess.run([tool, "leet", "inspect", "--json", str(file)], capture_output=True, text=True, check=False)
    found = []
    for line in done.stdout.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            break
        if record.get("type") == "history":
            found.append(int(record["history"].get("step", {}).get("num", 0)))
    return found


def _end_writers(file: Path, patience: float = 10) -> None:
    """End the service of a life that was killed: it outlives its process, and may still be writing what it holds back."""
    deadline = time.monotonic() + patience
    asked: set[int] = set()
    while (writers := _writers(file)) and time.monotonic() < deadline:
        for process in writers - asked:
            os.kill(process, signal.SIGTERM)
            asked.add(process)
        time.sleep(0.1)


def _writers(file: Path) -> set[int]:
    """Processes of W&B's service that have a file open (Linux; elsewhere none are found)."""
    found = set()
    wanted = file.resolve()
    for entry in Path("/proc").glob("[0-9]*/fd"):
        try:
            if "wandb-core" in (entry.parent / "cmdline").read_text() and any(
                link.resolve() == wanted for link in entry.iterdir()
            ):
                found.add(int(entry.parent.name))
        except OSError:  # another user's, or gone
            continue
    return found
