"""Offline logs of Weights & Biases: the rows that they hold, and `sdsiqa sync`, which uploads them once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sdsiqa.errors import SdsiqaError
from sdsiqa.runs.arguments import Arguments
from sdsiqa.runs.found import LeftOut, check_paths


def main(args: list[str] | None = None) -> int:
    """Upload the offline runs of some run folders.

    Args:
        args: Words after `sdsiqa sync`; `None`: use `sys.argv`.

    Returns:
        0 if everything is on the server.
    """
    parser = Arguments(
        prog="sdsiqa sync",
        description="Upload what was logged offline to Weights & Biases, in order, once. Needs `wandb login` first.",
    )
    parser.add_finished()
    parser.add_entity()
    parser.add_argument("--dry-run", action="store_true", help="list what would be uploaded; upload nothing")
    options = parser.parse_args(args)
    parts = offline_parts(options.runs)
    waiting = [part for part in parts if not _is_synced(part)]
    print(f"{len(parts) - len(waiting)} of {len(parts)} offline logs are on the server already")
    for part in waiting:
        print(f"  {part.parent.parent.name}: {part.name}")
    if options.dry_run or not waiting:
        return 0
    _upload(waiting, options.entity)
    left = [part for part in waiting if not _is_synced(part)]
    if left:
        raise SdsiqaError(
            f"{len(left)} of {len(waiting)} logs did not go up, the first {left[0]}; see what W&B says above, and call this "
            "again: what is up stays up"
        )
    print(f"{len(waiting)} logs went up")
    return 0


def offline_parts(runs: Sequence[Path]) -> list[Path]:
    """Find what was logged offline.

    Args:
        runs: Run folders, or folders that hold them at any depth.

    Returns:
        Folders `offline-run-<time>-<id>` in order of time: a run that was interrupted has one per start, and later ones
        continue earlier ones.

    Raises:
        RunMismatchError: A path does not exist, or none of the folders holds any.
    """
    check_paths(runs)
    found: dict[Path, None] = {}
    left_out = LeftOut("sync")
    for run in runs:
        parts = list(_below(run))
        if not parts:
            left_out.add(run, "holds no wandb/offline-run-*")
        found |= dict.fromkeys(parts)
    left_out.tell(bool(found), "was WANDB_MODE disabled, or the run online?")
    return sorted(found, key=lambda part: (part.name.split("-")[2], str(part)))


def _below(folder: Path) -> Iterator[Path]:
    """Give the offline logs of a folder and of those below it, without a walk through checkpoints and media."""
    logs = [part for part in folder.glob("wandb/offline-run-*") if any(part.glob("*.wandb"))]
    yield from logs
    if not logs and folder.is_dir() and not (folder / "run.json").exists():
        for child in sorted(folder.iterdir()):
            if child.is_dir():
                yield from _below(child)


def _is_synced(part: Path) -> bool:
    """Say whether W&B has marked a log as uploaded."""
    return any(part.glob("*.wandb.synced"))


def _upload(parts: Sequence[Path], entity: str | None) -> None:
    """Let W&B's own command upload logs; it takes those of one run one after the other, in order of time."""
    tool = _command()
    if tool is None:
        raise SdsiqaError("the command `wandb` is not here; install sdsiqa again: it brings it")
    words = [tool, "sync", *(("--entity", entity) if entity else ()), *map(str, parts)]
    # its own log goes beside what it uploads, not into the current folder
    environment = {**os.environ, "WANDB_MODE": "online", "WANDB_DIR": str(parts[0].parent.parent.resolve())}
    environment.pop("WANDB_SERVICE", None)  # a service of its own: this one would end with it
    done = subprocess.run(words, stdin=subprocess.DEVNULL, check=False, env=environment)
    if done.returncode:
        raise SdsiqaError(
            "`wandb sync` has failed, as it says above; log in first: `wandb login`, or WANDB_API_KEY and, for a server of your "
            "own, WANDB_BASE_URL"
        )


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
    tool = _command()
    if tool is None:
        return []
    done = subprocess.run(
        [tool, "leet", "inspect", "--json", str(file)], capture_output=True, text=True, errors="replace", check=False
    )
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
            if "wandb-core" in (entry.parent / "cmdline").read_text(encoding="utf-8") and any(
                link.resolve() == wanted for link in entry.iterdir()
            ):
                found.add(int(entry.parent.name))
        except OSError:  # another user's, or gone
            continue
    return found


def _command() -> str | None:
    """Find W&B's own command, first beside this interpreter."""
    return shutil.which("wandb", path=str(Path(sys.executable).parent)) or shutil.which("wandb")
