"""Every test runs without a network, and from the same seeds."""

import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numerical import is_numerical

os.environ.setdefault("WANDB_MODE", "offline")
os.environ["WANDB_SILENT"] = "true"
os.environ["HF_HUB_OFFLINE"] = "1"

_connect = socket.socket.connect


def _refuse(self: socket.socket, address: Any) -> None:
    """Let a process talk to itself and to its machine; refuse all else."""
    if self.family == socket.AF_UNIX or (isinstance(address, tuple) and str(address[0]) in ("127.0.0.1", "::1", "localhost")):
        return _connect(self, address)
    raise RuntimeError(f"a test wants to reach {address!r}: tests run without a network")


socket.socket.connect = _refuse  # type: ignore[method-assign]

# no test cuts the power: the disk may take its time with what thousands of small files hold; programs that tests start still wait
os.fsync = lambda file: None  # type: ignore[assignment]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the numerical tests; `make test-portable` runs them on other kernels.

    Raises:
        UsageError: A test is named by an address, so that several processes would not agree on what there is to run.
    """
    for item in items:
        if " at 0x" in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid}: an address names this test; give `ids` that every process makes alike")
        if isinstance(item, pytest.Function) and is_numerical(item):
            item.add_marker(pytest.mark.numerical)


@pytest.fixture(autouse=True)
def _seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed what tests draw from, and keep one test's seed variable from the next."""
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    np.random.seed(0)  # noqa: NPY002 - libraries under test may use the old generator
    try:
        import torch

        torch.manual_seed(0)
    except ImportError:
        pass


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of one short run, which tests read and leave as it is."""
    from runs import fit

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDSIQA_TEST_SUBSET", "1")
        patch.setenv("WANDB_MODE", "disabled")
        patch.delenv("PL_GLOBAL_SEED", raising=False)  # which an earlier test's run may have set in this process
        return fit(tmp_path_factory.mktemp("run"), epochs=1)


@pytest.fixture
def logged_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody is logged in to W&B, whoever runs the tests."""
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
