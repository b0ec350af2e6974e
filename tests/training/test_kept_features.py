"""Features that are kept between runs belong to the settings that made them."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from fakes import write_fake
from network_fakes import build

from sdsiqa.benchmarks import LIVEC
from sdsiqa.benchmarks.splits import make_split
from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.bliinds2 import BLIINDS2
from sdsiqa.models.components.gates import GCT
from sdsiqa.models.probe import Probe
from sdsiqa.saliency import SDSP
from sdsiqa.training.solvers.closed_form import pooled_features
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


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> QualityDataModule:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    found = QualityDataModule(LIVEC(write_fake("livec", tmp_path / "livec")), SDSP(), crop=32, num_workers=0)
    found.prepare_data()
    found.setup("fit")
    return found


def test_splits_share_the_features_of_their_images(
    data: QualityDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []

    def counted(network: Any, data: Any, rows: Any, device: Any) -> Any:
        computed.extend(rows.index)
        return pooled_features(network, data, rows, device)

    monkeypatch.setattr("sdsiqa.training.solvers.closed_form.pooled_features", counted)
    start, network = RidgeStart(folder=tmp_path / "features"), probe()
    start.features(network, data, "train", CPU)
    data.split = make_split("livec", data.benchmark.table(), 1)
    found, _ = start.features(network, data, "train", CPU)
    assert len(computed) == len(set(computed))  # each image once, though both splits train on most of them
    alone, _ = RidgeStart().features(network, data, "train", CPU)
    np.testing.assert_array_equal(found, alone)


def test_a_probe_beside_a_trained_network_keeps_its_own(data: QualityDataModule, tmp_path: Path) -> None:
    start = RidgeStart(folder=tmp_path / "features")
    torch.manual_seed(0)
    network = dual(kernel=True, probe=Probe(["test_efficientnet"]))
    found, _ = start.features(network, data, "val", CPU)
    assert len(list((tmp_path / "features").iterdir())) == 2
    own, _ = start.features(probe_of(network), data, "val", CPU)
    assert len(list((tmp_path / "features").iterdir())) == 2
    np.testing.assert_array_equal(found[:, -own.shape[1] :], own)
    assert found.shape[1] == len(network.regressor.mean)  # type: ignore[union-attr, arg-type]


def probe_of(network: QualityNetwork) -> QualityNetwork:
    assert isinstance(network.probe, Probe)
    return network.probe


def archive(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"no archive at all",
        archive(images=np.array(["a", "b"]), features=np.zeros((1, 3))),
        archive(images=np.array(["a"])),
    ],
    ids=["empty", "a mark alone", "text", "fewer features than images", "no features"],
)
def test_a_damaged_file_is_computed_again(content: bytes, data: QualityDataModule, tmp_path: Path) -> None:
    start, network = RidgeStart(folder=tmp_path / "features"), probe()
    first, _ = start.features(network, data, "val", CPU)
    (file,) = (tmp_path / "features").iterdir()
    file.write_bytes(content)
    again, _ = start.features(network, data, "val", CPU)
    np.testing.assert_array_equal(first, again)


def test_a_gate_that_learned_a_little_has_features_of_its_own(data: QualityDataModule, tmp_path: Path) -> None:
    start, network = RidgeStart(folder=tmp_path / "features"), dual()
    first, _ = start.features(network, data, "val", CPU)
    gate = next(part for part in network.modules() if isinstance(part, GCT))
    torch.nn.init.constant_(gate.beta, 1e-5)  # less than the digits that a drawn picture is known by
    other, _ = start.features(network, data, "val", CPU)
    assert np.abs(other - first).max() > 0


def test_an_image_that_has_changed_is_computed_again_and_the_others_are_not(
    data: QualityDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, network = RidgeStart(folder=tmp_path / "features"), probe()
    first, _ = start.features(network, data, "val", CPU)
    name = data.rows("val")["image"].iloc[0]
    cv2.imwrite(str(data.benchmark.root / name), 255 - data.benchmark.load(name)[..., ::-1])
    computed: list[str] = []

    def counted(network: Any, data: Any, rows: Any, device: Any) -> Any:
        computed.extend(rows["image"])
        return pooled_features(network, data, rows, device)

    monkeypatch.setattr("sdsiqa.training.solvers.closed_form.pooled_features", counted)
    again, _ = start.features(network, data, "val", CPU)
    assert computed == [name]
    assert not np.array_equal(again[0], first[0])
    np.testing.assert_array_equal(again[1:], first[1:])
