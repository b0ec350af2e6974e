"""What every saliency provider promises."""

import copy
import inspect
import pickle  # noqa: TID251 - what a loader does when it sends a provider to its workers
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from saliency_fakes import photograph, write_onnx, write_vit

from sdsiqa.errors import ImageError
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


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vit(tmp_path_factory.mktemp("vit") / "vit.safetensors")


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
    code = "import sys, sdsiqa.saliency.fill; print(sorted({'torch', 'timm', 'onnxruntime', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
