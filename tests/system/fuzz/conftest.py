"""Hundreds of commands with a fault each: `make test-fuzz` runs them, `make test` does not."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
# before torch is loaded: a child that is forked from a process with a pool of OpenMP threads waits for them for ever
os.environ["OMP_NUM_THREADS"] = "1"

from place import Place

VERBS = ("experiments.grid", "experiments.submit", "inference.scorer", "tracking.dashboard", "tracking.offline", "report.cli")


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give a folder with all that commands need; everything is imported, so that processes forked from this one start at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDSIQA_TEST_SUBSET", "1")
        patch.setenv("WANDB_MODE", "disabled")
        for name in VERBS:
            pytest.importorskip(f"sdsiqa.{name}")
        yield Place(tmp_path_factory.mktemp("fuzz"))
