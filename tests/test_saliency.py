"""What every saliency provider promises, and what each one computes."""

import copy
import inspect
import json
import multiprocessing
import pickle  # noqa: TID251 - what a loader does when it sends a provider to its workers
import subprocess
import sys
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sdsiqa.errors import CheckpointError, ImageError, MapNotFoundError, WeightsNotFoundError
from sdsiqa.images import write_image
from sdsiqa.saliency import (
    SDSP,
    CachedMaps,
    CentrePrior,
    Dino,
    Onnx,
    Random,
    SaliencyProvider,
    Shuffled,
    SpectralResidual,
    Stored,
    Uniform,
    to_uint8,
)

SIZES = [(64, 96), (63, 41), (1, 1), (1, 7), (9, 1), (300, 17)]


def photograph(height: int = 64, width: int = 96, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth coloured noise, `(H, W, 3)`."""
    grid = np.random.default_rng(seed).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)).reshape(height, width, 3)


def write_onnx(path: Path, **sidecar: object) -> Path:
    """Write a model whose map is the first channel of its input, and the file beside it."""
    from onnx import TensorProto, helper, save

    free = [1, 3, "h", "w"]
    source = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, free)
    first = helper.make_tensor_value_info("first", TensorProto.FLOAT, [1, 1, "h", "w"])
    both = helper.make_tensor_value_info("both", TensorProto.FLOAT, free)
    bounds = [helper.make_tensor(n, TensorProto.INT64, [1], [v]) for n, v in (("start", 0), ("end", 1), ("axis", 1))]
    nodes = [
        helper.make_node("Slice", ["pixels", "start", "end", "axis"], ["first"]),
        helper.make_node("Identity", ["pixels"], ["both"]),
    ]
    graph = helper.make_graph(nodes, "tiny", [source], [both, first], bounds)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    path.with_suffix(".json").write_text(json.dumps({"multiple_of": 1, "output": "first"} | sidecar))
    return path


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of timm's smallest transformer."""
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("vit") / "vit.safetensors"
    save_file(timm.create_model("test_vit", num_classes=0).state_dict(), path)
    return path


@pytest.fixture
def provider(request: pytest.FixtureRequest, tmp_path: Path, vit: Path) -> SaliencyProvider:
    """A provider of the class that a test asks for."""
    special = {
        CachedMaps: lambda: CachedMaps(SpectralResidual(), tmp_path / "cache"),
        Dino: lambda: Dino("test_vit", weights=vit, long_side=64),
        Onnx: lambda: Onnx(write_onnx(tmp_path / "tiny.onnx")),
        Stored: lambda: Stored(tmp_path / "maps"),
        Shuffled: lambda: Shuffled(tmp_path / "maps"),
    }
    for i, name in enumerate(("a/one.png", "a/two.png", "three.png")):
        write_image(tmp_path / "maps" / name, photograph(seed=10 + i)[..., 0])
    return special.get(request.param, request.param)()


def every_provider() -> list[type[SaliencyProvider]]:
    found: list[type[SaliencyProvider]] = []
    waiting = SaliencyProvider.__subclasses__()
    while waiting:
        found.append(waiting.pop())
        waiting += found[-1].__subclasses__()
    return sorted((kind for kind in found if kind.__module__.startswith("sdsiqa.")), key=lambda kind: kind.__name__)


over_all = pytest.mark.parametrize("provider", every_provider(), ids=lambda kind: kind.__name__, indirect=True)


def test_the_contract_covers_all_sources_of_the_method() -> None:
    names = {kind.__name__ for kind in every_provider()}
    assert names >= {
        "Uniform",
        "Random",
        "CentrePrior",
        "Shuffled",
        "SpectralResidual",
        "SDSP",
        "Stored",
        "Onnx",
        "Dino",
    }


@over_all
@pytest.mark.parametrize("size", SIZES)
def test_a_map_has_the_image_size_and_reaches_zero_and_one(provider: SaliencyProvider, size: tuple[int, int]) -> None:
    saliency = provider(photograph(*size), "a/one.jpg")
    assert saliency.shape == size
    assert saliency.dtype == np.float32
    assert saliency.max() == 1
    assert saliency.min() == 0 or (saliency == 1).all()


@over_all
def test_a_map_depends_on_image_and_name_alone(provider: SaliencyProvider) -> None:
    one, two = photograph(), photograph(50, 30, seed=1)
    first = provider(one, "a/one.jpg")
    provider(two, "a/two.jpg")
    assert np.array_equal(provider(one.copy(), "a/one.jpg"), first)
    fresh = copy.deepcopy(provider)
    fresh(two, "a/two.jpg")
    assert np.array_equal(fresh(one, "a/one.jpg"), first)
    if not provider.uses_name:
        assert np.array_equal(provider(one, "another.jpg"), first)


@over_all
@pytest.mark.parametrize("level", [0, 77, 255])
def test_a_flat_image_gives_a_usable_map(provider: SaliencyProvider, level: int) -> None:
    saliency = provider(np.full((33, 20, 3), level, np.uint8), "a/one.jpg")
    assert np.isfinite(saliency).all()
    assert saliency.max() == 1
    if isinstance(provider, SDSP | SpectralResidual | CachedMaps | Onnx):
        assert (saliency == 1).all()


@over_all
def test_the_image_is_left_alone(provider: SaliencyProvider) -> None:
    image = photograph()
    image.setflags(write=False)  # as the mapped cache gives it
    provider(image, "a/one.jpg")
    assert np.array_equal(image, photograph())


@over_all
def test_settings_travel_and_opened_models_stay(provider: SaliencyProvider) -> None:
    saliency = provider(photograph(), "a/one.jpg")
    data = pickle.dumps(provider)
    assert len(data) < 1500
    received = pickle.loads(data)
    assert repr(received) == repr(provider)
    assert received.fingerprint() == provider.fingerprint()
    assert np.array_equal(received(photograph(), "a/one.jpg"), saliency)


@over_all
def test_constructors_only_store_their_arguments(provider: SaliencyProvider) -> None:
    assert set(provider.settings()) == set(inspect.signature(type(provider)).parameters)
    assert len(provider.fingerprint()) == 16


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SDSP(), SDSP("vsi")),
        (Random(0), Random(1)),
        (CentrePrior(), CentrePrior(0.2)),
        (SpectralResidual(), SpectralResidual(sigma=8)),
        (Uniform(), Random()),
    ],
)
def test_a_fingerprint_tells_settings_apart(one: SaliencyProvider, other: SaliencyProvider) -> None:
    assert one.fingerprint() != other.fingerprint()
    assert one.fingerprint() == copy.deepcopy(one).fingerprint()


