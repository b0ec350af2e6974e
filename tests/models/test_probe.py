"""The probe: frozen features and a regression."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from sdsiqa.errors import WeightsNotFoundError
from sdsiqa.models.components.backbone import Backbone
from sdsiqa.models.components.kernel_map import KernelMap
from sdsiqa.models.probe import Probe
from sdsiqa.training.solvers.feature_regression import RidgeRegression
from sdsiqa.training.solvers.ridge import fit_ridge


def test_features_are_three_statistics_of_every_level_at_every_scale() -> None:
    network = Probe(["test_resnet", "test_convnext"], scales=[1.0, 0.5]).eval()
    image = torch.rand(2, 3, 64, 96)
    found = network.pooled_features(image)
    (first, second), half = network.bodies, torch.nn.functional.interpolate(image, (32, 48), mode="bilinear", antialias=True)
    expected = []
    for body, seen in ((first, image), (second, image), (first, half), (second, half)):
        for level in body(body.normalise(seen)):  # type: ignore[operator]
            places = level.flatten(2)
            deviation = (places.var(2, correction=0) + 1e-8).sqrt()  # a deviation of nothing is held at 1e-4
            expected += [places.mean(2), deviation, places.amax(2)]
    assert found.shape == (2, network.regressor.mean.numel())
    torch.testing.assert_close(found, torch.cat(expected, 1), rtol=1e-4, atol=1e-4)


def test_nothing_in_it_learns() -> None:
    network = Probe(["test_resnet"]).train()
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not network.bodies[0].training
    assert network(torch.rand(3, 3, 64, 64)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("settings", [{"backbones": []}, {"scales": []}, {"scales": [1.0, 2.0]}, {"scales": [0.0]}])
def test_what_cannot_be_is_refused(settings: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Probe(**{"backbones": ["test_resnet"], **settings})  # type: ignore[arg-type]


def test_ridge_regression_is_that_of_the_ridge_start() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(30, 50)), random.random(30)
    x = (x - x.mean(0)) / x.std(0)
    for name, fit in RidgeRegression([1, 100]).candidates().items():
        regressor = KernelMap(50)
        regressor.set(mean=np.zeros(50), scale=np.ones(50), **fit(x, y))
        expected = fit_ridge(x, y, float(name.rpartition(" ")[2]))(x)
        np.testing.assert_allclose(regressor(torch.from_numpy(x)).numpy(), expected, atol=1e-12)


def test_many_pictures_at_once_have_the_scores_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    regressor = KernelMap(7)
    solution = {"vectors": random.normal(size=(5, 7)), "weights": random.normal(size=5), "gamma": 0.1, "bias": 0.3}
    regressor.set(mean=np.zeros(7), scale=np.ones(7), **solution)
    x = torch.from_numpy(random.normal(size=(11, 7)))
    at_once = regressor(x)
    monkeypatch.setattr("sdsiqa.models.components.kernel_map._LARGEST", 2 * 35)
    torch.testing.assert_close(regressor(x), at_once, rtol=1e-12, atol=1e-12)


def test_weights_of_a_folder_are_those_of_the_name(tmp_path: Path) -> None:
    for name, file in (("test_resnet", "test_resnet.safetensors"), ("test_convnext", "test_convnext.in1k.safetensors")):
        torch.manual_seed(1)
        save_file(timm.create_model(name).state_dict(), tmp_path / file)
        body = Backbone(name, str(tmp_path))
        body.load_pretrained()
        torch.manual_seed(1)
        expected = next(iter(timm.create_model(name).parameters()))
        assert torch.equal(next(iter(body.body.parameters())), expected)
    with pytest.raises(WeightsNotFoundError, match=r"there are no weights at .*test_vit\.safetensors"):
        Backbone("test_vit", str(tmp_path)).load_pretrained()
