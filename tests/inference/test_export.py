"""`sdsiqa export`: the file scores as the checkpoint does, for CNN and ViT bodies, at every size."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from checkpoints import branches, recipe, write_checkpoint
from fakes import scene
from torch import Tensor, nn

import sdsiqa
from sdsiqa.cli import main
from sdsiqa.errors import CheckpointError
from sdsiqa.images import write_image
from sdsiqa.inference.export import exported
from sdsiqa.inference.onnx_file import OnnxNetwork
from sdsiqa.inference.scorer import Scorer
from sdsiqa.models.base import QualityNetwork
from sdsiqa.saliency import CentrePrior

pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.slow]

CNN, VIT = "test_resnet", "test_vit"


def same_padding(backbone: str) -> dict[str, Any]:
    """Give the arguments of an SDS-IQA as the model that ships is one: padded as TensorFlow does, statistics frozen."""
    branch = {"backbone": backbone, "same_padding": True, "frozen_statistics": True}
    return {**branches(backbone), "image_branch": branch, "saliency_branch": branch, "guidance": "centered"}


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "SDSIQA-cnn": ("SDSIQA", branches(CNN)),
    "SDSIQA-shrink": ("SDSIQA", {**branches(CNN), "saliency_branch": {"backbone": CNN, "weights": None, "shrink": 2}}),
    "SDSIQA-vit": ("SDSIQA", branches(VIT, propagate=False)),
    "SDSIQA-saliency-pool": ("SDSIQA", {**branches(CNN), "saliency_branch": None, "fusion": {"pool": "saliency", "proj_dim": 8}}),
    "SDSIQA-same-padding": ("SDSIQA", same_padding("test_efficientnet")),
    "CNNIQA": ("CNNIQA", {"width": 16}),
    "HyperIQA-cnn": ("HyperIQA", {"backbone": CNN}),
    "HyperIQA-vit": ("HyperIQA", {"backbone": VIT}),
    "DBCNN-cnn": ("DBCNN", {"backbone": CNN}),
    "DBCNN-vit": ("DBCNN", {"backbone": VIT}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_file_scores_as_its_checkpoint(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, arguments = CASES[case]
    checkpoint, file = write_checkpoint(tmp_path / "best.ckpt", network, **arguments), tmp_path / "model.onnx"
    assert main(["export", str(checkpoint), "--onnx", str(file)]) == 0
    out, err = capsys.readouterr()
    assert "of any size" in out
    assert (out.count("\n"), err) == (1, "")
    photos = [scene(seed, *size) for seed, size in enumerate([(120, 90), (33, 190), (201, 64), (75, 75)])]
    theirs, ours = sdsiqa.load(checkpoint), sdsiqa.load(file)
    assert ours(photos) == pytest.approx(theirs(photos), abs=1e-5)
    assert ours(photos).argsort().tolist() == theirs(photos).argsort().tolist()
    planes = theirs.look(photos[0])
    for here, there in zip(ours.guides(*planes), theirs.guides(*planes), strict=True):
        assert here == pytest.approx(there, abs=1e-5)
    content = file.read_bytes()
    assert str(tmp_path).encode() not in content
    assert b"site-packages" not in content
    assert b"src/sdsiqa" not in content


def test_a_file_says_what_a_reader_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint, file = write_checkpoint(tmp_path / "best.ckpt", "CNNIQA", width=16), tmp_path / "deep" / "model.onnx"
    assert main(["export", str(checkpoint), "--onnx", str(file)]) == 0
    model = onnx.load(file)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts["name"] == "CNNIQA of LIVE In the Wild"
    assert facts["version"] == sdsiqa.__version__ == model.producer_version
    assert facts["size"] == "any size"
    assert facts["view"] == "whole pictures"
    assert facts["saliency"] == "none"
    assert facts["input_range"].startswith("0 to 1; image: RGB (pictures, 3, height, width)")
    assert facts["score_range"] == "0 (worst) to 1 (best): 0 to 100 on the scale of LIVE In the Wild; not clipped"
    (image,) = model.graph.input
    assert [side.dim_param or side.dim_value for side in image.type.tensor_type.shape.dim] == ["pictures", 3, "height", "width"]
    onnx.checker.check_model(model, full_check=True)
    assert [path.name for path in file.parent.iterdir()] == ["model.onnx"]
    photos = tmp_path / "photos"
    for seed in range(3):
        write_image(photos / f"{seed}.png", scene(seed, 70, 50 + 9 * seed))
    capsys.readouterr()
    printed = []
    for name in (checkpoint, file):
        assert main(["score", str(photos), "--checkpoint", str(name), "--scale", "mos"]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


class OfOneSize(QualityNetwork):
    """A linear map of all pixels of a picture of 64×64."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(3 * 64 * 64, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.line(image.flatten(1))[:, 0]

    def pretrained_parts(self) -> list[nn.Module]:
        return []


def test_a_network_for_one_size_is_exported_for_its_crops_or_refused() -> None:
    torch.manual_seed(0)
    crops, whole = (Scorer(OfOneSize(), CentrePrior(), recipe("CNNIQA", view=view)) for view in ("grid", "whole"))
    content, size, difference = exported(crops, "best.ckpt")
    assert size == "64×64 pixels"
    assert difference < 1e-5
    network = OnnxNetwork(content, "file")
    assert network.facts["size"] == "64×64 pixels"
    photo = scene(1, 120, 90)
    assert Scorer(network, CentrePrior(), crops.recipe)(photo) == pytest.approx(crops(photo), abs=1e-5)
    with pytest.raises(
        CheckpointError, match=r"^best\.ckpt: CNNIQA cannot be exported: not for pictures of any size \(.*checkpoint"
    ):
        exported(whole, "best.ckpt")


def test_a_network_of_windows_is_exported_for_its_crops_and_for_no_other_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch takes hours to trace windows of any size, so that it is not tried."""
    whole = recipe("SDSIQA", view="whole", **branches("swin_tiny_patch4_window7_224", propagate=False, saliency_branch=None))
    with pytest.raises(
        CheckpointError, match=r"any size \(Swin\w+ works in windows, which PyTorch would trace for hours\); score"
    ):
        exported(Scorer(whole.build_network(), CentrePrior(), whole), "best.ckpt")
    monkeypatch.setattr(sys.modules[__name__], "window_partition", None, raising=False)
    _, size, _ = exported(Scorer(OfOneSize(), CentrePrior(), recipe("CNNIQA", view="grid")), "best.ckpt")
    assert size == "64×64 pixels"


def test_small_numbers_under_a_root_are_kept() -> None:
    class Root(OfOneSize):
        def forward(self, image: Tensor) -> Tensor:
            return 1000 * (0 * image.sum((1, 2, 3)) + 1e-8).sqrt() + image.mean((1, 2, 3))

    content, *_ = exported(Scorer(Root(), CentrePrior(), recipe("CNNIQA", view="whole")), "best.ckpt")
    picture = torch.zeros(1, 3, 40, 40)
    assert np.allclose(OnnxNetwork(content, "file")(picture), 0.1)
