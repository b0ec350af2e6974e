"""Photographs for a first stage are none that a reported split tests."""

from pathlib import Path

import pytest
from fakes import write_fake

from sdsiqa.benchmarks import LIVEC
from sdsiqa.benchmarks.splits import make_split
from tools.untested import main, untested


@pytest.fixture
def livec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LIVEC:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    write_fake("livec", tmp_path / "livec")
    return LIVEC(tmp_path / "livec")


def test_no_image_of_a_reported_test_part_is_taken_and_the_best_come_first(livec: LIVEC) -> None:
    table = livec.table()
    tested = {table["image"][row] for split in (0, 3) for row in make_split("livec", table, split).test}
    every = untested("livec", table, [0, 3], 10**6)
    assert len(tested) > 4
    assert set(every) == set(table["image"]) - tested
    quality = table.set_index("image")["quality"]
    assert list(quality[every]) == sorted(quality[every], reverse=True)
    assert untested("livec", table, [0, 3], 2) == every[:2]


def test_copies_lie_in_a_folder_of_their_own(livec: LIVEC, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["livec", str(livec.given), str(tmp_path / "photographs"), "--splits", "0", "--count", "3"]
    main(words)
    assert capsys.readouterr().out.startswith("3 images that splits 0 do not test: ")
    to, images = tmp_path / "photographs", set(untested("livec", livec.table(), [0], 3))
    assert {str(file.relative_to(to)) for file in to.rglob("*") if file.is_file()} == images
    with pytest.raises(SystemExit):
        main(words)
    assert "is not empty" in capsys.readouterr().err


def test_a_benchmark_that_is_absent_is_said_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["livec", str(tmp_path / "nowhere"), str(tmp_path / "photographs")])
    assert "nowhere does not exist" in capsys.readouterr().err
    assert not (tmp_path / "photographs").exists()
