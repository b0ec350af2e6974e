"""How a process holds memory and shares cores: freed blocks stay with it, its threads wait asleep."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdsiqa.runs.process import POOL, WAITING, share_cores

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


HELD = """
import numpy as np
from sdsiqa.runs.process import give_back_memory, keep_freed_memory
keep_freed_memory()
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
start = resident()
arrays = [np.ones(100_000) for _ in range(400)]
del arrays
kept = resident() - start
give_back_memory()
print(kept, resident() - start)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_memory_that_is_kept_can_be_given_back() -> None:
    kept, left = map(int, subprocess.check_output([sys.executable, "-c", HELD], text=True).split())
    assert kept > 250e6
    assert left < kept / 4


def test_what_the_environment_says_about_memory_holds() -> None:
    assert faults("keep", MALLOC_ARENA_MAX="2")[0] == "False"


@pytest.mark.parametrize(("machine", "pool"), [("x86_64", {"OPENBLAS_NUM_THREADS": "1"}), ("aarch64", {})])
def test_threads_spin_briefly_in_the_only_pool(monkeypatch: pytest.MonkeyPatch, machine: str, pool: dict[str, str]) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    environment: dict[str, str] = {}
    share_cores(environment)
    assert environment == {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000", **pool}


@pytest.mark.parametrize("name", [*WAITING, *POOL])
def test_a_users_own_setting_wins(name: str) -> None:
    environment = {name: "2"}
    share_cores(environment)
    assert environment[name] == "2"
    decided = WAITING if name in WAITING else POOL
    assert [other for other in decided if other in environment] == [name]


def test_the_library_that_torch_loads_reads_it() -> None:
    # OMP_DISPLAY_ENV lets the library itself say what it has understood, when it is loaded
    code = (
        "import os; os.environ['OMP_DISPLAY_ENV'] = 'verbose'; "
        "from sdsiqa.runs.process import share_cores; share_cores(); import torch"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True, text=True, check=True, timeout=250,
    )  # fmt: skip
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr
    assert "GOMP_SPINCOUNT = '1000'" in done.stderr or "KMP_BLOCKTIME" in done.stderr  # of GNU's library, or of another


def test_the_command_sets_it_before_it_imports_anything_heavy() -> None:
    code = (
        "import os, sys; [os.environ.pop(name, None) for name in ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT')];"
        "from sdsiqa.cli import main; main(['verify', '/nowhere']);"
        "print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["passive", "False"]
