"""Settings of this process: memory, threads, and the messages of Lightning that are shown."""

import ctypes
import logging
import os
import platform
import re
import warnings
from collections.abc import Iterator, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from sdsiqa.errors import SettingError

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of <malloc.h>
_LARGEST = 2**31 - 1
_NO_MEMORY = re.compile(r"(not enough|insufficient|out of) memory|can't allocate memory|failed to allocate", re.IGNORECASE)


WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Variables by which a user has decided how threads wait; the last one is that of Intel's library."""

BRIEFLY: Final = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}
"""How threads wait otherwise: GNU's OpenMP, which torch's wheels for Linux hold, counts its spins; others go to sleep at once."""

POOL = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")
"""Variables by which a user has decided how many threads numpy's linear algebra has."""

NO_NEWS: Final = (
    r"The `srun` command is available",  # jobs of a cluster are `sdsiqa submit`'s, which calls it
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # by Lightning itself
    r"Found \d+ module\(s\) in eval mode",  # a frozen body, which the configuration asks for
    r"Checkpoint directory .* exists and is not empty",  # where a run resumes; its folder is its own
    r"The number of training batches \(\d+\) is smaller than the logging interval",  # each epoch is logged all the same
    r"Total length of `list` across ranks is zero",  # a run that trains on the validation part has none
    r"You're using the WeightAveraging callback, but loading a checkpoint outside",  # the checkpoint holds the averaged weights
    r"You called `self\.log\(.*but have no logger configured",  # W&B is off; metrics.csv has them all
)
"""Beginnings of warnings that are not shown."""

NO_LINES: Final = {
    "lightning.pytorch.utilities.rank_zero": (
        "Tip: For seamless",
        "TPU available",
        "Loading `train_dataloader` to estimate",
        "`Trainer.fit` stopped: `max_epochs=",
        "Restoring states from the checkpoint path",  # the run says itself that it resumes, or what it tests
        "Found current_model_state in the checkpoint",
        "You're using the WeightAveraging callback, but saving",
    ),
    "lightning.fabric.utilities.rank_zero": ("Seed set to",),
    "lightning.fabric.utilities.seed": ("Seed set to",),
    # a backbone is part of the network that its weights are of; `sdsiqa.models.components.backbone` checks what is missing
    "timm.models._builder": ("Unexpected keys (",),
}
"""Beginnings of log lines that are not shown."""


def keep_freed_memory() -> bool:
    """Let glibc keep what is freed for what comes next, instead of handing it back to the system.

    A step on a CPU frees and takes the same hundreds of megabytes again and again; fetched anew, every page of them is a
    fault and is cleared first, which can eat a third of the time. Nothing is computed otherwise.

    Returns:
        Whether that was possible: not with another C library, nor where `MALLOC_…` variables say something else.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST) and mallopt(_TRIM_THRESHOLD, _LARGEST))


def give_back_memory() -> None:
    """Hand what is freed back to the system, where glibc keeps it.

    Before a process is forked: both would hold it, and the first one to use it again pays for a copy of it.
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):  # another C library
        return


def share_cores(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let threads that wait fall asleep soon, and keep one pool of threads in a process: torch's.

    After each operation of a network its threads wait for the slowest one. OpenMP's default is to spin for milliseconds: if
    another process holds a core, a spinning thread holds the other, and the one that all wait for gets neither. Without any
    spinning each operation pays for a thread that has to be woken. So they spin for some ten microseconds, which is as long as
    most operations let them wait. And numpy's OpenBLAS has a pool of its own, which spins longer than a saliency map takes,
    inside threads and workers that use all cores already. `python -m bench.busy` measures both.

    The libraries read the variables when they are loaded, so this comes before numpy and torch are imported.

    Args:
        environment: Variables of this process; changed in place, but for what a user has set.
    """
    if not any(name in environment for name in WAITING):
        environment.update(BRIEFLY)
    # on other processors than these torch itself computes with an OpenBLAS, which reads the variable too
    if platform.machine() in ("x86_64", "AMD64") and not any(name in environment for name in POOL):
        environment["OPENBLAS_NUM_THREADS"] = "1"


LAUNCHERS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS", "SLURM_NNODES", "SLURM_NODEID")
"""Variables by which a launcher numbers processes; Lightning reads them when it is imported."""


def check_launcher(environment: Mapping[str, str] = os.environ) -> None:
    """Refuse variables of a launcher that are no numbers.

    Args:
        environment: Variables of this process.

    Raises:
        SettingError: Names the first.
    """
    for name in LAUNCHERS:
        value = environment.get(name, "0")
        if not value.isdecimal():
            raise SettingError(
                f"{name} is {value!r} in the environment; expected a whole number, as launchers set it; unset {name}"
            )


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error of Python, PyTorch or OpenCV means that memory is short.

    Args:
        error: What was raised.
    """
    return isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)) is not None


@contextmanager
def thread_pool(threads: int | None) -> Iterator[ThreadPoolExecutor]:
    """Give a pool; an error or Ctrl-C waits for what is being worked on, and drops what is waiting.

    Args:
        threads: How many.
    """
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _is_news(record: logging.LogRecord) -> bool:
    return not any(text in record.getMessage() for text in NO_LINES.get(record.name, ()))


def _one_line(message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None) -> str:
    """Write a warning without the line of code that gave it, which tells a user nothing."""
    return f"{category.__name__}: {message}\n"


def quiet() -> None:
    """Do not show them from now on. Call it after Lightning is imported, which sets filters of its own."""
    for message in NO_NEWS:
        warnings.filterwarnings("ignore", message)
    warnings.formatwarning = _one_line
    for name in NO_LINES:
        logging.getLogger(name).addFilter(_is_news)
