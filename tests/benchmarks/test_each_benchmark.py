"""What is special about one benchmark: names, scales, files that may be there or not; and rows that are not the authors'."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fakes import drawn
from numpy.typing import NDArray
from scipy.io import loadmat, savemat

from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.errors import BenchmarkMismatchError, BenchmarkNotFoundError


@pytest.fixture(autouse=True)
def subset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")


def test_live_drops_hidden_references_and_refuses_altered_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = drawn("live", tmp_path)
    table = benchmark.table()
    assert "jp2k/img7.bmp" not in set(table["image"])
    assert table["image"].iloc[6] == "jpeg/img1.bmp"
    assert table["content"].iloc[6] == "Scene1"
    path = benchmark.root / "dmos_realigned.mat"
    arrays = {key: value for key, value in loadmat(path).items() if not key.startswith("__")}

    def refused(message: str, **changed: NDArray[Any]) -> None:
        savemat(path, arrays | changed)
        with pytest.raises(BenchmarkMismatchError, match=message):
            BENCHMARKS["live"](benchmark.root).labels()

    permuted = arrays["orgs"][:, ::-1]
    refused(r"row 1 of dmos_realigned.mat has DMOS 18.0 and orgs 1; expected DMOS 0 exactly where orgs is 1", orgs=permuted)
    refused(r"arrays of different lengths \{'dmos_new': 35, 'dmos_std': 35, 'orgs': 30", orgs=arrays["orgs"][:, :30])
    savemat(path, {key: value for key, value in arrays.items() if key != "dmos_new"})
    with pytest.raises(BenchmarkMismatchError, match=r"cannot be read .column 'dmos_new' is missing"):
        BENCHMARKS["live"](benchmark.root).labels()
    savemat(path, arrays)
    monkeypatch.delenv("SDSIQA_TEST_SUBSET")
    with pytest.raises(BenchmarkMismatchError, match=r"found 35 rows in dmos_realigned.mat; expected 982"):
        BENCHMARKS["live"](benchmark.root).labels()


def test_csiq_reads_workbook_and_text_nested_and_flat(tmp_path: Path) -> None:
    benchmark = drawn("csiq", tmp_path)
    table = benchmark.table()
    assert table["content"].iloc[0] == "1600"
    assert table["image"].iloc[0] == "dst_imgs/AWGN/1600.AWGN.1.png"
    (tmp_path / "csiq.DMOS.xlsx").rename(tmp_path / "csiq.beta.xlsx")
    pd.testing.assert_frame_equal(BENCHMARKS["csiq"](tmp_path).table(), table)
    names = [Path(image).name for image in table["image"]]
    (tmp_path / "csiq.beta.xlsx").unlink()
    lines = [f"{name} {mos:.6f}" for name, mos in zip(names, table["mos"], strict=True)]
    (tmp_path / "csiq_label.txt").write_text("\n".join(lines) + "\n")
    text = BENCHMARKS["csiq"](tmp_path).table()
    columns = ["image", "content", "reference", "distortion", "level"]
    pd.testing.assert_frame_equal(text[columns], table[columns])
    np.testing.assert_allclose(text["mos"], table["mos"], atol=1e-6)
    (tmp_path / "dst_imgs_all").mkdir()
    for image in table["image"]:
        (tmp_path / image).rename(tmp_path / "dst_imgs_all" / Path(image).name)
    shutil.rmtree(tmp_path / "dst_imgs")
    assert BENCHMARKS["csiq"](tmp_path).table()["image"].tolist() == [f"dst_imgs_all/{name}" for name in names]


def test_tid2013_finds_names_in_any_case(tmp_path: Path) -> None:
    table = drawn("tid2013", tmp_path).table()
    assert table["image"].iloc[0] == "distorted_images/I01_01_1.bmp"
    assert table["image"].iloc[4] == "distorted_images/I02_01_1.BMP"
    assert table["reference"].iloc[-1] == "reference_images/i06.bmp"
    assert table["distortion"].unique().tolist() == ["additive Gaussian noise", "Gaussian blur"]


def test_kadid10k_reads_the_bare_list_too(tmp_path: Path) -> None:
    benchmark = drawn("kadid10k", tmp_path)
    table = benchmark.table()
    labels = pd.read_csv(benchmark.root / "dmos.csv")
    labels[["dist_img", "dmos"]].to_csv(benchmark.root / "names_with_mos.txt", sep="\t", header=False, index=False)
    (benchmark.root / "dmos.csv").unlink()
    pd.testing.assert_frame_equal(BENCHMARKS["kadid10k"](benchmark.root).table(), table)


def test_livec_drops_the_seven_training_pictures(tmp_path: Path) -> None:
    table = drawn("livec", tmp_path).table()
    assert table["image"].tolist()[:2] == ["Images/100.bmp", "Images/533.JPG"]
    assert table["mos"].iloc[0] == pytest.approx(76.7)
    assert table["mos_std"].iloc[0] == 19.0


def test_koniq10k_tells_its_two_scales_apart(tmp_path: Path) -> None:
    benchmark = drawn("koniq10k", tmp_path)
    table = benchmark.table()
    assert table["split"].value_counts().to_dict() == {"train": 12, "val": 4, "test": 4}
    assert table["mos_std"].isna().all()
    path = tmp_path / "koniq10k_distributions_sets.csv"
    labels = pd.read_csv(path)
    raw = labels.drop(columns="set").assign(MOS=1 + labels["MOS"] / 25)
    path.unlink()
    other = tmp_path / "koniq10k_scores_and_distributions.csv"
    raw.to_csv(other, index=False)
    small = BENCHMARKS["koniq10k"](tmp_path)
    np.testing.assert_allclose(small.table()["quality"], table["quality"], atol=1e-9)
    np.testing.assert_allclose(small.to_mos(np.array([0.0, 0.5, 1.0])), [1, 3, 5])
    assert (small.table()["mos_std"] == 0.5).all()
    assert set(small.table()["split"]) == {""}
    raw.assign(MOS_zscore=labels["MOS"]).to_csv(other, index=False)
    both = BENCHMARKS["koniq10k"](tmp_path)
    np.testing.assert_allclose(both.table()["mos"], table["mos"])


def test_koniq10k_takes_the_small_pictures_only_where_they_are_the_right_size(tmp_path: Path) -> None:
    drawn("koniq10k", tmp_path)
    (tmp_path / "1024x768").rename(tmp_path / "512x384")
    assert BENCHMARKS["koniq10k"](tmp_path, short_side=384).table()["image"].iloc[0] == "512x384/10004473376.jpg"
    with pytest.raises(BenchmarkNotFoundError, match=r"folder '1024x768' not found in .*'512x384'"):
        BENCHMARKS["koniq10k"](tmp_path).table()


def test_spaq_reads_the_list_of_scores_too(tmp_path: Path) -> None:
    benchmark = drawn("spaq", tmp_path)
    table = benchmark.table()
    shutil.rmtree(tmp_path / "Annotations")
    listed = pd.DataFrame({"dis_img_path": "SPAQ/Dataset/" + table["image"], "dis_type": "Authentic", "score": table["mos"]})
    listed.to_csv(tmp_path / "SPAQ.IQA-Dataset.csv", index=False)
    pd.testing.assert_frame_equal(BENCHMARKS["spaq"](tmp_path).table(), table)


def test_flive_has_its_official_split_only_with_all_files(tmp_path: Path) -> None:
    benchmark = drawn("flive", tmp_path)
    assert benchmark.table()["split"].value_counts().to_dict() == {"train": 12, "test": 4, "val": 4}
    (benchmark.root / "labels=640_padded.csv").unlink()
    assert set(BENCHMARKS["flive"](tmp_path).table()["split"]) == {""}


def test_bid_reads_images_beside_the_workbook_too(tmp_path: Path) -> None:
    table = drawn("bid", tmp_path).table()
    assert table["content"].tolist()[:2] == ["DatabaseImage0001.JPG", "DatabaseImage0003.JPG"]
    for path in (tmp_path / "ImageDatabase").iterdir():
        path.rename(tmp_path / path.name)
    (tmp_path / "ImageDatabase").rmdir()
    assert BENCHMARKS["bid"](tmp_path).table()["image"].iloc[0] == "DatabaseImage0001.JPG"


# Rows that are not the authors'


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (2, "MOS", np.nan, r"row 3 \('1024x768/10004473530.jpg'\): score is nan; expected a finite number; take"),
        (5, "MOS", 100.5, r"row 6 \('1024x768/10004473761.jpg'\): score is 100.5; expected 0 … 100; take"),
        (5, "MOS", -3.0, r"row 6 .*score is -3.0; expected 0 … 100"),
        (7, "image_name", "10004473376.JPG", r"row 8 .*: is listed a second time; expected each image once"),
        (7, "MOS", "high", r"the label files in .* cannot be read \(ValueError: .*high"),
    ],
)
def test_bad_rows_are_named(row: int, column: str, value: Any, message: str, tmp_path: Path) -> None:
    benchmark = drawn("koniq10k", tmp_path)
    path = tmp_path / "koniq10k_distributions_sets.csv"
    labels = pd.read_csv(path).astype({"MOS": object})
    labels.loc[row, column] = value
    labels.to_csv(path, index=False)
    with pytest.raises(BenchmarkMismatchError, match=message):
        BENCHMARKS["koniq10k"](benchmark.root).table()


def test_a_missing_column_and_a_damaged_file_are_told(tmp_path: Path) -> None:
    drawn("koniq10k", tmp_path)
    path = tmp_path / "koniq10k_distributions_sets.csv"
    pd.read_csv(path).drop(columns="MOS").to_csv(path, index=False)
    with pytest.raises(BenchmarkMismatchError, match=r"KonIQ-10k: the label files in .* cannot be read .column 'MOS' is missing"):
        BENCHMARKS["koniq10k"](tmp_path).labels()
    path.write_bytes(b"")
    with pytest.raises(BenchmarkMismatchError, match=r"cannot be read .EmptyDataError"):
        BENCHMARKS["koniq10k"](tmp_path).labels()


def test_a_label_file_in_another_case_says_so(tmp_path: Path) -> None:
    drawn("koniq10k", tmp_path)
    (tmp_path / "koniq10k_distributions_sets.csv").rename(tmp_path / "KonIQ10k_distributions_sets.csv")
    with pytest.raises(BenchmarkNotFoundError, match=r"'KonIQ10k_distributions_sets.csv' differs in letter case: give it back"):
        BENCHMARKS["koniq10k"](tmp_path).labels()
