"""Large blocks that are freed stay with the process."""

import os
import subprocess
import sys

FAULTS = """
import resource, sys
import numpy as np
from sdsiqa.runs.process import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else False
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(8_000_000)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str, **environment: str) -> tuple[str, int]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, how], env={**own, **environment}, capture_output=True, text=True, check=True
    )
    kept, count = done.stdout.split()
    return kept, int(count)


def test_memory_that_is_freed_is_used_again() -> None:
    _, many = faults("leave")
    kept, few = faults("keep")
    assert kept == "True"
    assert few < many / 4


def test_what_the_environment_says_about_memory_holds() -> None:
    assert faults("keep", MALLOC_ARENA_MAX="2")[0] == "False"
