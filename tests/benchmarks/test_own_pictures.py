"""A folder of pictures and a CSV file are a benchmark."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes import distorted, scene

from runs import CONFIGS, QUICK, TINY
from sdsiqa.benchmarks.folder import Folder
from sdsiqa.benchmarks.splits import make_split
from sdsiqa.cli import main
from sdsiqa.errors import BenchmarkMismatchError, BenchmarkNotFoundError
from sdsiqa.images import write_image
from sdsiqa.report.read import read_result
from sdsiqa.runs.class_paths import benchmark_name
from sdsiqa.runs.folder import RunFolder

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Thirty pictures of ten scenes, rated from 1 to 5."""
    rows = []
    for number in range(30):
        name = f"{number % 10}/{number}.png"
        write_image(tmp_path / "pictures" / name, distorted(scene(number % 10), number // 10))
        rows.append({"image": name, "score": 5 - number // 10 - 0.01 * number, "scene": f"s{number % 10}", "part": "train"})
    table = pd.DataFrame(rows)
    table.loc[table["scene"].isin(["s8"]), "part"] = "val"
    table.loc[table["scene"].isin(["s9"]), "part"] = "test"
    table.to_csv(tmp_path / "pictures" / "scores.csv", index=False)
    return tmp_path / "pictures"


def test_scores_become_quality_on_the_scale_that_is_given(pictures: Path) -> None:
    benchmark = Folder(pictures, scale=(1, 5), content="scene", split="part")
    table = benchmark.table()
    assert len(table) == 30
    assert table["quality"].to_numpy() == pytest.approx((table["mos"].to_numpy() - 1) / 4)
    assert benchmark.to_mos(table["quality"].to_numpy()) == pytest.approx(table["mos"].to_numpy())
    turned = Folder(pictures, scale=(1, 5), lower_is_better=True)
    assert turned.table()["quality"].to_numpy() == pytest.approx(1 - table["quality"].to_numpy())
    assert turned.axes_labels(turned.higher_is_better)[1] == "score (lower is better)"
    assert benchmark.data_version() == Folder(pictures, (1, 5), content="scene", split="part").data_version()


def test_a_scene_stays_on_one_side_and_the_files_own_split_is_official(pictures: Path) -> None:
    table = Folder(pictures, scale=(1, 5), content="scene", split="part").table()
    for split in (0, "official"):
        parts = make_split("folder", table, split)
        sides = [set(table["content"].iloc[list(parts.rows(part))]) for part in ("train", "val", "test")]
        assert not (sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2])
    assert set(table["image"].iloc[list(parts.test)]) == {"9/9.png", "9/19.png", "9/29.png"}
    assert len(set(Folder(pictures, scale=(1, 5)).table()["content"])) == 30


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scores": "none.csv"}, "none.csv does not exist; expected a CSV file of pictures and scores"),
        ({"score": "mos"}, "has no column 'mos'; there are 'image', 'score', 'scene', 'part'"),
        ({"score": "scene"}, "line 2: the column 'scene' holds 's0'; expected a number"),
        ({"scale": (1, 3)}, "row 1 ('0/0.png'): score is 5.0; expected 1 … 3"),
        ({"image": "scene"}, "is listed a second time"),
    ],
)
def test_what_is_wrong_is_named(pictures: Path, options: dict[str, object], said: str) -> None:
    benchmark = Folder(**{"root": pictures, "scale": (1, 5), **options})  # type: ignore[arg-type]
    with pytest.raises((BenchmarkMismatchError, BenchmarkNotFoundError), match=re.escape(said)):
        benchmark.table()


def test_a_benchmark_is_called_by_its_name_and_not_by_its_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gardens.py").write_text("class Roses:\n    name = 'red-roses'\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert benchmark_name({"benchmark": {"class_path": "gardens.Roses"}}) == "red-roses"
    assert benchmark_name({"benchmark": {"class_path": "elsewhere.Tulips"}}) == "tulips"  # of a run whose class is not here


def test_each_folder_has_a_name_of_its_own(tmp_path: Path) -> None:
    garden = {"class_path": "sdsiqa.benchmarks.Folder", "init_args": {"name": "garden"}}
    assert Folder(tmp_path, (1, 5), name="garden").name == benchmark_name({"benchmark": garden}) == "garden"
    assert Folder(tmp_path, (1, 5)).name == benchmark_name({"benchmark": {"class_path": "sdsiqa.benchmarks.Folder"}}) == "folder"
    with pytest.raises(ValueError, match=re.escape("name is 'a/b'; expected letters, digits and _ - . +")):
        Folder(tmp_path, (1, 5), name="a/b")


@pytest.mark.parametrize("scale", [(5, 1), (0, float("inf")), (float("nan"), 1)])
def test_a_scale_has_two_ends(tmp_path: Path, scale: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="expected two numbers, the lowest possible score first"):
        Folder(tmp_path, scale)


def test_semicolons_and_paths_of_their_own(pictures: Path, tmp_path: Path) -> None:
    table = pd.read_csv(pictures / "scores.csv")
    table.to_csv(tmp_path / "other.csv", sep=";", index=False)
    assert np.array_equal(Folder(pictures, (1, 5), tmp_path / "other.csv").table()["mos"], table["score"])


@pytest.mark.filterwarnings("default")
def test_the_documents_file_trains(pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.chdir(pictures.parent)
    document = (ROOT / "docs" / "tutorials" / "own-data.md").read_text()
    Path("pictures.yaml").write_text(document.partition("```yaml\n")[2].partition("```")[0])
    Path("tiny.yaml").write_text(TINY)
    assert main(["check-data", "pictures.yaml"]) == 0
    words = ["-c", str(CONFIGS / "base.yaml"), "--data", "pictures.yaml", "-c", "tiny.yaml", *QUICK]
    assert main(["fit", *words, "--trainer.max_epochs", "1", "--data.batch_size", "4"]) == 0
    (folder,) = Path("runs").iterdir()
    assert folder.name.startswith("pictures-0-0-")
    assert RunFolder(folder).finished
    assert read_result(folder, folder / "scores" / "pictures-test.csv").trained_on == "pictures"  # else it counts as a cross test
    capsys.readouterr()
    assert main(["report", "runs", "--out", "report"]) == 0
    assert "pictures-test" in capsys.readouterr().out
