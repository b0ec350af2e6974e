"""ONNX files in the place of a checkpoint: read, run, and refused in one sentence."""

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from checkpoints import recipe, write_checkpoint
from fakes import scene
from onnx import TensorProto, helper
from timm.layers.padding import get_same_padding
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

import sdsiqa
from sdsiqa.cli import main
from sdsiqa.errors import CheckpointError, ImageError, MissingExtraError
from sdsiqa.images import write_image
from sdsiqa.inference import onnx_operators
from sdsiqa.inference.onnx_check import drawn_pictures, largest_difference
from sdsiqa.inference.onnx_file import OnnxNetwork, read_onnx
from sdsiqa.inference.onnx_operators import adaptive_average
from sdsiqa.inference.scorer import Scorer
from sdsiqa.models.base import QualityNetwork
from sdsiqa.saliency import CentrePrior

pytestmark = pytest.mark.filterwarnings("default")


def content(facts: dict[str, str] | None = None, output: str = "score", sides: tuple[Any, Any] = ("height", "width")) -> bytes:
    """Give an ONNX file whose score is the mean of a picture."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["pictures", 3, *sides])
    score = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["pictures"])
    axes = helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3])
    node = helper.make_node("ReduceMean", ["image", "axes"], [output], keepdims=0)
    graph = helper.make_graph([node], "mean", [image], [score], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    own = {"sdsiqa": recipe("CNNIQA", view="whole").to_json(), "format": "1", "size": "any size"}
    helper.set_model_props(model, own if facts is None else facts)
    onnx.checker.check_model(model)
    written: bytes = model.SerializeToString()
    return written


class Mean(QualityNetwork):
    """The mean of a picture, changed."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.change = change

    def forward(self, image: Tensor) -> Tensor:
        return self.change(image.mean((1, 2, 3)))

    def pretrained_parts(self) -> list[nn.Module]:
        return []


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "mean.onnx").write_bytes(content())
    return tmp_path / "mean.onnx"


