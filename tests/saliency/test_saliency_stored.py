"""Maps on disk: read by `Stored` and `Shuffled`, kept by `CachedMaps`."""

import multiprocessing
import pickle  # noqa: TID251 - what a loader does to its workers
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from saliency_fakes import photograph

from sdsiqa.errors import ImageError, MapNotFoundError
from sdsiqa.images import read_image, write_image
from sdsiqa.saliency import (
    SDSP,
    CachedMaps,
    CentrePrior,
    Random,
    SaliencyProvider,
    Shuffled,
    SpectralResidual,
    Stored,
    Uniform,
    to_uint8,
)
from sdsiqa.saliency.fill import fill


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


def drawn(folder: Path, parts: dict[str, dict[str, str]], seed: int = 0) -> dict[str, str]:
    """Draw within parts; every image has a map. Gives the image whose map each one gets."""
    contents = {name: content for images in parts.values() for name, content in images.items()}
    for name in contents:
        if not (folder / f"{name[:-4]}.png").exists():
            write_image(folder / f"{name[:-4]}.png", np.zeros((2, 2), np.uint8))
    shuffled = Shuffled(folder, seed).within(lambda: parts)
    copied = pickle.loads(pickle.dumps(shuffled))  # as loader processes get it
    donors = {name: shuffled.donor(name).relative_to(folder).with_suffix(".bmp").as_posix() for name in contents}
    assert donors == {name: copied.donor(name).relative_to(folder).with_suffix(".bmp").as_posix() for name in contents}
    assert copied.fingerprint() == shuffled.fingerprint() != Shuffled(folder, seed).fingerprint()
    return donors


@pytest.mark.parametrize("distorted", [1, 6, 30])
def test_a_map_comes_from_the_same_part_and_another_content(distorted: int, tmp_path: Path) -> None:
    units = {"train": 9, "val": 2, "test": 3}
    parts = {
        part: {f"{part}/{unit}-{i}.bmp": f"{part}{unit}" for unit in range(count) for i in range(distorted)}
        for part, count in units.items()
    }
    contents = {name: content for images in parts.values() for name, content in images.items()}
    for seed in range(4):
        donors = drawn(tmp_path, parts, seed)
        assert all(name.split("/")[0] == other.split("/")[0] for name, other in donors.items())
        assert all(contents[name] != contents[other] for name, other in donors.items())
        assert len(set(donors.values())) == len(donors)  # each map once
    assert drawn(tmp_path, parts, 0) == drawn(tmp_path, parts, 0) != drawn(tmp_path, parts, 1)


def test_a_content_with_half_of_the_maps_is_drawn_and_one_with_more_is_refused(tmp_path: Path) -> None:
    half = {f"test/{i}.bmp": "big" if i < 10 else f"small{i}" for i in range(20)}
    parts = {
        "train": {f"train/{i}.bmp": str(i) for i in range(5)},
        "val": {f"val/{i}.bmp": "one" for i in range(3)},
        "test": half,
    }
    for seed in range(5):
        donors = drawn(tmp_path, parts, seed)
        assert all(half[name] != half[other] for name, other in donors.items() if name in half)
        # the validation part shows one content: it draws together with the training part, never with the test part
        assert all(donors[f"val/{i}.bmp"].startswith("train/") for i in range(3))
        assert {donor.split("/")[0] for name, donor in donors.items() if name in half} == {"test"}
    with pytest.raises(MapNotFoundError, match="10 of the 19 maps of the test part are of the content 'big'"):
        drawn(tmp_path, {**parts, "test": {name: half[name] for name in list(half)[:-1]}})


def test_one_map_cannot_be_shuffled(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(MapNotFoundError, match="at least two"):
        Shuffled(tmp_path)(photograph(), "a.png")


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
    assert miss == pytest.approx(SDSP()(image, "a.png"), abs=1e-4)
    assert cached.path(image, "a.png").is_file()
    assert cached.path(image, "a.png").parts[-3].startswith("counting-")


@pytest.mark.parametrize("provider", [SDSP(), SpectralResidual(), Random(), CentrePrior(), Uniform()], ids=str)
@pytest.mark.parametrize("size", [(256, 256), (300, 420), (90, 41), (1, 7)])
def test_a_network_sees_one_map_whether_it_is_computed_or_kept(
    tmp_path: Path, provider: SaliencyProvider, size: tuple[int, int]
) -> None:
    image = photograph(*size)
    write_image(tmp_path / "images" / "a.png", image)
    assert fill(provider, tmp_path / "images", tmp_path / "maps") == 0
    seen = provider.seen(image, "a.png")
    assert (seen.shape, seen.dtype) == (size, np.uint8)
    for other in (CachedMaps(provider, tmp_path / "kept"), CachedMaps(provider, tmp_path / "kept"), Stored(tmp_path / "maps")):
        assert np.array_equal(other.seen(image, "a.png"), seen)
    assert (
        np.abs(seen / 255 - provider(image, "a.png")).max() <= 2 / 255
    )  # rounded twice, and stretched by what that moves the ends
    assert (seen.max(), seen.min()) in ((255, 0), (255, 255))


def test_kept_maps_have_the_size_at_which_they_are_computed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    image = photograph(300, 420)
    write_image(tmp_path / "images" / "a.jpg", image)
    assert fill(SDSP(), tmp_path / "images", tmp_path / "maps") == 0
    assert read_image(tmp_path / "maps" / "a.png").shape == (256, 256, 3)
    assert Stored(tmp_path / "maps").seen(image, "a.jpg").shape == (300, 420)
    assert not caplog.records  # only maps of other tools are asked whether their size is meant
    for provider, suffix, shape in ((SDSP(), ".pgm", (256, 256, 3)), (Random(), ".png", (300, 420, 3))):
        cached = CachedMaps(provider, tmp_path / "kept")
        cached.seen(image, "a.jpg")
        assert read_image(cached.path(image, "a.jpg").with_suffix(suffix)).shape == shape


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


@pytest.mark.parametrize("provider", [SDSP(), Random()], ids=["PGM", "PNG"])
@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "foreign", "colour", "text"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: str, provider: SaliencyProvider) -> None:
    cached, image = CachedMaps(provider, tmp_path), photograph(260, 270)
    right = cached(image, "a")
    (path,) = [file for file in tmp_path.rglob("*") if file.is_file()]
    good = path.read_bytes()
    assert path.suffix == (".pgm" if isinstance(provider, SDSP) else ".png")
    if damage == "foreign":
        path.write_bytes(
            b"P5\n5 5\n255\n" + bytes(25) if path.suffix == ".pgm" else cv2.imencode(".png", image[:5, :5, 0])[1].tobytes()
        )
    elif damage == "colour":
        path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
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
    assert len(list(tmp_path.rglob("*.pgm"))) == 8
    assert not list(tmp_path.rglob("*.part"))
