"""How the threads of a computation on the CPU wait for each other."""

import os
from collections.abc import MutableMapping

OWN = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Variables by which a user has decided it already; the last one is that of Intel's library."""


def wait_asleep(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let threads that wait sleep, so that a training leaves the cores to whoever has work.

    After each operation of a network its threads wait for the slowest one. OpenMP's default is to spin meanwhile: if another
    process holds a core, a spinning thread holds the other, and the one that all wait for gets neither. Results do not
    depend on it; `python -m bench.busy` measures it.

    The libraries read the variable when they are loaded, so this comes before torch is imported.

    Args:
        environment: Variables of this process; changed in place, unless one of `OWN` is set.
    """
    if not any(name in environment for name in OWN):
        environment["OMP_WAIT_POLICY"] = "passive"
