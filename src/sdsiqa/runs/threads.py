"""How the threads of a computation on the CPU share the cores with other work."""

import os
import platform
from collections.abc import MutableMapping

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Variables by which a user has decided how threads wait; the last one is that of Intel's library."""

POOL = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")
"""Variables by which a user has decided how many threads numpy's linear algebra has."""


def share_cores(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let threads that wait sleep, and keep one pool of threads in a process: torch's.

    After each operation of a network its threads wait for the slowest one. OpenMP's default is to spin meanwhile: if another
    process holds a core, a spinning thread holds the other, and the one that all wait for gets neither. And numpy's OpenBLAS
    has a pool of its own, which spins longer than a saliency map takes, inside threads and workers that use all cores
    already. `python -m bench.busy` measures both.

    The libraries read the variables when they are loaded, so this comes before numpy and torch are imported.

    Args:
        environment: Variables of this process; changed in place, but for what a user has set.
    """
    if not any(name in environment for name in WAITING):
        environment["OMP_WAIT_POLICY"] = "passive"
    # on other processors than these torch itself computes with an OpenBLAS, which reads the variable too
    if platform.machine() in ("x86_64", "AMD64") and not any(name in environment for name in POOL):
        environment["OPENBLAS_NUM_THREADS"] = "1"