def test_a_file_is_scored_as_a_checkpoint_is(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = scene(1, 120, 90)
    write_image(tmp_path / "photo.png", image)
    scorer = sdsiqa.load(file)
    assert repr(scorer) == "Scorer(CNNIQA trained on LIVE In the Wild, whole images, by onnxruntime on cpu)"
    assert scorer(image) == pytest.approx(image.mean() / 255, abs=1e-6)
    assert sdsiqa.score(tmp_path / "photo.png", file).tolist() == scorer(image).tolist()
    words = ["score", str(tmp_path / "photo.png"), "--checkpoint", str(file), "--map", str(tmp_path / "maps")]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert float(out.split()[0]) == pytest.approx(100 * scorer(image)[0], abs=1e-3)
    assert f"{file}: scores on 0 to 100, higher is better" in err
    assert (tmp_path / "maps" / "photo.png.png").is_file()


OURS = {"sdsiqa": recipe("CNNIQA").to_json(), "format": "1"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is no ONNX file that onnxruntime opens, or is cut ("),
        (b"not a model", "is no ONNX file that onnxruntime opens, or is cut ("),
        (content()[:-40], "is no ONNX file that onnxruntime opens, or is cut ("),
        (content({}), "was not made by `sdsiqa export`; it does not say how an image is given to it"),
        (content(output="quality"), "was not made by `sdsiqa export`"),
        (content({**OURS, "format": "9"}), "has format '9', and this sdsiqa reads 1; export the checkpoint again"),
        (content({**OURS, "sdsiqa": "{"}), "its recipe is damaged (JSONDecodeError)"),
        (content({**OURS, "sdsiqa": recipe("CNNIQA", saliency="Gone").to_json()}), "names a class that is not there"),
        (None, "is a folder; name a file that `sdsiqa export` wrote"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    data: bytes | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "other.onnx"
    if data is None:
        file.mkdir()
        with pytest.raises(CheckpointError) as refused:
            sdsiqa.load(file)
        assert str(refused.value) == f"{file}: {said}"
        return
    file.write_bytes(data)
    write_image(tmp_path / "photo.png", scene(1, 64, 48))
    assert main(["score", str(tmp_path / "photo.png"), "--checkpoint", str(file)]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1), err
    assert err.startswith(f"sdsiqa score: {file}: {said}") or (said in err and str(file) in err)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.onnx: there is no such file; name a file that `sdsiqa export` wrote"):
        sdsiqa.load(tmp_path / "none.onnx")


def test_a_missing_onnxruntime_is_named_with_the_install_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"onnxruntime is needed for ONNX files: pip install 'sdsiqa\[onnx\]'"):
        sdsiqa.load(file)


def test_a_picture_of_another_size_than_the_file_is_for_is_a_listed_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = {"sdsiqa": recipe("CNNIQA", view="whole").to_json(), "format": "1", "size": "64×64 pixels"}
    (tmp_path / "fixed.onnx").write_bytes(content(facts, sides=(64, 64)))
    for name, height in (("a.png", 64), ("b.png", 80)):
        write_image(tmp_path / name, scene(1, height, 64))
    assert main(["score", str(tmp_path), "--checkpoint", str(tmp_path / "fixed.onnx")]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    assert "b.png" not in out
    assert "onnxruntime cannot compute pictures of 64×80 pixels (" in err
    assert "the file is for pictures of 64×64 pixels" in err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda score: score, ""),
        (lambda score: score + 9e-5, ""),
        (lambda score: score + 2e-4, r"a picture of 131×97 pixels gets 0\.\d+, and 0\.\d+ from the checkpoint"),
        (lambda score: 1e-5 * score, r"a picture of 131×97 pixels gets"),
        (lambda score: score + score * torch.nan, "its score is nan"),
    ],
)
def test_a_file_is_compared_with_its_network_in_value(change: Callable[[Tensor], Tensor], said: str) -> None:
    given = recipe("CNNIQA", view="whole")
    network = Scorer(Mean(change), CentrePrior(), given)
    file = Scorer(OnnxNetwork(content(), "mean"), CentrePrior(), given)
    if said:
        with pytest.raises((CheckpointError, ImageError), match=said):
            largest_difference(network, file, any_size=True)
    else:
        assert largest_difference(network, file, any_size=True) <= 1e-4


def test_a_file_is_compared_with_its_network_in_rank() -> None:
    given = recipe("CNNIQA", view="whole")
    low, high = sorted(float(image.mean()) / 255 for image, _ in drawn_pictures())[2:4]

    def flat(scale: float, value: Callable[[Tensor], Tensor] = lambda score: score) -> Scorer:
        """All scores are near each other, so that two may change places within the tolerance of values."""
        return Scorer(Mean(lambda score: scale * value(score)), CentrePrior(), given)

    def lifted(score: Tensor) -> Tensor:
        return torch.where((score - low).abs() < 1e-4, score.new_tensor(high + 0.05), score)

    assert largest_difference(flat(1e-4), flat(1e-4), any_size=True) == 0
    assert 0 < largest_difference(flat(1e-4), flat(2e-4), any_size=True) < 1e-4
    with pytest.raises(CheckpointError, match="it orders two pictures otherwise"):
        largest_difference(flat(1e-4), flat(1e-4, lifted), any_size=True)


@pytest.mark.parametrize("size", [(7, 7), (8, 4), (1, 1), (2, 20), (13, 17)])
def test_averages_over_fields_are_those_of_pytorch(size: tuple[int, int]) -> None:
    features = torch.rand(2, 3, 13, 17)
    assert torch.allclose(adaptive_average(features, size), F.adaptive_avg_pool2d(features, size), atol=1e-6)


def test_padding_in_whole_numbers_is_that_of_timm() -> None:
    for setting in itertools.product(range(1, 60), range(1, 8), (1, 2, 3), (1, 2)):
        assert onnx_operators.same_padding(*setting) == get_same_padding(*setting), setting


def test_what_cannot_be_exported_is_one_sentence_and_no_file(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out" / "model.onnx"

    def said(checkpoint: Path, *, status: int = 1, onnx: Path = target) -> str:
        try:
            found = main(["export", str(checkpoint), "--onnx", str(onnx)])
        except SystemExit as stop:
            found = int(str(stop.code))
        out, err = capsys.readouterr()
        assert (found, out, err.count("\n"), onnx.exists()) == (status, "", 1, False), err
        return err

    assert "PSNR compares with references" in said(write_checkpoint(tmp_path / "psnr.ckpt", "PSNR"))
    assert "there is no such checkpoint" in said(tmp_path / "none.ckpt")
    assert "is an ONNX file already" in said(file)
    assert "model.pt does not end in .onnx" in said(tmp_path / "psnr.ckpt", status=2, onnx=tmp_path / "model.pt")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert "onnxscript is needed to export: pip install 'sdsiqa[onnx]'" in said(tmp_path / "psnr.ckpt")


def test_attention_is_read_only_where_there_is_some(file: Path) -> None:
    image = torch.zeros(1, 3, 40, 40)
    assert read_onnx(file).explain(image, image[:, :1]) == ([], [])
    assert np.isfinite(read_onnx(file)(image).numpy()).all()
