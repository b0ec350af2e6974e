"""How the process holds its memory."""

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of <malloc.h>
_LARGEST = 2**31 - 1


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
