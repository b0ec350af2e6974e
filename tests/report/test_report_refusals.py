"""A wrong table is impossible: it is refused, or what is wrong stands in it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_runs import make_run

from sdsiqa.cli import main
from sdsiqa.errors import BenchmarkMismatchError, RunMismatchError
from sdsiqa.report import table as layout
from sdsiqa.report.build import tables_of
from sdsiqa.report.read import read_results
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.table import Table
from sdsiqa.runs.scores import read_scores, write_scores

Change = Callable[[pd.DataFrame], pd.DataFrame]


def rewrite(run: Path, change: Change, name: str = "live-test") -> Path:
    file = run / "scores" / f"{name}.csv"
    write_scores(file, change(read_scores(file)))
    return file


def refusal(*runs: Path) -> str:
    with pytest.raises(RunMismatchError) as caught:
        read_results(runs)
    return str(caught.value)


def tables(runs: Path, baseline: str | None = None) -> dict[str, Table]:
    return {table.name: table for table in tables_of(read_results([runs]), Evidence(200), baseline)}


def test_a_table_of_another_split_is_refused(tmp_path: Path) -> None:
    first, second = (make_run(tmp_path, split=split) for split in range(2))
    other = (second / "scores" / "live-test.csv").read_bytes()
    (first / "scores" / "live-test.csv").write_bytes(other)
    said = refusal(tmp_path)
    assert "scores" in said
    assert "of the run's own training or validation part" in said or "is not of the test part of split 0" in said


def test_a_part_of_the_test_part_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    file = rewrite(run, lambda table: table.iloc[:-3])
    assert refusal(tmp_path).startswith(f"{file} is not of the test part of split 0: 3 images differ, such as ")


def test_two_splits_with_the_same_images_are_refused(tmp_path: Path) -> None:
    first, second = (make_run(tmp_path, split=split) for split in range(2))
    for name in ("split.json", "scores/live-test.csv"):
        (second / name).write_bytes((first / name).read_bytes())
    assert "(split 0) and " in refusal(tmp_path)
    assert "hold the same images; one of them is in the wrong folder" in refusal(tmp_path)


def test_scores_of_training_images_are_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    make_run(tmp_path / "other", "csiq", tested=("live",))
    everything = next((tmp_path / "other").glob("*/scores/live-all.csv"))
    (run / "scores" / "live-all.csv").write_bytes(everything.read_bytes())
    assert "images of the run's own training or validation part, such as 'FF/c0" in refusal(run)


def test_different_images_between_methods_are_refused(tmp_path: Path) -> None:
    make_run(tmp_path)
    other = make_run(tmp_path, method="dbcnn")
    file = rewrite(other, lambda table: table.iloc[2:])
    content = json.loads((other / "split.json").read_text())
    content["test"]["images"] = pd.read_csv(file)["image"].tolist()  # a split of the same number, with a smaller test part
    (other / "split.json").write_text(json.dumps(content))
    said = refusal(tmp_path)
    assert "have other images of live-test, split 0: 2 stand in one of them alone" in said
    assert said.endswith("score the same ones, or report them apart")


def test_a_repeated_image_is_refused_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = make_run(tmp_path) / "scores" / "live-test.csv"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, lines[3]]) + "\n")
    assert main(["report", str(tmp_path)]) == 1
    assert f"line {len(lines) + 1}: index" in capsys.readouterr().err
    with pytest.raises(BenchmarkMismatchError, match="appears twice; keep one row per image"):
        read_results([tmp_path])


@pytest.mark.parametrize("benchmark", ["live", "csiq"])
def test_a_dmos_left_as_it_is_is_refused(tmp_path: Path, benchmark: str) -> None:
    run = make_run(tmp_path, benchmark)
    rewrite(run, lambda table: table.assign(quality=1 - table["quality"]), f"{benchmark}-test")
    assert "has DMOS, lower is better, so " in refusal(tmp_path)
    assert "was expected: it was not turned over" in refusal(tmp_path)


def test_a_mos_on_another_scale_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path, "livec")
    rewrite(run, lambda table: table.assign(quality=table["quality"] * 0.9), "livec-test")
    assert "it is not on the benchmark's scale" in refusal(tmp_path)


def test_a_benchmark_of_somebody_elses_must_tie_quality_to_mos(tmp_path: Path) -> None:
    run = make_run(tmp_path, "livec")
    file = run / "scores" / "livec-test.csv"
    file.rename(run / "scores" / "garden-test.csv")
    assert "garden-test.csv is called of garden, and all its images are those of livec, which the run trained on" in refusal(run)
    rewrite(run, lambda table: table.assign(image="garden/" + table["image"]), "garden-test")
    assert read_results([run])[0].benchmark == "garden"
    rewrite(run, lambda table: table.assign(quality=table["quality"] ** 2), "garden-test")
    assert "quality does not follow from mos by fixed constants" in refusal(run)


def test_labels_that_changed_between_runs_are_refused(tmp_path: Path) -> None:
    make_run(tmp_path)
    other = make_run(tmp_path, method="dbcnn")
    rewrite(other, lambda table: table.assign(distortion=table["distortion"].replace("GB", "blur")))
    assert "disagree about 'GB/c" in refusal(tmp_path)
    assert "made from different versions of the benchmark" in refusal(tmp_path)


def test_two_runs_that_claim_the_same_are_refused(tmp_path: Path) -> None:
    make_run(tmp_path, noise=0.05)
    make_run(tmp_path, noise=0.06)
    assert "both hold sdsiqa on live-test, split 0, seed 0; give them different run.method" in refusal(tmp_path)


def test_one_name_for_two_configurations_is_refused(tmp_path: Path) -> None:
    make_run(tmp_path)
    config = make_run(tmp_path, split=1) / "config.yaml"
    config.write_text(config.read_text() + "model: {network: {init_args: {fusion: {gate: se}}}}\n")
    said = refusal(tmp_path)
    assert "are both called sdsiqa, and model.network.init_args.fusion.gate is None in one and 'se' in the other" in said
    assert said.endswith("give them different run.method or run.ablation, or report them apart")


def test_a_foreign_table_of_other_images_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    write_scores(tmp_path / "niqe" / "scores.csv", read_scores(run / "scores" / "live-test.csv").iloc[1:])
    assert "it lacks 1 of them, such as 'FF/c0" in refusal(tmp_path)
    assert "there is no run to say what they are of" in refusal(tmp_path / "niqe")


def test_official_and_numbered_splits_share_no_mean(tmp_path: Path) -> None:
    make_run(tmp_path, split=0)
    run = make_run(tmp_path, split=1)
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("split: 1", "split: official"))
    assert {"benchmark-live-test", "benchmark-live-test-official-split"} <= set(tables(tmp_path))


def test_nan_scores_make_nan_with_the_reason(tmp_path: Path) -> None:
    for split in range(2):
        make_run(tmp_path, split=split)
    run = make_run(tmp_path, ablation="no_gate", split=0)
    make_run(tmp_path, ablation="no_gate", split=1)
    rewrite(run, lambda table: table.assign(score=np.where(np.arange(len(table)) < 2, np.nan, table["score"])))
    found = tables(tmp_path, baseline="sdsiqa")
    row = next(cells for cells in found["benchmark-live-test"].cells if "no_gate" in cells[0])
    assert row[2] == "NaN [a]"  # the mean over both splits, not that of the one that went well
    assert row[list(found["benchmark-live-test"].head).index("Δ to sdsiqa")] == "NaN"
    assert "[a] 2 of 80 scores are NaN or infinite; look for a diverged training" in found["benchmark-live-test"].notes
    assert "no verdict" in [cells[7] for cells in found["ablation-live-test-sdsiqa"].cells]
    listed = found["runs-live-test-sdsiqa-no_gate"]
    assert [cells[3] for cells in listed.cells if cells[0] in ("mean", "sd", "median")] == ["NaN"] * 3
    assert "nan" in layout.csv(listed)


def test_constant_scores_make_nan_with_the_reason(tmp_path: Path) -> None:
    rewrite(make_run(tmp_path), lambda table: table.assign(score=0.5))
    table = tables(tmp_path)["benchmark-live-test"]
    assert table.cells[0][2] == "NaN [a]"
    assert any("all 80 scores are 0.5; constant scores have no correlation" in note for note in table.notes)
    assert np.isfinite(table.frame["runs"]).all()


def test_scores_that_point_the_wrong_way_are_marked(tmp_path: Path) -> None:
    rewrite(make_run(tmp_path), lambda table: table.assign(score=1 - table["score"]))
    table = tables(tmp_path)["benchmark-live-test"]
    assert table.cells[0][2].startswith("−0.9")
    assert any(note.startswith("[a] scores fall while quality rises") for note in table.notes)


def test_missing_splits_are_marked_and_not_in_bold(tmp_path: Path) -> None:
    for split in range(3):
        make_run(tmp_path, split=split, noise=0.2)
    make_run(tmp_path, method="dbcnn", split=0, noise=0.01)
    table = tables(tmp_path)["benchmark-live-test"]
    place = next(row for row, cells in enumerate(table.cells) if cells[0] == "dbcnn")
    assert any(note.startswith("[a] split 1, 2 missing: its mean does not compare") for note in table.notes)
    assert table.cells[place][2].endswith("[a]")
    assert not any(row == place for row, _ in table.strong)


def test_other_ways_to_choose_the_epoch_are_marked(tmp_path: Path) -> None:
    make_run(tmp_path, split=0)
    record = make_run(tmp_path, split=1) / "run.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"chosen_by": "last"}))
    assert any(
        "epochs were chosen in different ways: last, val/srcc" in note for note in tables(tmp_path)["benchmark-live-test"].notes
    )
