"""What holds for every benchmark, also one that joins tomorrow."""

import copy
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes import FAKES, drawn, scene, write_fake

import sdsiqa.benchmarks
from sdsiqa import defining_modules
from sdsiqa.benchmarks import BENCHMARKS, Benchmark, by_name
from sdsiqa.benchmarks.labels import COLUMNS
from sdsiqa.errors import BenchmarkMismatchError, BenchmarkNotFoundError, ImageError

DRAWN = [kind.name for kind in FAKES]


@pytest.fixture(autouse=True)
def subset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")


# Contracts: every subclass, found by itself


def test_every_benchmark_has_a_fake_and_is_in_the_one_list() -> None:
    kinds = {kind for kind in Benchmark.__subclasses__() if kind.__module__.startswith("sdsiqa.") and kind.listed}
    assert {kind for kind in kinds if kind.name != "demo"} == set(FAKES)
    assert set(BENCHMARKS.values()) == kinds
    for name, kind in BENCHMARKS.items():
        assert kind.__module__ == f"sdsiqa.benchmarks.{name}"


def test_a_file_in_the_folder_is_a_benchmark_of_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "garden.py").write_text(
        "from sdsiqa.benchmarks.base import Benchmark\n\n\nclass Garden(Benchmark):\n    name = 'garden'\n"
        "    mos_range = (1.0, 5.0)\n\n    def read(self):\n        return None\n"
    )
    monkeypatch.setattr(sdsiqa.benchmarks, "__path__", [*sdsiqa.benchmarks.__path__, str(tmp_path)])
    defining_modules.cache_clear()
    try:
        assert by_name("garden") is sdsiqa.benchmarks.Garden
        assert "garden" in list(BENCHMARKS)
    finally:
        monkeypatch.undo()
        defining_modules.cache_clear()
        sys.modules.pop("sdsiqa.benchmarks.garden")
    assert "garden" not in BENCHMARKS
    assert not {"distorted", "folder"} & set(BENCHMARKS)


@pytest.mark.parametrize("name", DRAWN)
def test_the_table_has_its_columns_and_quality_is_the_fixed_scaling(name: str, tmp_path: Path) -> None:
    benchmark = drawn(name, tmp_path)
    table = benchmark.table()
    assert list(table.columns) == list(COLUMNS)
    assert table.index.equals(pd.RangeIndex(len(table)))
    assert not table.drop(columns="mos_std").isna().any().any()
    low, high = benchmark.mos_range
    share = (table["mos"] - low) / (high - low)
    expected = share if benchmark.higher_is_better else 1 - share
    np.testing.assert_allclose(table["quality"], expected, atol=1e-12)
    np.testing.assert_allclose(benchmark.to_mos(table["quality"].to_numpy()), table["mos"], atol=1e-9)
    assert table["training_only"].sum() == 0
    for image, reference in zip(table["image"], table["reference"], strict=True):
        assert (benchmark.root / image).is_file()
        assert (benchmark.root / reference).is_file() == (reference != "")
        assert (reference != "") == (benchmark.contents is not None)


@pytest.mark.parametrize("name", DRAWN)
def test_contents_group_the_versions_of_one_reference(name: str, tmp_path: Path) -> None:
    table = drawn(name, tmp_path).table()
    if BENCHMARKS[name].contents is None:
        assert table["content"].is_unique
        assert set(table["distortion"]) == {""}
        assert set(table["level"]) == {-1}
    else:
        assert table["content"].nunique() == 6
        assert (table.groupby("content")["reference"].nunique() == 1).all()
        assert (table["distortion"] != "").all()


@pytest.mark.parametrize("name", DRAWN)
def test_quality_falls_with_blur_whatever_the_authors_scale(name: str, tmp_path: Path) -> None:
    table = drawn(name, tmp_path).table()
    if (table["level"] > 0).any():
        means = table.groupby("level")["quality"].mean()
        assert means.is_monotonic_decreasing
    assert 0 <= table["quality"].min() < table["quality"].max() <= 1


@pytest.mark.parametrize("name", DRAWN)
def test_the_authors_folder_and_the_one_that_holds_it_are_the_same_root(name: str, tmp_path: Path) -> None:
    benchmark = drawn(name, tmp_path)
    inner = BENCHMARKS[name](benchmark.root)
    assert inner.root == benchmark.root
    pd.testing.assert_frame_equal(inner.table(), benchmark.table())


@pytest.mark.parametrize("name", DRAWN)
def test_the_data_version_ignores_root_and_row_order_but_no_score(name: str, tmp_path: Path) -> None:
    first = drawn(name, tmp_path / "a")
    second = drawn(name, tmp_path / "elsewhere" / "b")
    version = first.data_version()
    assert len(version) == 16
    assert second.data_version() == version
    second.__dict__["_labels"] = first.labels().iloc[::-1].reset_index(drop=True)
    assert second.data_version() == version
    changed = first.labels().copy()
    changed.loc[3, "mos"] += 1e-9
    second.__dict__["_labels"] = changed
    assert second.data_version() != version


