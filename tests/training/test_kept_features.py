"""Features that are kept between runs belong to the settings that made them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes import write_fake
from network_fakes import build

from sdsiqa.benchmarks import LIVEC
from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.bliinds2 import BLIINDS2
from sdsiqa.models.probe import Probe
from sdsiqa.saliency import SDSP
from sdsiqa.training.solvers.ridge import RidgeStart

CPU = torch.device("cpu")


def dual(**settings: Any) -> QualityNetwork:
    return build(**{"fusion": {"linear_path": True}, **settings})


def probe(**settings: Any) -> QualityNetwork:
    torch.manual_seed(0)
    return Probe(**{"backbones": ["test_efficientnet"], **settings})


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        *((dual, {"saliency_branch": one}) for one in ({"floor": 0.5}, {"power": 2.0}, {"input": "map"}, {"shrink": 2})),
        *((dual, {"saliency_branch": {"attention": how}}) for how in ("plain", "centered")),
        (dual, {"guidance": "plain"}),
        (dual, {"propagate": False}),
        (dual, {"fusion": {"linear_path": True, "join": "product"}}),
        (dual, {"saliency_branch": None}),
        (probe, {"scales": (1.0, 0.5)}),
        (probe, {"levels": [-1]}),
        (probe, {"same_padding": True}),
        (BLIINDS2, {"channel": "luma"}),
    ],
    ids=lambda value: str(getattr(value, "__name__", value)),  # not the address of a function, which each process has for itself
)
def test_other_settings_compute_features_of_their_own(
    make: Callable[..., QualityNetwork], settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    data = QualityDataModule(LIVEC(write_fake("livec", tmp_path / "livec")), SDSP(), crop=32, num_workers=0)
    start = RidgeStart(folder=tmp_path / "features")
    data.prepare_data()
    data.setup("fit")
    first, _ = start.features(make(), data, "train", CPU)
    again, _ = start.features(make(), data, "train", CPU)
    np.testing.assert_array_equal(first, again)
    assert len(list((tmp_path / "features").iterdir())) == 1
    other, _ = start.features(make(**settings), data, "train", CPU)
    assert len(list((tmp_path / "features").iterdir())) == 2
    assert other.shape != first.shape or np.abs(other - first).max() > 1e-3
