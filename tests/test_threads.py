"""Threads of a training wait asleep, unless the user has said how they wait."""

import subprocess
import sys

import pytest

from sdsiqa.threads import OWN, wait_asleep


def test_threads_sleep_by_default() -> None:
    environment: dict[str, str] = {}
    wait_asleep(environment)
    assert environment == {"OMP_WAIT_POLICY": "passive"}


@pytest.mark.parametrize("name", OWN)
def test_a_users_own_setting_wins(name: str) -> None:
    environment = {name: "1"}
    wait_asleep(environment)
    assert environment == {name: "1"}


def test_the_library_that_torch_loads_reads_it() -> None:
    # OMP_DISPLAY_ENV lets the library itself say what it has understood, when it is loaded
    code = (
        "import os; os.environ['OMP_DISPLAY_ENV'] = 'true'; from sdsiqa.threads import wait_asleep; wait_asleep(); import torch"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True, text=True, check=True, timeout=250,
    )  # fmt: skip
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr


def test_the_command_sets_it_before_it_imports_anything_heavy() -> None:
    code = (
        "import os, sys; os.environ.pop('OMP_WAIT_POLICY', None); from sdsiqa.cli import main; main(['verify', '/nowhere']);"
        "print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["passive", "False"]
