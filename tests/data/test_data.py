"""From a benchmark's table to batches: one decode, one map, many crops that depend on nothing but seed, epoch, image."""

import pickle  # noqa: TID251 - what a loader does to its workers
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from fakes import write_fake
from numpy.typing import NDArray
from torch.utils.data import DistributedSampler

from sdsiqa.benchmarks import CSIQ, LIVEC, Benchmark
from sdsiqa.benchmarks.splits import PARTS, Split
from sdsiqa.data import datamodule
from sdsiqa.data import dataset as dataset_module
from sdsiqa.data.cache import DecodedCache
from sdsiqa.data.crops import GridCrops, RandomCrops, WholeImage
from sdsiqa.data.datamodule import QualityDataModule, to_float
from sdsiqa.data.dataset import PictureReader, QualityDataset, collate
from sdsiqa.data.sampler import EpochSampler
from sdsiqa.errors import BenchmarkMismatchError, SdsiqaError
from sdsiqa.images import write_image
from sdsiqa.saliency import SDSP, CentrePrior, Dino, Shuffled, Uniform


@pytest.fixture
def livec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    return LIVEC(write_fake("livec", tmp_path / "livec"))


def coordinates(height: int, width: int) -> dict[str, NDArray[np.uint8]]:
    """Pictures whose values are their own places: red the row, green the column; the map and reference agree."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    image = np.stack([rows, columns, rows], axis=-1)
    return {"image": image, "saliency": columns.copy(), "reference": image.copy()}


def test_crops_of_all_fields_come_from_the_same_place() -> None:
    for crop in RandomCrops(16, 20)(coordinates(60, 50), seed=1):
        assert crop["image"].shape == (16, 16, 3)
        np.testing.assert_array_equal(crop["image"][..., 1], crop["saliency"])
        np.testing.assert_array_equal(crop["image"], crop["reference"])


def test_crops_never_change_a_pixel() -> None:
    fields = coordinates(60, 50)
    for crop in RandomCrops(16, 20)(fields, seed=1):
        first, last = int(crop["image"][0, 0, 1]), int(crop["image"][0, -1, 1])
        row = int(crop["image"][0, 0, 0])
        window = fields["image"][row : row + 16, min(first, last) : max(first, last) + 1]
        np.testing.assert_array_equal(crop["image"], window if first < last else window[:, ::-1])


def test_both_flips_and_many_places_occur() -> None:
    crops = RandomCrops(16, 60)(coordinates(60, 50), seed=2)
    assert {int(crop["image"][0, 0, 1]) < int(crop["image"][0, -1, 1]) for crop in crops} == {True, False}
    assert len({crop["image"].tobytes() for crop in crops}) > 50


def test_the_seed_decides_the_crops() -> None:
    def cut(seed: int) -> bytes:
        return b"".join(crop["image"].tobytes() for crop in transform(coordinates(60, 50), seed=seed))

    transform = RandomCrops(16, 3)
    first = cut(3)
    assert cut(4) != first
    assert cut(3) == first


@pytest.mark.parametrize("cut", [RandomCrops(64, 2), GridCrops(64, 2, 3)])
def test_small_images_are_padded_not_stretched(cut: RandomCrops | GridCrops) -> None:
    fields = {name: picture[:20, :30] for name, picture in coordinates(60, 50).items()}
    crops = cut(fields, seed=0)
    assert len(crops) == cut.count
    for crop in crops:
        assert crop["image"].shape == (64, 64, 3)
        assert crop["saliency"].shape == (64, 64)
        assert int(crop["image"][..., 0].max()) == 19
        assert int(np.abs(np.diff(crop["image"][..., 1].astype(int), axis=1)).max()) <= 1  # reflected, not scaled


def test_the_grid_reaches_all_borders() -> None:
    crops = GridCrops(16, 3, 2)(coordinates(60, 50))
    corners = [(int(crop["image"][0, 0, 0]), int(crop["image"][0, 0, 1])) for crop in crops]
    assert corners == [(0, 0), (0, 34), (22, 0), (22, 34), (44, 0), (44, 34)]
    assert [int(x["image"][0, 0, 0]) for x in GridCrops(16, 1, 1)(coordinates(60, 50))] == [22]


@pytest.mark.parametrize("world", [1, 2, 3])
def test_devices_share_one_order(world: int) -> None:
    assert isinstance(EpochSampler(10, True, seed=5), DistributedSampler)  # else a trainer would share its positions out again
    samplers = [EpochSampler(10, True, seed=5, rank=rank, world=world) for rank in range(world)]
    single = [position for _, position in EpochSampler(10, True, seed=5)]
    shares = [[position for _, position in sampler] for sampler in samplers]
    assert {len(share) for share in shares} == {len(samplers[0])}
    steps = [position for step in zip(*shares, strict=True) for position in step]
    assert steps[:10] == single
    assert sorted(single) == list(range(10))


def test_the_order_changes_with_the_epoch_and_the_seed() -> None:
    sampler = EpochSampler(50, True, seed=5)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert [p for _, p in first] != [p for _, p in second]
    assert {epoch for epoch, _ in second} == {1}
    assert [p for _, p in EpochSampler(50, True, seed=6)] != [p for _, p in first]
    assert [p for _, p in EpochSampler(5, False, seed=6)] == [0, 1, 2, 3, 4]


def test_an_image_is_decoded_and_mapped_once_for_all_its_crops(livec: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    load = livec.load
    monkeypatch.setattr(livec, "load", lambda name: (decoded.append(name), load(name))[1])
    rows = livec.table().head(3)
    data = QualityDataset(rows, PictureReader(livec, SDSP()), ("image", "saliency"), RandomCrops(32, 25), seed=0)
    batch = collate([data[(0, position)] for position in range(3)])
    assert decoded == list(rows["image"])
    assert batch["image"].shape == (3, 25, 3, 32, 32)
    assert batch["image"].dtype == torch.uint8
    assert batch["saliency"].shape == (3, 25, 1, 32, 32)
    assert batch["quality"].tolist() == pytest.approx(rows["quality"].tolist())
    assert batch["index"].tolist() == [0, 1, 2]


def test_the_map_is_of_the_whole_image(livec: Benchmark) -> None:
    rows = livec.table().head(1)
    read = PictureReader(livec, CentrePrior())
    data = QualityDataset(rows, read, ("image", "saliency"), GridCrops(32, 2, 2), seed=0)
    corner = data[(0, 0)]["saliency"][0, 0]
    _, whole = read(rows["image"].iloc[0])
    assert whole is not None
    np.testing.assert_array_equal(corner.numpy(), whole[:32, :32])
    assert int(corner.max()) < 255  # a crop is not rescaled to its own maximum


def test_values_become_floats_in_one_place() -> None:
    batch = to_float({"image": torch.full((1, 1, 3, 2, 2), 255, dtype=torch.uint8), "quality": torch.tensor([0.5])})
    assert batch["image"].dtype == torch.float32
    assert float(batch["image"].max()) == 1.0


def test_crops_do_not_depend_on_the_number_of_workers(livec: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")

    def epoch(workers: int, number: int) -> list[torch.Tensor]:
        data = QualityDataModule(livec, Uniform(), crop=32, patches_per_image=2, batch_size=4, num_workers=workers)
        loader = data.train_dataloader()
        loader.sampler.set_epoch(number)  # type: ignore[attr-defined]
        return [batch["image"].clone() for batch in loader]

    alone, shared, later = epoch(0, 1), epoch(2, 1), epoch(0, 2)
    for one, other in zip(alone, shared, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert not torch.equal(alone[0], later[0])


def test_cached_pictures_equal_decoded_ones(livec: Benchmark, tmp_path: Path) -> None:
    plain = QualityDataModule(livec, SDSP(), crop=32, num_workers=0)
    cached = QualityDataModule(livec, SDSP(), crop=32, num_workers=0, cache=tmp_path / "cache")
    cached.prepare_data()
    cached.setup("fit")
    name = livec.table()["image"].iloc[0]
    for one, other in zip(plain.reader()(name), cached.reader()(name), strict=True):
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(one, other)
    assert len(list((tmp_path / "cache").glob("*.bin"))) == 1


def test_a_changed_image_or_provider_makes_another_cache(livec: Benchmark, tmp_path: Path) -> None:
    def files() -> set[str]:
        data = QualityDataModule(livec, provider, num_workers=0, cache=tmp_path / "cache")
        data.prepare_data()
        return {file.name for file in (tmp_path / "cache").glob("*.bin")}

    provider: SDSP | CentrePrior = SDSP()
    assert len(files()) == 1
    assert len(files()) == 1
    provider = CentrePrior()
    assert len(files()) == 2
    write_image(livec.root / livec.table()["image"].iloc[0], np.zeros((80, 96, 3), np.uint8))
    assert len(files()) == 3


def test_a_pickled_cache_carries_no_pixels(tmp_path: Path) -> None:
    cache = DecodedCache(tmp_path, "key")
    cache.fill(["a"], lambda name: (np.full((300, 300, 3), 7, np.uint8), None))
    assert cache["a"][0].max() == 7
    assert cache["a"][1] is None
    data = pickle.dumps(cache)
    assert len(data) < 1000
    np.testing.assert_array_equal(pickle.loads(data)["a"][0], cache["a"][0])


def test_an_interrupted_cache_is_written_again(tmp_path: Path) -> None:
    def broken(name: str) -> dataset_module.Planes:
        if name == "b":
            raise RuntimeError("killed")
        return np.zeros((8, 8, 3), np.uint8), None

    with pytest.raises(RuntimeError, match="killed"):
        DecodedCache(tmp_path, "key").fill(["a", "b"], broken)
    cache = DecodedCache(tmp_path, "key")
    cache.fill(["a", "b"], lambda name: (np.full((8, 8, 3), 9, np.uint8), np.full((8, 8), 3, np.uint8)))
    image, saliency = cache["b"]
    assert image.min() == 9
    assert saliency is not None
    assert saliency.max() == 3


def test_a_full_disk_is_said_before_hours_are_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdsiqa.data.cache.shutil.disk_usage", lambda path: type("Usage", (), {"free": 10})())
    with pytest.raises(SdsiqaError, match=r"needs about 0\.0 GB and 0\.0 GB are free; set data\.cache"):
        DecodedCache(tmp_path, "key").fill(["a"], lambda name: (np.zeros((8, 8, 3), np.uint8), None))


def test_references_are_cut_in_the_same_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    csiq = CSIQ(write_fake("csiq", tmp_path))
    rows = csiq.table().head(2)
    for name in {*rows["image"], *rows["reference"]}:
        write_image(csiq.root / name, cv2.resize(coordinates(60, 50)["image"], (96, 80)))
    data = QualityDataset(rows, PictureReader(csiq, None), ("image", "reference"), RandomCrops(32, 4), seed=0)
    sample = data[(0, 1)]
    torch.testing.assert_close(sample["image"], sample["reference"], rtol=0, atol=0)


def test_references_that_do_not_exist_are_refused_by_name(livec: Benchmark) -> None:
    with pytest.raises(BenchmarkMismatchError, match="images are compared with their references here, and LIVE In the Wild"):
        QualityDataset(livec.table(), PictureReader(livec, None), ("image", "reference"), WholeImage(), seed=0)


def test_slow_maps_are_refused_without_a_place_to_keep_them(livec: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(SdsiqaError, match=r"Dino is too slow to run in every epoch; set data\.maps"):
        QualityDataModule(livec, Dino())
    QualityDataModule(livec, Dino(), maps=tmp_path)


def test_parts_follow_the_protocol(livec: Benchmark) -> None:
    both = QualityDataModule(livec, Uniform(), fit_on="train+val")
    plain = QualityDataModule(livec, Uniform())
    everything = QualityDataModule(livec, Uniform(), test_on="all")
    parts = {name: set(plain.rows(name).index) for name in ("train", "val", "test")}  # type: ignore[arg-type]
    assert not parts["train"] & parts["val"]
    assert not parts["test"] & (parts["train"] | parts["val"])
    assert set(both.rows("train").index) == parts["train"] | parts["val"]
    assert both.val_dataloader() == []
    assert len(everything.rows("test")) == len(livec.table())


@pytest.mark.parametrize("test_on", ["test", "all"])
def test_shuffled_maps_stay_in_their_part_and_leave_their_content(
    test_on: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    csiq = CSIQ(write_fake("csiq", tmp_path / "csiq"))
    table = csiq.table()
    for number, image in enumerate(table["image"]):  # none for references: nobody asks for theirs
        write_image(tmp_path / "maps" / Path(image).with_suffix(".png"), np.full((1, 2), [0, number + 1], np.uint8))
    place = table["content"].map({content: n // 2 for n, content in enumerate(sorted(set(table["content"])))})  # two in each part
    split = Split.of("csiq", "0", table, {part: np.flatnonzero(place == n) for n, part in enumerate(PARTS)})
    monkeypatch.setattr(datamodule, "make_split", lambda *_: split)
    source = Shuffled(tmp_path / "maps")
    data = QualityDataModule(csiq, source, split=0, test_on=test_on, cache=tmp_path / "cache")  # type: ignore[arg-type]
    data.setup("fit")
    images, contents = {Path(name).with_suffix(""): row for row, name in enumerate(table["image"])}, table["content"]
    for rows in [range(len(table))] if test_on == "all" else [split.train, split.val, split.test]:
        for row in rows:
            donor = data.source.donor(table["image"].iloc[row])  # type: ignore[attr-defined]
            other = images[donor.relative_to(tmp_path / "maps").with_suffix("")]
            assert contents.iloc[other] != contents.iloc[row]
            assert other in rows
    assert data.source.fingerprint() != source.fingerprint()


def test_twins_of_a_release_are_one_content_for_shuffled_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    livec = LIVEC(write_fake("livec", tmp_path / "livec"))
    first, second = livec.table()["content"].iloc[:2]
    monkeypatch.setattr(LIVEC, "twins", ((first, second),))
    merged = {
        image: content for part in QualityDataModule(livec, Uniform())._contents().values() for image, content in part.items()
    }
    assert len(merged) == len(livec.table())
    assert merged[livec.table()["image"].iloc[0]] == merged[livec.table()["image"].iloc[1]]
    assert len(set(merged.values())) == len(merged) - 1
