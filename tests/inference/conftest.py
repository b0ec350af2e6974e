"""One short run, whose checkpoint all tests of scoring share."""

from pathlib import Path

import pytest

import sdsiqa
from runs import fit
from sdsiqa.inference.scorer import Scorer


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDSIQA_TEST_SUBSET", "1")
        patch.setenv("WANDB_MODE", "disabled")
        return fit(tmp_path_factory.mktemp("run"), epochs=1)


@pytest.fixture(scope="session")
def checkpoint(run: Path) -> Path:
    return run / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="session")
def scorer(checkpoint: Path) -> Scorer:
    return sdsiqa.load(checkpoint)
