"""Runs that several tests of reports read."""

from pathlib import Path

import pytest
from report_runs import make_run


@pytest.fixture(scope="session")
def ablated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three splits of a full method, one ablation that costs much and one that costs nothing, and another method."""
    runs = tmp_path_factory.mktemp("ablated") / "runs"
    for split in range(3):
        tested = ("livec", "tid2013")
        make_run(runs, split=split, tested=tested)
        make_run(runs, ablation="no_gate", split=split, noise=0.051)
        make_run(runs, ablation="saliency_only", split=split, noise=0.5)
        make_run(runs, method="dbcnn", split=split, noise=0.08, tested=("livec",))
    return runs
