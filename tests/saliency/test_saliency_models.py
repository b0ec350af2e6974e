"""Providers that are a network: DINO transformers and ONNX files."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from saliency_fakes import photograph, write_onnx, write_vit

from sdsiqa.errors import CheckpointError, WeightsNotFoundError
from sdsiqa.saliency import Dino, Onnx


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vit(tmp_path_factory.mktemp("vit") / "vit.safetensors")


# --- DINO -----------------------------------------------------------------------------------------------------------


def test_dino_is_the_class_tokens_attention(vit: Path) -> None:
    import timm
    import torch
    from safetensors.torch import load_file

    image = photograph(48, 80)
    model = timm.create_model("test_vit", num_classes=0, dynamic_img_size=True).eval()
    model.load_state_dict(load_file(vit))
    attention = model.blocks[-1].attn
    seen = []
    attention.qkv.register_forward_hook(lambda module, inputs, output: seen.append(output))
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        model.forward_features((pixels - 0.5) / 0.5)
        tokens, heads = 1 + 3 * 5, attention.num_heads
        q, k, _ = seen[0].reshape(tokens, 3, heads, -1).permute(1, 2, 0, 3)
        weights = torch.stack([torch.softmax(q[h, 0] @ k[h].T * q.shape[-1] ** -0.5, dim=0) for h in range(heads)])
    looks = cv2.resize(weights.mean(0)[1:].reshape(3, 5).numpy(), (80, 48))
    saliency = Dino("test_vit", weights=vit, long_side=80)(image, "x")
    assert saliency == pytest.approx((looks - looks.min()) / np.ptp(looks), abs=1e-3)


def test_dino_never_fetches_by_itself(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match="pretrained: timm"):
        Dino("test_vit")(photograph(), "x")
    with pytest.raises(WeightsNotFoundError, match=r"none\.safetensors"):
        Dino("test_vit", weights=tmp_path / "none.safetensors")(photograph(), "x")
    with pytest.raises(ValueError, match="one of them"):
        Dino("test_vit", weights=tmp_path / "x", pretrained="timm")


def test_dino_refuses_other_networks(vit: Path) -> None:
    with pytest.raises(CheckpointError, match="test_vit2"):
        Dino("test_vit2", weights=vit)(photograph(), "x")
    with pytest.raises(CheckpointError, match="no_such_network"):
        Dino("no_such_network", weights=vit)(photograph(), "x")
    assert Dino.slow


def test_dino_follows_its_weights(vit: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes(vit.read_bytes())
    assert Dino("test_vit", weights=moved).fingerprint() == Dino("test_vit", weights=vit).fingerprint()
    moved.write_bytes(vit.read_bytes()[:-1] + b"!")
    assert Dino("test_vit", weights=moved).fingerprint() != Dino("test_vit", weights=vit).fingerprint()


# --- ONNX -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sidecar", "channel", "shape"),
    [
        ({}, 0, lambda v: v),
        ({"channels": "BGR"}, 2, lambda v: v),
        ({"output": 1, "value_range": [0, 255], "mean": [100, 0, 0], "std": [50, 1, 1]}, 0, lambda v: v),
        ({"kind": "logit", "value_range": [-4, 4]}, 0, lambda v: 1 / (1 + np.exp(4 - 8 * v))),
        ({"kind": "log-density", "value_range": [-3, 0]}, 0, lambda v: np.exp(3 * v)),
    ],
)
def test_onnx_follows_its_sidecar(tmp_path: Path, sidecar: dict[str, object], channel: int, shape: object) -> None:
    image = photograph(33, 21)
    saliency = Onnx(write_onnx(tmp_path / "m.onnx", **sidecar))(image, "x")
    expected = shape(image[..., channel] / 255)  # type: ignore[operator]
    assert saliency == pytest.approx((expected - expected.min()) / np.ptp(expected), abs=1e-5)


def test_onnx_sizes(tmp_path: Path) -> None:
    from sdsiqa.saliency.onnx import Sidecar

    image = photograph(100, 50)
    assert Sidecar(size=(24, 32)).prepare(image).shape == (1, 3, 24, 32)
    assert Sidecar(size=(24, 32), layout="NHWC").prepare(image).shape == (1, 24, 32, 3)
    assert Sidecar(multiple_of=32).prepare(image).shape == (1, 3, 96, 64)
    assert Sidecar(multiple_of=16, long_side=64).prepare(image).shape == (1, 3, 64, 32)
    assert Onnx(write_onnx(tmp_path / "m.onnx", multiple_of=None, size=[24, 32]))(image, "x").shape == (100, 50)


@pytest.mark.parametrize(
    ("sidecar", "message"),
    [
        ({"multiple_of": None}, "either `size"),
        ({"layout": "CHW"}, "choose one of NCHW, NHWC"),
        ({"means": [0, 0, 0]}, "unknown key 'means'; known are size"),
        ({"mean": [0, 0]}, "expected 3 numbers"),
        ({"output": "none"}, r"outputs: \['both', 'first'\]"),
        ({"output": "both"}, "expected one map"),
    ],
)
def test_onnx_names_what_is_wrong_in_the_sidecar(tmp_path: Path, sidecar: dict[str, object], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        Onnx(write_onnx(tmp_path / "m.onnx", **sidecar))(photograph(), "x")


def test_onnx_needs_its_files(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match=r"m\.onnx"):
        Onnx(tmp_path / "m.onnx").fingerprint()
    model = write_onnx(tmp_path / "m.onnx")
    before = Onnx(model).fingerprint()
    model.with_suffix(".json").unlink()
    with pytest.raises(CheckpointError, match=r"write m\.json beside it"):
        Onnx(model)(photograph(), "x")
    model.with_suffix(".yaml").write_text("multiple_of: 1\noutput: first\nkind: logit\n")
    assert Onnx(model).fingerprint() != before
    assert Onnx(model)(photograph(), "x").max() == 1
    model.write_bytes(b"no model")
    with pytest.raises(CheckpointError, match="export the model again"):
        Onnx(model)(photograph(), "x")
