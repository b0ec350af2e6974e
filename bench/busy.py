"""What other work on the same cores costs a training on the CPU: `python -m bench.busy`.

The threads of one step wait for each other at the end of every operation. By default they wait awake (they spin), which is
quick while each thread has a core of its own, and slow when another process holds the core of the thread that is waited for.
The same holds for numpy's OpenBLAS, whose pool works inside the threads that fill a cache of saliency maps.
Each way is timed alone, beside a second process of the same kind, and beside one busy loop per core; all ways in turns, so
that they meet the same mood of the machine. `sdsiqa` sets the short spin and the one thread of OpenBLAS (`sdsiqa.runs.process`).
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sdsiqa.runs.process import BRIEFLY, POOL, WAITING

CORES = len(os.sched_getaffinity(0))
CLEARED = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", *WAITING, *POOL)
WAYS: dict[str, tuple[str, dict[str, str]]] = {
    "steps/s, threads that spin": ("steps", {}),
    "steps/s, threads that sleep": ("steps", {"OMP_WAIT_POLICY": "passive"}),
    "steps/s, short spin": ("steps", dict(BRIEFLY)),
    "steps/s, one thread": ("steps", {"OMP_NUM_THREADS": "1"}),
    "maps/s, pool of OpenBLAS": ("maps", {}),
    "maps/s, one thread of OpenBLAS": ("maps", {"OPENBLAS_NUM_THREADS": "1"}),
}
"""What is timed, and its environment on top of one without any such variable."""

BESIDE = ("alone", "second process", "busy loops")


def train(seconds: float) -> float:
    """Take steps of the Demo's training on random crops.

    Args:
        seconds: For how long, after three steps of warm-up.

    Returns:
        Steps per second.
    """
    import torch

    from sdsiqa.models import SDSIQA, FusionHead, ImageBranch, SaliencyBranch
    from sdsiqa.runs.process import keep_freed_memory

    keep_freed_memory()
    torch.manual_seed(0)
    branch = {"backbone": "test_resnet", "levels": (0, 1, 2, 3, 4)}
    fusion = FusionHead(proj_dim=32, head_dim=64, pool="meanstd")
    network = SDSIQA(ImageBranch(**branch), SaliencyBranch(**branch), fusion)
    network = network.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    image, saliency, quality = torch.rand(16, 3, 128, 128), torch.rand(16, 1, 128, 128), torch.rand(16)
    steps, start = -3, time.perf_counter()
    while (now := time.perf_counter()) - start < seconds or steps <= 0:
        if steps == 0:
            start = now
        optimizer.zero_grad()
        torch.nn.functional.smooth_l1_loss(network(image, saliency), quality).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        steps += 1
    return steps / (time.perf_counter() - start)


def maps(seconds: float) -> float:
    """Compute saliency maps of one picture in as many threads as there are cores, as the filling of a cache does.

    Args:
        seconds: For how long.

    Returns:
        Maps per second.
    """
    import numpy as np

    from sdsiqa.saliency import SpectralResidual

    provider, picture = SpectralResidual(), np.random.default_rng(0).integers(0, 256, (192, 192, 3), np.uint8)
    done, start = 0, time.perf_counter()
    with ThreadPoolExecutor(CORES) as pool:
        while time.perf_counter() - start < seconds:
            done += len(list(pool.map(lambda _: provider(picture, ""), range(10 * CORES))))
    return done / (time.perf_counter() - start)


def measure(work: str, variables: dict[str, str], beside: str, seconds: float) -> float:
    """Time work in a process of its own.

    Args:
        work: `steps` or `maps`.
        variables: Environment that says how its threads wait.
        beside: What else runs: one of `BESIDE`.
        seconds: For how long.

    Returns:
        Steps or maps per second; of two processes the slower one's.
    """
    kept = {name: value for name, value in os.environ.items() if name not in CLEARED}
    words = [sys.executable, "-m", "bench.busy", f"--{work}", str(seconds)]
    loop = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(loop) for _ in range(CORES)] if beside == "busy loops" else []
    try:
        count = 2 if beside == "second process" else 1
        folder = Path(__file__).parents[1]
        runs = [
            subprocess.Popen(words, env={**kept, **variables}, cwd=folder, stdout=subprocess.PIPE, text=True)
            for _ in range(count)
        ]
        return min(float(run.communicate()[0].split()[-1]) for run in runs)
    finally:
        for other in others:
            other.kill()
            other.wait()


def main() -> None:
    """Measure all ways and print them beside each other."""
    parser = argparse.ArgumentParser(prog="python -m bench.busy", description=__doc__, allow_abbrev=False)
    parser.add_argument("--turns", type=int, default=3, help="repetitions (default: 3)")
    parser.add_argument("--seconds", type=float, default=8, help="length of each (default: 8)")
    parser.add_argument("--steps", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--maps", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.steps is not None or options.maps is not None:
        print(train(options.steps) if options.steps is not None else maps(options.maps))
        return
    found: dict[tuple[str, str], list[float]] = {(way, beside): [] for way in WAYS for beside in BESIDE}
    for turn in range(options.turns):
        for way, beside in list(found)[:: 1 if turn % 2 else -1]:
            found[way, beside].append(measure(*WAYS[way], beside, options.seconds))
    table = Table("per second", *BESIDE, *(f"slower by: {beside}" for beside in BESIDE[1:]), title=f"{CORES} cores")
    for way in WAYS:
        median = {beside: statistics.median(found[way, beside]) for beside in BESIDE}
        factors = [f"{median['alone'] / median[beside]:.1f} ×" for beside in BESIDE[1:]]
        table.add_row(way, *(f"{median[beside]:.2f}" for beside in BESIDE), *factors)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