def test_a_new_version_has_a_new_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    before = SDSP().fingerprint()
    monkeypatch.setattr(SDSP, "version", 99)
    assert SDSP().fingerprint() != before


@pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_image_is_refused(wrong: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match=r"x\.png: got .*expected RGB"):
        Uniform()(wrong, "x.png")


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[0, np.nan]]))
    with pytest.raises(ImageError, match="not finite"):
        Stored(tmp_path)(photograph(), "x.jpg")


def test_8_bits_keep_the_ends() -> None:
    assert to_uint8(np.array([[0, 0.5, 1, 0.001]], np.float32)).tolist() == [[0, 128, 255, 0]]


def test_providers_import_no_torch() -> None:
    code = (
        "import sys, sdsiqa.saliency.fill; print(sorted({'torch', 'timm', 'onnxruntime', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- controls -------------------------------------------------------------------------------------------------------


def test_random_differs_per_image_and_seed_and_keeps_its_values() -> None:
    image = photograph()
    maps = [Random(seed)(image, name) for seed in (0, 1) for name in ("a.png", "b.png")]
    assert all(np.abs(maps[i] - maps[j]).mean() > 0.05 for i in range(4) for j in range(i))
    # the noise of an image is part of a published result: it must not move with a library
    assert maps[0][[5, 20, 63], [9, 50, 95]] == pytest.approx([0.606842, 0.626895, 0.572741], abs=1e-4)


@pytest.mark.parametrize(("height", "width"), [(41, 81), (40, 80)])
def test_the_centre_prior_is_the_formula(height: int, width: int) -> None:
    saliency = CentrePrior(0.3)(photograph(height, width), "x")
    expected = np.empty((height, width))
    for h in range(height):
        for w in range(width):
            down, right = (h - (height - 1) / 2) / (0.3 * height), (w - (width - 1) / 2) / (0.3 * width)
            expected[h, w] = np.exp(-0.5 * (down**2 + right**2))
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    assert saliency == pytest.approx(expected, abs=1e-6)
    assert np.array_equal(saliency, saliency[::-1, ::-1])


def test_shuffled_is_a_derangement_and_follows_its_seed(tmp_path: Path) -> None:
    names = [f"{i:02d}.png" for i in range(12)]
    for i, name in enumerate(names):
        write_image(tmp_path / name, np.array([[0, 20 * i, 255]], np.uint8))
    donors = {seed: [Shuffled(tmp_path, seed).donor(name).name for name in names] for seed in range(20)}
    for given in donors.values():
        assert sorted(given) == names
        assert all(own != other for own, other in zip(names, given, strict=True))
    assert len({tuple(given) for given in donors.values()}) > 15
    image = photograph(1, 3)
    own = Stored(tmp_path)(image, donors[3][0])
    assert np.array_equal(Shuffled(tmp_path, 3)(image, names[0]), own)
    with pytest.raises(MapNotFoundError, match="unseen"):
        Shuffled(tmp_path, 3)(image, "unseen.png")


def test_one_map_cannot_be_shuffled(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(MapNotFoundError, match="at least two"):
        Shuffled(tmp_path)(photograph(), "a.png")


# --- stored ---------------------------------------------------------------------------------------------------------


def test_stored_maps_are_read_in_every_form(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((5, 8)).astype(np.float32)
    values[0, :2] = 0, 1
    image = photograph(5, 8)
    np.save(tmp_path / "float.npy", values * 37 - 5)
    write_image(tmp_path / "deep.png", np.rint(values * 65535).astype(np.uint16))  # type: ignore[arg-type]
    write_image(tmp_path / "rgb.png", np.repeat(to_uint8(values)[..., None], 3, axis=2))
    write_image(tmp_path / "1600.AWGN.1.png", to_uint8(values))
    stored = Stored(tmp_path)
    assert stored(image, "float.bmp") == pytest.approx(values, abs=1e-6)
    assert stored(image, "deep.jpg") == pytest.approx(values, abs=1e-5)
    assert stored(image, "rgb.jpg") == pytest.approx(values, abs=1 / 509)
    assert stored(image, "1600.AWGN.1.png") == pytest.approx(values, abs=1 / 509)
    assert stored(image, "1600.AWGN.1") == pytest.approx(values, abs=1 / 509)


def test_a_map_of_another_size_is_resized_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, np.array([[0, 255]], np.uint8))
    stored = Stored(tmp_path)
    assert stored(photograph(3, 8), "a.jpg")[1] == pytest.approx([0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1])
    stored(photograph(3, 8), "b.jpg")
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'a.png'}: the map is 2×1, its image 8×3; such maps are resized"
    ]


