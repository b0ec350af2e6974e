"""A kernel regression on what a trained SDS-IQA sees, in place of its head."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from runs import CONFIGS, QUICK, fit
from sdsiqa.inference.checkpoint import read_checkpoint
from sdsiqa.models.components.fusion_head import FusionHead
from sdsiqa.models.components.image_branch import ImageBranch
from sdsiqa.models.components.saliency_branch import SaliencyBranch
from sdsiqa.models.probe import Probe
from sdsiqa.models.sdsiqa import SDSIQA
from sdsiqa.runs.folder import RunFolder
from sdsiqa.training.solvers.ridge import RidgeStart
from sdsiqa.training.task import QualityTask

SMALL = """
model:
  network:
    init_args:
      image_branch: {backbone: test_resnet, weights: null, same_padding: false, levels: null}
      saliency_branch: {backbone: test_resnet, weights: null, same_padding: false, levels: null}
"""
SMALL_PROBE = """
model:
  network:
    init_args:
      probe: {init_args: {backbones: [test_convnext], weights: null, same_padding: false}}
"""


def parts() -> tuple[ImageBranch, SaliencyBranch, FusionHead]:
    fusion = FusionHead(proj_dim=8, head_dim=8, linear_path=True)
    return ImageBranch("test_resnet"), SaliencyBranch("test_resnet", shrink=2), fusion


def test_the_score_is_the_kernel_of_fused_and_frozen_features() -> None:
    network = SDSIQA(*parts(), kernel=True, probe=Probe(["test_convnext"], scales=[1.0, 0.5])).train()
    image, saliency = torch.rand(2, 3, 64, 96), torch.rand(2, 1, 64, 96)
    assert network.probe is not None
    features = torch.cat([network.pooled_features(image, saliency), network.probe.pooled_features(image)], 1)
    width = features.shape[1]
    assert len(network.regressor.mean) == width
    random = np.random.default_rng(0)
    weight = random.normal(size=(1, width))
    network.regressor.set(mean=np.zeros(width), scale=np.ones(width), vectors=weight, weights=[1.0], gamma=0.0, bias=0.5)
    torch.testing.assert_close(network(image, saliency), (features.double() @ torch.from_numpy(weight[0]) + 0.5).float())
    score, attention = network.score_and_attention(image, saliency)
    assert torch.equal(score, network(image, saliency))
    assert len(attention) == 4


def test_nothing_in_it_learns() -> None:
    network = SDSIQA(*parts(), kernel=True, probe=Probe(["test_convnext"])).train()
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not any(module.training for module in network.modules())
    assert len(network.pretrained_parts()) == 3


def test_its_features_are_those_of_the_trained_network() -> None:
    trained, network = SDSIQA(*parts()).eval(), SDSIQA(*parts(), kernel=True)
    network.load_state_dict(trained.state_dict(), strict=False)
    image, saliency = torch.rand(1, 3, 64, 64), torch.rand(1, 1, 64, 64)
    assert torch.equal(network.pooled_features(image, saliency), trained.pooled_features(image, saliency))


def test_what_cannot_be_is_refused() -> None:
    image, saliency, fusion = parts()
    with pytest.raises(ValueError, match=r"set fusion.linear_path to true"):
        SDSIQA(image, saliency, FusionHead(proj_dim=8, head_dim=8), kernel=True)
    with pytest.raises(ValueError, match="set kernel to true, or probe to null"):
        SDSIQA(image, saliency, fusion, probe=Probe(["test_convnext"]))


def test_a_start_for_a_head_that_is_not_asked_is_refused() -> None:
    with pytest.raises(ValueError, match="ridge_start starts what is trained, and SDSIQA is fitted; set it to null"):
        QualityTask(SDSIQA(*parts(), kernel=True), ridge_start=RidgeStart())


@pytest.mark.parametrize("branch", [None, "saliency_branch", "image_branch"])
def test_the_recipe_of_two_runs_ends_in_a_tested_kernel(
    branch: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("SDSIQA_CACHE", str(tmp_path / "cache"))
    for name, text in (("small", SMALL), ("small_probe", SMALL_PROBE)):
        (tmp_path / f"{name}.yaml").write_text(text)
    stage = ["-c", str(CONFIGS / "overlay" / "few_images.yaml"), "-c", str(tmp_path / "small.yaml")]
    stage += [] if branch is None else [f"--model.network.init_args.{branch}", "null"]
    short = [*QUICK, "--trainer.max_epochs", "1"]
    first = fit(tmp_path, *stage, *short, "--run.test", "false")
    second = ["-c", str(CONFIGS / "overlay" / "few_images_kernel.yaml"), "-c", str(tmp_path / "small_probe.yaml")]
    folder = fit(tmp_path, *stage, *second, "--model.init_from", str(first), "--run.name", "kernel", *short)
    assert "regression: SVR with cost 0.5" in capsys.readouterr().out
    learned, got = (read_checkpoint(RunFolder(place).best)["state_dict"] for place in (first, folder))  # type: ignore[arg-type]
    kept = [name for name in learned if name.startswith(("network.image_branch", "network.saliency_branch", "network.fusion"))]
    assert kept
    assert all(torch.equal(learned[name], got[name]) for name in kept)
    assert got["network.regressor.vectors"].shape[1] == len(got["network.regressor.mean"])
    assert len(pd.read_csv(next((folder / "scores").glob("*-test.csv"))).score.unique()) > 1
