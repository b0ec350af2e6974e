"""Offline W&B runs, read back with the tool of W&B."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

FLAT = ("benchmark", "split", "seed", "saliency", "method", "ablation", "network", "backbone")


def records(folder: Path) -> list[dict[str, Any]]:
    """Read an offline run back with W&B's own tool."""
    tool = shutil.which("wandb", path=str(Path(sys.executable).parent))
    assert tool is not None
    found = []
    for file in sorted((folder / "wandb").glob("offline-run-*/*.wandb")):
        done = subprocess.run([tool, "leet", "inspect", "--json", str(file)], capture_output=True, text=True, check=True)
        found += [json.loads(line) for line in done.stdout.splitlines()]
    return found


def rows(folder: Path) -> list[dict[str, Any]]:
    """Give what was logged, in order, without times and without figures, which are of a run's own folder."""
    found = [record["history"]["item"] for record in records(folder) if record["type"] == "history"]
    changing = ("_timestamp", "_runtime", "train/images_per_second")
    return [
        {name: value for name, value in item.items() if name not in changing and not name.startswith(("figures", "scores"))}
        for item in found
    ]
