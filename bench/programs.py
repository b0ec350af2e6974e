"""Whole programs, from their start to their end: starting, scoring a folder, the memory of a real run.

`python -m bench.programs FOLDER CHECKPOINT` prints the seconds of decoding and the network alone, with which scoring is compared.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml

from bench.compute import Load
from bench.measure import Row, child, compare, in_turns
from bench.pictures import Photographs, gather

ROOT = Path(__file__).parents[1]
IMPORTS = "import torch, timm, lightning"

# a process counts the memory of the one that started it as its own, so that one has to be small
_LAUNCHER = """
import resource, subprocess, sys, time
start = time.perf_counter()
status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(status)
"""


class Cost(NamedTuple):
    """What a program took.

    Attributes:
        seconds: From its start to its end.
        processor: Seconds of processor time, of all its threads and of the processes that it waited for.
        megabytes: The highest resident memory of one of these processes, in MB.
    """

    seconds: float
    processor: float
    megabytes: float


def program(words: Sequence[str], status: int = 0, **variables: str) -> Cost:
    """Run Python in a process of its own.

    Args:
        words: After `python`.
        status: Exit status that is expected.
        **variables: Of its environment, beside those of this process.

    Raises:
        RuntimeError: It ended otherwise.
    """
    own = {"WANDB_MODE": "disabled", "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    around = {**os.environ, **own, **variables}
    command = [sys.executable, "-c", _LAUNCHER, sys.executable, *words]
    done = subprocess.run(command, cwd=ROOT, env=around, capture_output=True, text=True, check=False)
    if done.returncode != status:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    seconds, processor, kilobytes = done.stdout.split()
    return Cost(float(seconds), float(processor), int(kilobytes) * 1024 / 1e6)


def settings_of_run(folder: Path, photographs: Photographs, load: Load) -> list[str]:
    """Write the settings of a short real run.

    Args:
        folder: Where they and the run go.
        photographs: What it learns from.
        load: Its network and batches.

    Returns:
        Words after `sdsiqa`.
    """
    names = list(photographs.table()["image"])
    rows = [f"{name},{score:.3f}" for name, score in zip(names, np.linspace(0, 100, len(names)), strict=True)]
    (folder / "scores.csv").write_text("\n".join(["image,score", *rows]))
    branch = {"backbone": load.backbone, "weights": None}
    own = {"root": str(photographs.root), "scale": [0, 100], "scores": str(folder / "scores.csv")}
    data = {
        "benchmark": {"class_path": "sdsiqa.benchmarks.Folder", "init_args": own},
        "saliency": "sdsiqa.saliency.SDSP",
        "crop": load.side,
        "patches_per_image": load.crops,
        "batch_size": load.images,
        "num_workers": 2,
        "view": "whole",
    }
    settings = {
        "trainer": {"max_epochs": 1, "enable_progress_bar": False},
        "model": {"network": {"init_args": {"image_branch": branch, "saliency_branch": branch}}},
        "data": data,
        "run": {"folder": str(folder / "run"), "figures": False},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(settings))
    return ["fit", "-c", str(ROOT / "configs" / "base.yaml"), "-c", str(folder / "run.yaml")]


def whole_programs(load: Load, folder: Path, photographs: Photographs, files: int, turns: int) -> list[Row]:
    """Measure programs: a real run first, whose checkpoint scores and whose command is given again.

    Args:
        load: Network and batches.
        folder: Where all of it goes.
        photographs: What the run learns from, and what is scored.
        files: How many files are scored.
        turns: Repetitions of what is short.
    """
    folder.mkdir()
    words = settings_of_run(folder, photographs, load)
    ours = program(["-m", "sdsiqa", *words]).megabytes
    backbones = ("-m", "bench.memory", "bare", load.backbone, str(load.images), str(load.crops), str(load.side))
    bare = program(backbones).megabytes
    how = (
        f"Highest resident memory of a whole program. Ours: `sdsiqa fit` over {len(photographs.table())} pictures, with "
        "validation and test on whole pictures. Bare: both timm bodies, forward and backward, no optimiser, imports included."
    )
    memory = compare("peak memory of a short run, whole program", "MB", [ours], [bare], None, True, how)
    one = ["score", str(next(photographs.root.iterdir())), "--checkpoint", str(_checkpoint(folder))]
    return [memory, *starts(words, one, turns), scoring_folder(folder, photographs, files, max(1, turns // 4))]


def _checkpoint(folder: Path) -> Path:
    """The checkpoint of the short run in `folder`."""
    return folder / "run" / "checkpoints" / "last.ckpt"


def starts(words: Sequence[str], one: Sequence[str], turns: int) -> list[Row]:
    """Compare programs that are soon done with the imports of a network.

    Args:
        words: Of a run that is finished.
        one: That score one picture.
        turns: Repetitions.
    """
    cases: dict[str, tuple[Sequence[str], int, float | None]] = {
        "--help": (["--help"], 0, 0.1),
        "fit --help": (["fit", "--help"], 0, 0.2),
        "a typo": ([*words, "--data.crpo", "3"], 2, 0.5),
        "a finished run again": (words, 0, 0.5),
        "a picture scored": (one, 0, None),
    }
    rows = []
    for name, (asked, status, goal) in cases.items():
        ours, bare = in_turns(
            lambda asked=asked, status=status: program(["-m", "sdsiqa", *asked], status).seconds,  # type: ignore[misc]
            lambda: program(["-c", IMPORTS]).seconds,
            turns,
        )
        how = f"A whole program each. Ours: `sdsiqa {asked[0]}`. Bare: `{IMPORTS}`, which whatever trains has to wait for."
        rows.append(compare(f"start, {name}", "s", ours, bare, goal, True, how))
    return rows


def scoring_folder(folder: Path, photographs: Photographs, files: int, turns: int) -> Row:
    """Compare `sdsiqa score` of a folder, start included, with decoding and the network alone.

    Args:
        folder: Holds the run whose checkpoint scores.
        photographs: Pictures that the folder is filled from.
        files: How many.
        turns: Repetitions.
    """
    pictures = gather(folder / "scored", files, photographs.root).root
    checkpoint = str(_checkpoint(folder))
    ours, bare = in_turns(
        lambda: program(["-m", "sdsiqa", "score", str(pictures), "--checkpoint", checkpoint]).seconds,
        lambda: child("programs", str(pictures), checkpoint),
        turns,
    )
    how = (
        f"{files} JPEG files, whole pictures. Ours: the whole program `sdsiqa score`, with imports, checkpoint, SDSP maps and "
        "rows. Bare: decoding and the network's forward alone, with a map that costs nothing, in a process that has started."
    )
    rates = ([files / s for s in ours], [files / s for s in bare])
    return compare("scoring a folder, whole program", "images/s", *rates, 0.9, False, how)


def decode_and_forward(folder: Path, checkpoint: Path) -> float:
    """Decode each file and pass it through the network; return seconds.

    Args:
        folder: The files.
        checkpoint: Of the network.
    """
    import cv2
    import torch

    from sdsiqa.inference.scorer import load

    scorer = load(checkpoint)
    start = time.perf_counter()
    with torch.inference_mode():
        for file in sorted(folder.iterdir()):
            pixels = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR_RGB)
            assert pixels is not None
            image = torch.from_numpy(pixels[None]).permute(0, 3, 1, 2).float().div_(255)
            float(scorer.network(image, torch.ones(1, 1, *pixels.shape[:2])))
    return time.perf_counter() - start


if __name__ == "__main__":
    from sdsiqa.runs.process import keep_freed_memory

    keep_freed_memory()
    print(decode_and_forward(Path(sys.argv[1]), Path(sys.argv[2])))
