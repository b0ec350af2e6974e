"""How far gates and attention have moved."""

from pathlib import Path

import pytest
import torch

from sdsiqa.inference.checkpoint_paths import shipped_model
from sdsiqa.models import SDSIQA, FusionHead, ImageBranch, SaliencyBranch
from tools.moved import main, moved


def test_what_has_not_learned_has_not_moved() -> None:
    branches = (ImageBranch("test_resnet", weights=None), SaliencyBranch("test_resnet", weights=None))
    network = SDSIQA(*branches, FusionHead(proj_dim=8, head_dim=8))
    found = moved(network)
    assert {name: float(values.max()) for name, values in found.items()} == {"gates": 0.0, "attention": 0.0}
    with torch.no_grad():
        network.fusion.levels[1].gate.beta.fill_(-0.25)
        network.saliency_branch.attention[2].convolution.weight.fill_(0.5)
    found = moved(network)
    assert {name: float(values.max()) for name, values in found.items()} == {"gates": 0.25, "attention": 0.5}
    assert {name: len(values) for name, values in moved(SDSIQA(branches[0], None, FusionHead(gate=None))).items()} == {
        "gates": 0,
        "attention": 0,
    }


def test_a_checkpoint_is_told_in_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    shipped: Path = shipped_model()
    main([str(shipped)])
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("gates: 2048 weights, mean 0.")
    assert second.startswith("attention: ")