@pytest.mark.parametrize("name", ["a/none.jpg", "/etc/one.png", "../one.png"])
def test_a_missing_map_is_an_error_with_the_remedy(tmp_path: Path, name: str) -> None:
    with pytest.raises(MapNotFoundError, match=r"sdsiqa saliency|below the root"):
        Stored(tmp_path)(photograph(), name)


@pytest.mark.parametrize("damage", ["cut", "colour", "text", "npy", "objects"])
def test_a_damaged_map_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    path = tmp_path / ("x.npy" if damage in ("npy", "objects") else "x.png")
    write_image(tmp_path / "x.png", photograph() if damage == "colour" else photograph()[..., 0])
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "text":
        path.write_text("a map")
    elif path.suffix == ".npy":
        (tmp_path / "x.png").unlink()
        np.save(path, np.zeros(3) if damage == "npy" else np.array([{}], object), allow_pickle=True)
    with pytest.raises(ImageError, match=path.name):
        Stored(tmp_path)(photograph(), "x.jpg")


def test_the_fingerprint_of_a_folder_follows_its_content_not_its_place(tmp_path: Path) -> None:
    write_image(tmp_path / "one" / "a.png", np.zeros((2, 2), np.uint8))
    before = Stored(tmp_path / "one").fingerprint()
    (tmp_path / "one").rename(tmp_path / "two")
    assert Stored(tmp_path / "two").fingerprint() == before
    assert Shuffled(tmp_path / "two", 0).fingerprint() != Shuffled(tmp_path / "two", 1).fingerprint()
    write_image(tmp_path / "two" / "b.png", np.zeros((2, 2), np.uint8))
    assert Stored(tmp_path / "two").fingerprint() != before
    with pytest.raises(MapNotFoundError, match="no such folder"):
        Stored(tmp_path / "one").fingerprint()


