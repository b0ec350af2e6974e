"""The checkpoint that all tests of scoring share."""

from pathlib import Path

import pytest

import sdsiqa
from sdsiqa.inference.scorer import Scorer


@pytest.fixture(scope="session")
def checkpoint(run: Path) -> Path:
    return run / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="session")
def scorer(checkpoint: Path) -> Scorer:
    return sdsiqa.load(checkpoint)
