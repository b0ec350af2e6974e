"""Label files that cannot be the release: the row, what was found, what was expected."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from fakes import write_fake
from real_labels import REAL, needs_real_labels, real_benchmark

from sdsiqa.benchmarks import BENCHMARKS, CSIQ, KADID10k, KonIQ10k
from sdsiqa.errors import BenchmarkMismatchError


@pytest.fixture(autouse=True)
def subset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")


def changed(root: Path, change: Callable[[pd.DataFrame], object]) -> KADID10k:
    """A drawn KADID-10k with a changed label file."""
    file = write_fake("kadid10k", root) / "kadid10k" / "dmos.csv"
    labels = pd.read_csv(file)
    change(labels)
    labels.to_csv(file, index=False)
    return KADID10k(root)


def rename(change: Callable[[str], str], rows: slice = slice(None)) -> Callable[[pd.DataFrame], object]:
    return lambda labels: labels.update(labels["dist_img"].iloc[rows].map(change))


def rescore(change: Callable[["pd.Series[float]"], object]) -> Callable[[pd.DataFrame], object]:
    return lambda labels: labels.__setitem__("dmos", change(labels["dmos"]))


def test_names_in_upper_case_are_the_same_images(tmp_path: Path) -> None:
    expected = changed(tmp_path / "as", lambda labels: None).table()
    upper = changed(tmp_path / "upper", rename(lambda name: name.upper().replace("I0", "i0")))
    pd.testing.assert_frame_equal(upper.table(), expected)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            rename(lambda name: name.replace(".png", ".bmp")),
            "row 1: file is 'I01_01_01.bmp'; expected a name such as 'I01_01_01.png' (23 more rows like it)",
        ),
        (rename(lambda name: "other.png", slice(4, 5)), "row 5: file is 'other.png'; expected a name such as 'I01_01_01.png'; "),
        (rename(lambda name: "I01_26_01.png", slice(1)), "there is a type 26 of distortion; expected 01 … 25"),
        (
            rescore(lambda mos: 3.0),
            "scores are 3 (row 1, 'images/I01_01_01.png') to 3 (row 1, 'images/I01_01_01.png'); expected them to",
        ),
        (rescore(lambda mos: 1 + mos / 100), "expected them to differ, over most of 1 … 5"),
        (rescore(lambda mos: mos / 100), "row 1 ('images/I01_01_01.png'): score is 0.0448"),
        (
            rescore(lambda mos: 6 - mos),
            "quality rises with the level of distortion in 2 of 2 types, from row 1 ('Gaussian blur') on; expected it to fall",
        ),
    ],
)
def test_labels_that_cannot_be_the_release_are_refused(
    change: Callable[[pd.DataFrame], object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(BenchmarkMismatchError) as refused:
        changed(tmp_path, change).table()
    assert said in str(refused.value)
    assert str(refused.value).startswith("KADID-10k: ")
    assert "take the authors' release from https://database.mmsp-kn.de" in str(refused.value)


def test_a_text_file_of_csiq_with_other_names_is_refused(tmp_path: Path) -> None:
    root = write_fake("csiq", tmp_path)
    (root / "csiq.DMOS.xlsx").unlink()
    (root / "csiq_label.txt").write_text("1600.AWGN.1.png 0.1\n1600_AWGN_3.png 0.5\n")
    with pytest.raises(
        BenchmarkMismatchError, match=r"row 2: file is '1600_AWGN_3.png'; expected a name such as '1600.AWGN.1.png'"
    ):
        CSIQ(root).labels()


@pytest.mark.parametrize("reverse", [True, False])
def test_the_mean_of_a_whole_release_tells_scores_that_are_reversed(
    reverse: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_fake("koniq10k", tmp_path)
    file = root / "koniq10k_distributions_sets.csv"
    labels = pd.read_csv(file)
    monkeypatch.setattr(KonIQ10k, "size", len(labels))
    monkeypatch.setattr(KonIQ10k, "mean_quality", float(labels["MOS"].mean() / 100))
    if reverse:
        labels["MOS"] = 100 - labels["MOS"]
        labels.to_csv(file, index=False)
        with pytest.raises(
            BenchmarkMismatchError, match=r"mean quality is .*; expected .* on the scale 0 … 100: the scores are rev"
        ):
            KonIQ10k(root).labels()
    else:
        KonIQ10k(root).labels()


@needs_real_labels
@pytest.mark.parametrize("name", REAL)
def test_the_mean_of_each_release_is_the_one_that_is_stated(name: str, tmp_path: Path) -> None:
    assert real_benchmark(name, tmp_path).labels()["quality"].mean() == pytest.approx(BENCHMARKS[name].mean_quality, abs=1e-3)