# --- spectral residual ----------------------------------------------------------------------------------------------


def disc(where: tuple[int, int], shape: tuple[int, int] = (96, 128)) -> NDArray[np.uint8]:
    """Grey stripes with one bright disc, `(H, W, 3)`."""
    stripes = (128 + 40 * np.sin(np.arange(shape[1]) * 2 * np.pi / 8)).astype(np.uint8)
    image = np.ascontiguousarray(np.broadcast_to(stripes[None, :, None], (*shape, 3)))
    return np.asarray(cv2.circle(image, where[::-1], 6, (250, 250, 250), -1), np.uint8)


@pytest.mark.parametrize("where", [(30, 40), (70, 90), (20, 100)])
def test_spectral_residual_finds_the_odd_disc(where: tuple[int, int]) -> None:
    saliency = SpectralResidual()(disc(where), "x")
    highest = np.unravel_index(saliency.argmax(), saliency.shape)
    assert np.hypot(highest[0] - where[0], highest[1] - where[1]) < 10


def test_spectral_residual_is_the_formula() -> None:
    from scipy.ndimage import convolve, gaussian_filter, uniform_filter

    image = photograph(75, 100)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) / 255
    small = area_bilinear(grey, 48, 64)
    spectrum = np.fft.fft2(small)
    amplitude = np.log(np.abs(spectrum) + 1e-8)
    residual = amplitude - uniform_filter(amplitude, 3, mode="nearest")
    saliency = np.abs(np.fft.ifft2(np.exp(residual) * spectrum / np.abs(spectrum))) ** 2
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 2.5**2))
    blurred = convolve(saliency, np.outer(taps, taps) / taps.sum() ** 2, mode="constant")
    assert gaussian_filter(saliency, 2.5, mode="constant", truncate=2) == pytest.approx(blurred, rel=1e-6)
    large = cv2.resize(((blurred - blurred.min()) / np.ptp(blurred)).astype(np.float32), (100, 75))
    large = (large - large.min()) / np.ptp(large)
    assert SpectralResidual()(image, "x") == pytest.approx(large, abs=1e-4)