@pytest.mark.parametrize("name", DRAWN)
def test_a_table_is_read_once_and_travels_to_workers(name: str, tmp_path: Path) -> None:
    benchmark = drawn(name, tmp_path)
    assert benchmark.table() is benchmark.table()
    twin = copy.deepcopy(benchmark)  # by the protocol that also carries it to a worker
    pd.testing.assert_frame_equal(twin.table(), benchmark.table())


@pytest.mark.parametrize("name", DRAWN)
def test_without_the_test_variable_a_subset_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = drawn(name, tmp_path)
    monkeypatch.delenv("SDSIQA_TEST_SUBSET")
    with pytest.raises(BenchmarkMismatchError, match=r"found \d+ .*; expected \d+; take the authors' release from http"):
        benchmark.labels()


def test_an_accepted_subset_is_said_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    drawn("bid", tmp_path).table()
    assert "20 of 586 images in the label file ACCEPTED because SDSIQA_TEST_SUBSET=1" in caplog.text


@pytest.mark.parametrize("name", DRAWN)
def test_a_root_without_the_label_file_says_what_where_and_from_whom(name: str, tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").touch()
    with pytest.raises(BenchmarkNotFoundError) as caught:
        BENCHMARKS[name](tmp_path).table()
    kind = BENCHMARKS[name]
    wanted = " or ".join(repr(file) for file in kind.label_files)
    found = f"not found in {tmp_path}, which holds 'holiday.txt'"
    assert str(caught.value) == f"{kind.title}: {wanted} {found}; take the authors' release from {kind.url}"


@pytest.mark.parametrize("name", DRAWN)
def test_a_missing_image_is_named(name: str, tmp_path: Path) -> None:
    benchmark = drawn(name, tmp_path)
    image = benchmark.table()["image"].iloc[4]
    (benchmark.root / image).unlink()
    again = BENCHMARKS[name](benchmark.root)
    if name == "live":  # in a drawn subset the folders themselves say how many images they have
        with pytest.raises(BenchmarkMismatchError):
            again.table()
        return
    with pytest.raises(BenchmarkNotFoundError, match=r"1 of the listed images missing in .*; unpack the archive again") as caught:
        again.table()
    assert Path(image).name.lower() in str(caught.value).lower()


def test_an_unknown_name_gets_the_nearest_known_one() -> None:
    assert by_name("livec") is BENCHMARKS["livec"]
    with pytest.raises(BenchmarkNotFoundError, match=r"no benchmark is called 'LIVE-C'; did you mean 'livec'\?"):
        by_name("LIVE-C")
    with pytest.raises(BenchmarkNotFoundError, match="called 'xyzzy'; there are bid, csiq"):
        by_name("xyzzy")


def test_a_root_may_begin_at_home_and_must_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_fake("spaq", tmp_path / "spaq")
    assert len(BENCHMARKS["spaq"](Path("~/spaq")).table()) == 20
    shutil.copytree(tmp_path / "spaq", tmp_path / "spaq copy")
    with pytest.raises(BenchmarkMismatchError, match=r"holds 2 copies \('spaq', 'spaq copy'\); name one of them"):
        BENCHMARKS["spaq"](tmp_path).table()
    with pytest.raises(BenchmarkNotFoundError, match="nowhere does not exist"):
        BENCHMARKS["spaq"](tmp_path / "nowhere").table()


# Loading


@pytest.mark.parametrize(
    ("short_side", "shape"), [(None, (80, 96, 3)), (80, (80, 96, 3)), (40, (40, 48, 3)), (160, (160, 192, 3))]
)
def test_the_short_side_is_set_once_for_every_reader(short_side: int | None, shape: tuple[int, ...], tmp_path: Path) -> None:
    benchmark = drawn("kadid10k", tmp_path, short_side=short_side)
    pixels = benchmark.load("images/I01.png")
    assert pixels.shape == shape
    assert pixels.dtype == np.uint8
    if short_side == 40:  # area: the mean of 2×2 pixels
        whole = scene(1).reshape(40, 2, 48, 2, 3).mean(axis=(1, 3))
        assert np.abs(pixels - whole).max() <= 1


def test_a_portrait_keeps_its_shape_and_a_missing_image_its_name(tmp_path: Path) -> None:
    benchmark = drawn("livec", tmp_path, short_side=40)
    assert benchmark.load("Images/101.bmp").shape == (56, 40, 3)
    with pytest.raises(ImageError, match=r"nobody.bmp"):
        benchmark.load("Images/nobody.bmp")
    with pytest.raises(ValueError, match="short_side is 0; expected a whole number, at least 1"):
        BENCHMARKS["livec"](tmp_path, short_side=0)
