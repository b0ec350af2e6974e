"""What other work on the same cores costs a training on the CPU: `python -m bench.busy`.

The threads of one step wait for each other at the end of every operation. By default they wait awake (they spin), which is
quick while each thread has a core of its own, and slow when another process holds the core of the thread that is waited for.
Each way of waiting is timed alone, beside a second training of the same kind, and beside one busy loop per core; all ways in
turns, so that they meet the same mood of the machine.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

CORES = len(os.sched_getaffinity(0))
CLEARED = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
WAYS: dict[str, dict[str, str]] = {
    "threads that spin": {},
    "threads that sleep": {"OMP_WAIT_POLICY": "passive"},
    "short spin": {"GOMP_SPINCOUNT": "1000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
"""Environment of each way of waiting, on top of one without any such variable."""

BESIDE = ("alone", "second training", "busy loops")


def train(seconds: float) -> float:
    """Take steps of the Demo's training on random crops.

    Args:
        seconds: For how long, after three steps of warm-up.

    Returns:
        Steps per second.
    """
    import torch

    from sdsiqa.memory import keep_freed_memory
    from sdsiqa.models.sdsiqa import SDSIQA

    keep_freed_memory()
    torch.manual_seed(0)
    network = SDSIQA("test_resnet", weights=None, levels=(0, 1, 2, 3, 4), proj_dim=32, head_dim=64, pool="meanstd")
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


def measure(variables: dict[str, str], beside: str, seconds: float) -> float:
    """Time a training in a process of its own.

    Args:
        variables: Environment that says how its threads wait.
        beside: What else runs: one of `BESIDE`.
        seconds: For how long.

    Returns:
        Steps per second; of two trainings the slower one's.
    """
    kept = {name: value for name, value in os.environ.items() if name not in CLEARED}
    words = [sys.executable, "-m", "bench.busy", "--steps", str(seconds)]
    loop = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(loop) for _ in range(CORES)] if beside == "busy loops" else []
    try:
        count = 2 if beside == "second training" else 1
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
    options = parser.parse_args()
    if options.steps is not None:
        print(train(options.steps))
        return
    found: dict[tuple[str, str], list[float]] = {(way, beside): [] for way in WAYS for beside in BESIDE}
    for turn in range(options.turns):
        for way, beside in list(found)[:: 1 if turn % 2 else -1]:
            found[way, beside].append(measure(WAYS[way], beside, options.seconds))
    table = Table("steps per second", *BESIDE, *(f"slower by: {beside}" for beside in BESIDE[1:]), title=f"{CORES} cores")
    for way in WAYS:
        median = {beside: statistics.median(found[way, beside]) for beside in BESIDE}
        factors = [f"{median['alone'] / median[beside]:.1f} ×" for beside in BESIDE[1:]]
        table.add_row(way, *(f"{median[beside]:.2f}" for beside in BESIDE), *factors)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