def area_bilinear(image: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Antialiased bilinear resizing by torch, as an independent witness."""
    import torch

    pixels = torch.from_numpy(image)[None, None]
    return torch.nn.functional.interpolate(pixels, (height, width), mode="bilinear", antialias=True)[0, 0].numpy()


# --- SDSP -----------------------------------------------------------------------------------------------------------


CONSTANTS = {"icip2013": (0.002, 6.2, 114, 0.25), "vsi": (0.021, 1.34, 145, 0.001)}


def sdsp_by_loops(image: NDArray[np.uint8], preset: str, *, coloured: bool) -> NDArray[np.float64]:
    """The formula written out for a 256 × 256 image, which needs no resizing."""
    from skimage.color import rgb2lab

    omega, sigma_f, sigma_d, sigma_c = CONSTANTS[preset]
    lab = rgb2lab(image / 255)  # OpenCV's reads a table, and is up to 0.4 off
    gain, centre, colour = np.zeros((256, 256)), np.zeros((256, 256)), np.ones((256, 256))
    for i in range(256):
        for j in range(256):
            radius = np.hypot((i - 128) / 256, (j - 128) / 256)
            if 0 < radius <= 0.5:
                gain[i, j] = np.exp(-(np.log(radius / omega) ** 2) / (2 * sigma_f**2))
            centre[i, j] = np.exp(-((i + 1 - 128) ** 2 + (j + 1 - 128) ** 2) / sigma_d**2)
    shifted = [np.fft.fftshift(np.fft.fft2(lab[..., c])) * gain for c in range(3)]
    energy = sum(np.real(np.fft.ifft2(np.fft.ifftshift(part))) ** 2 for part in shifted)
    if coloured:
        a, b = ((lab[..., c] - lab[..., c].min()) / np.ptp(lab[..., c]) for c in (1, 2))
        colour = 1 - np.exp(-(a**2 + b**2) / sigma_c**2)
    values = np.sqrt(energy) * centre * colour
    return (values - values.min()) / np.ptp(values)


@pytest.mark.parametrize("preset", ["icip2013", "vsi"])
def test_sdsp_is_the_formula(preset: Literal["icip2013", "vsi"]) -> None:
    image = photograph(256, 256)
    assert SDSP(preset)(image, "x") == pytest.approx(sdsp_by_loops(image, preset, coloured=True), abs=1e-4)


@pytest.mark.parametrize("preset", ["icip2013", "vsi"])
def test_sdsp_of_grey_leaves_colour_out(preset: Literal["icip2013", "vsi"]) -> None:
    image = disc((60, 80), (256, 256))  # the rounding of a grey image's colours must not be taken for colours
    assert SDSP(preset)(image, "x") == pytest.approx(sdsp_by_loops(image, preset, coloured=False), abs=1e-4)


def test_sdsp_prefers_the_centre_and_warm_colours() -> None:
    image = np.full((200, 200, 3), 90, np.uint8)
    for row, column in ((100, 100), (20, 20)):
        image[row - 8 : row + 8, column - 8 : column + 8] = (200, 60, 40)
    saliency = SDSP()(image, "x")
    assert saliency[100, 100] > 1.5 * saliency[20, 20]
    warm_and_cold = np.full((200, 200, 3), 110, np.uint8)
    warm_and_cold[80:120, 50:90] = (180, 90, 60)
    warm_and_cold[80:120, 110:150] = (60, 120, 180)
    saliency = SDSP()(warm_and_cold, "x")
    assert saliency[80:120, 50:90].mean() > 2 * saliency[80:120, 110:150].mean()


def test_sdsp_refuses_other_presets() -> None:
    with pytest.raises(ValueError, match="choose one of icip2013, vsi"):
        SDSP("nearest")  # type: ignore[arg-type]


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


# --- cache ----------------------------------------------------------------------------------------------------------


class Counting(SDSP):
    """Counts how often a map is computed."""

    calls = 0

    def _map(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
        type(self).calls += 1
        return super()._map(image, name)


def test_a_kept_map_equals_a_new_one_and_is_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counting, "calls", 0)
    cached, image = CachedMaps(Counting(), tmp_path), photograph()
    miss = cached(image, "a.png")
    hit = CachedMaps(Counting(), tmp_path)(image, "moved/elsewhere.png")
    assert Counting.calls == 1
    assert np.array_equal(miss, hit)
    assert miss == pytest.approx(SDSP()(image, "a.png"), abs=0.5 / 255 + 1e-6)
    assert cached.path(image, "a.png").is_file()
    assert cached.path(image, "a.png").parts[-3].startswith("counting-")


def test_image_setting_and_name_are_the_key(tmp_path: Path) -> None:
    image = photograph(20, 30)
    changed = image.copy()
    changed[3, 4, 1] ^= 1
    cached = CachedMaps(SDSP(), tmp_path)
    paths = {
        cached.path(image, "a"),
        cached.path(changed, "a"),
        cached.path(image.reshape(30, 20, 3), "a"),
        CachedMaps(SDSP("vsi"), tmp_path).path(image, "a"),
        CachedMaps(Random(), tmp_path).path(image, "a"),
        CachedMaps(Random(), tmp_path).path(image, "b"),
    }
    assert len(paths) == 6


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "size", "colour", "text"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: str) -> None:
    cached, image = CachedMaps(SDSP(), tmp_path), photograph()
    right = cached(image, "a")
    path = cached.path(image, "a")
    good = path.read_bytes()
    if damage == "size":
        write_image(path, np.zeros((5, 5), np.uint8))
    elif damage == "colour":
        write_image(path, image)
    else:
        flipped = good[:200] + bytes([good[200] ^ 16]) + good[201:]
        path.write_bytes({"cut": good[: len(good) // 2], "bit": flipped, "empty": b"", "text": b"x" * 99}[damage])
    assert np.array_equal(cached(image, "a"), right)
    assert path.read_bytes() == good


def _hammer(folder: Path, start: int) -> list[bytes]:
    cached = CachedMaps(SpectralResidual(), folder)
    order = np.random.default_rng(start).permutation(np.repeat(np.arange(8), 12))
    maps = {int(i): cached(photograph(40, 40, int(i)), str(i)).tobytes() for i in order}
    return [maps[i] for i in range(8)]


def test_several_processes_share_a_folder(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        results = pool.starmap(_hammer, [(tmp_path, start) for start in range(4)])
    assert results == [results[0]] * 4
    assert len(list(tmp_path.rglob("*.png"))) == 8
    assert not list(tmp_path.rglob("*.part"))
