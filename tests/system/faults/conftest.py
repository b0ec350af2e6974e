"""Faults are injected for real, which takes minutes: `make test-faults` runs these tests, `make test` does not."""

import importlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
# before torch is loaded: a child that is forked from a process with a pool of OpenMP threads waits for them for ever
os.environ["OMP_NUM_THREADS"] = "1"

from lives import Survivals

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def survived() -> Iterator[Survivals]:
    """Collects a row per fault; with RECORD=1 they become the table of docs/runs.md."""
    rows = Survivals()
    yield rows
    print("\n" + rows.table())
    if os.environ.get("RECORD") == "1":
        (ROOT / "results" / "faults.json").write_text(json.dumps(rows.rows, indent=1, ensure_ascii=False) + "\n")
        rows.into(ROOT / "docs" / "runs.md")


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What all lives share; a run in this process first, so that those forked from it find everything imported."""
    chosen = {"OMP_NUM_THREADS": "1", "SDSIQA_TEST_SUBSET": "1", "WANDB_MODE": "disabled"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in chosen.items():
            patch.setenv(name, value)
        patch.syspath_prepend(str(Path(__file__).parents[2] / "helpers"))
        fit = importlib.import_module("runs").fit
        threads = importlib.import_module("torch").get_num_threads()
        assert threads == 1, threads
        fit(tmp_path_factory.mktemp("first"), epochs=1)
    return chosen
