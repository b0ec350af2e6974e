"""Reports: what tables say, of runs with known scores."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from report_runs import draw_images, make_run

from runs import fit
from sdsiqa import metrics
from sdsiqa.cli import main
from sdsiqa.errors import RunMismatchError
from sdsiqa.experiments.definition import Experiment
from sdsiqa.metrics.significance import meng_rosenthal_rubin, pitman_morgan
from sdsiqa.report import Blank, write
from sdsiqa.report.build import tables_of
from sdsiqa.report.comparisons import corrected
from sdsiqa.report.published import read_quoted
from sdsiqa.report.read import read_results
from sdsiqa.report.reproduced import MADE, PAPER
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.table import NO_INTERVAL, Table
from sdsiqa.report.tables.quoted import plain
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.scores import SPREAD, read_scores, write_scores


def tables(runs: Path, baseline: str | None = None, published: Path | None = None, resamples: int = 200) -> dict[str, Table]:
    found = tables_of(read_results([runs]), Evidence(resamples), baseline, published)
    return {table.name: table for table in found}


def column(table: Table, name: str) -> list[str]:
    return [cells[list(table.head).index(name)] for cells in table.cells]


@pytest.fixture(scope="module")
def ablated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three splits of a full method, one ablation that costs much and one that costs nothing, and another method."""
    runs = tmp_path_factory.mktemp("ablated") / "runs"
    for split in range(3):
        tested = ("livec", "tid2013")
        make_run(runs, split=split, tested=tested)
        make_run(runs, ablation="no_gate", split=split, noise=0.051)
        make_run(runs, ablation="saliency_only", split=split, noise=0.5)
        make_run(runs, method="dbcnn", split=split, noise=0.08, tested=("livec",))
    return runs


def test_a_method_has_mean_deviation_and_median_over_its_splits(ablated: Path) -> None:
    table = tables(ablated)["benchmark-live-test"]
    assert [str(cell) for cell in column(table, "method")] == ["dbcnn", "sdsiqa", "sdsiqa (no_gate)", "sdsiqa (saliency_only)"]
    values = [
        metrics.agreement(scores["score"], scores["quality"])
        for split in range(3)
        for scores in [read_scores(next(ablated.glob(f"live-sdsiqa-full-{split}-0-*")) / "scores" / "live-test.csv")]
    ]
    srcc, plcc = ([value[name] for value in values] for name in ("srcc", "plcc"))
    row = table.frame.set_index(["method", "ablation"]).loc[("sdsiqa", "full")]
    assert [row["srcc_mean"], row["srcc_sd"], row["srcc_median"]] == pytest.approx(
        [np.mean(srcc), np.std(srcc, ddof=1), np.median(srcc)], abs=1e-12
    )
    assert row["plcc_mean"] == pytest.approx(np.mean(plcc), abs=1e-12)
    assert row["rmse_mos_mean"] == pytest.approx(np.mean([v["rmse_fit"] for v in values]) * (111.78 + 2.65), rel=1e-6)
    assert f"{np.mean(srcc):.3f} ± {np.std(srcc, ddof=1):.3f}" in column(table, "SRCC")
    assert row["srcc_low"] < row["srcc_mean"] < row["srcc_high"] <= 1
    assert column(table, "runs") == ["3 splits"] * 4
    assert 0 < row["outliers_mean"] < 1  # LIVE publishes deviations
    assert "RMSE (DMOS scale, logistic 4)" in table.head
    assert all("logistic" in head or head == "PLCC (raw)" for head in table.head if "PLCC" in head)


def test_a_row_says_what_its_runs_remark_and_that_they_are_of_a_reconstruction(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for method, ablation, network in (
        ("setnet", "full", "sdsiqa.models.SETNet"),
        ("setnet", "no_map", "sdsiqa.models.SETNet"),
        ("dbcnn", "full", "sdsiqa.models.DBCNN"),
    ):
        file = make_run(tmp_path, method=method, ablation=ablation) / "config.yaml"
        config = yaml.safe_load(file.read_text())
        config["model"] = {"network": {"class_path": network}}
        config["run"] |= {"remark": "learnt for too short a time"} if method == "dbcnn" else {}
        file.write_text(yaml.safe_dump(config))
    found = tables(tmp_path, baseline="setnet")
    table = found["benchmark-live-test"]
    names = ["dbcnn", "setnet (reconstruction)", "setnet (reconstruction, no_map)"]
    assert column(table, "method") == names
    assert column(table, "Δ to setnet (reconstruction)")[1] == "baseline"
    assert [cell.endswith(" [a]") for cell in column(table, "SRCC")] == [True, False, False]
    assert "[a] learnt for too short a time" in table.notes
    assert found["ablation-live-test-setnet"].title.startswith("Ablations of setnet (reconstruction)")
    assert set(names) <= set(found["distortion-srcc-live-test"].head)
    assert main(["report", str(tmp_path), "--remark", "setnet=tuned here=yes", "--remark", "dbcnn=other", "--full"]) == 0
    said = capsys.readouterr().out
    assert "[a] other\n- [b] tuned here=yes\n" in said
    assert "too short" not in said
    assert main(["report", str(tmp_path), "--remark", "setnt=x"]) == 1
    assert "a remark is on 'setnt', and no run is called so; there are dbcnn, setnet" in capsys.readouterr().err


def test_what_learned_for_too_short_a_time_says_so_in_its_name_and_is_not_ranked(tmp_path: Path) -> None:
    for split in range(3):
        make_run(tmp_path, split=split)
        make_run(tmp_path, method="dbcnn", split=split, noise=0.08)
        file = make_run(tmp_path, method="brisk", split=split, noise=0.001) / "config.yaml"  # the best of the three
        config = yaml.safe_load(file.read_text())
        config["run"]["under_trained"] = True
        file.write_text(yaml.safe_dump(config))
    table = tables(tmp_path, baseline="sdsiqa")["benchmark-live-test"]
    assert column(table, "method") == ["brisk (under-trained)", "dbcnn", "sdsiqa"]
    assert column(table, "Δ to sdsiqa")[0] == "not ranked"
    assert any("Holm's correction for 1 comparison." in note for note in table.notes)
    srcc = list(table.head).index("SRCC")
    assert {row for row, cell in table.strong if cell == srcc} == {2}
    assert set(column(tables(tmp_path, baseline="sdsiqa")["tests-live-test"], "method")) == {"dbcnn"}


def test_a_method_without_a_score_has_a_row_that_says_why(ablated: Path) -> None:
    blanks = [
        Blank("live", ("SSIM", "full"), "it needs references"),
        Blank("live", ("dbcnn", "full"), "never"),
        Blank("csiq", ("PSNR", "full"), "never"),
    ]
    found = tables_of(read_results([ablated]), Evidence(200), "sdsiqa", blanks=blanks)
    (table,) = [table for table in found if table.name == "benchmark-live-test"]
    assert list(table.cells[-1]) == ["SSIM", "– [a]", *["–"] * (len(table.head) - 2)]
    assert len(table.cells) == 5
    assert "[a] it needs references" in table.notes


def test_marks_are_against_the_baseline_and_corrected(ablated: Path) -> None:
    table = tables(ablated, baseline="sdsiqa")["benchmark-live-test"]
    against = dict(zip(column(table, "method"), column(table, "Δ to sdsiqa"), strict=True))
    assert against["sdsiqa"] == "baseline"
    assert against["sdsiqa (saliency_only)"].endswith("▼")
    assert against["sdsiqa (no_gate)"].endswith("≈")
    assert any("after Holm's correction for 3 comparisons" in note for note in table.notes)
    assert corrected(1) == "after Holm's correction for 1 comparison"
    frame = table.frame.set_index(["method", "ablation"])
    assert (frame["p_holm"].dropna() >= frame["p"].dropna()).all()
    assert set(frame["test"].dropna()) == {"", "corrected resampled t"}


def test_each_split_is_tested_by_itself_too(tmp_path: Path) -> None:
    for split in range(3):
        for facts in ({}, {"ablation": "no_gate", "noise": 0.051}, {"ablation": "saliency_only", "noise": 0.5}):
            make_run(tmp_path, split=split, contents=30, **facts)  # type: ignore[arg-type]
        make_run(tmp_path, method="dbcnn", split=split, noise=0.08, contents=30)
    table = tables(tmp_path, baseline="sdsiqa", resamples=2000)["tests-live-test"]  # fewer could not reach 5 % of nine
    frame = table.frame
    assert len(frame) == 9
    assert set(frame["method"]) == {"dbcnn", "sdsiqa (no_gate)", "sdsiqa (saliency_only)"}
    poor = frame[frame["method"] == "sdsiqa (saliency_only)"]
    assert (poor[["bootstrap_holm", "meng_holm", "pitman_holm"]] < 0.05).all(axis=None)
    assert (poor["error_difference"] > 0).all()  # its errors spread wider
    row = frame[(frame["method"] == "dbcnn") & (frame["split"] == "1")].iloc[0]
    a, b = (read_scores(next(tmp_path.glob(f"live-{name}-full-1-0-*/scores/live-test.csv"))) for name in ("dbcnn", "sdsiqa"))
    assert row["meng"] == pytest.approx(meng_rosenthal_rubin(a["score"], b["score"], a["quality"]).p, abs=1e-12)
    errors = [metrics.fit_logistic4(x["score"], x["quality"])(x["score"]) - x["quality"] for x in (a, b)]
    assert row["pitman"] == pytest.approx(pitman_morgan(*errors).p, rel=1e-6)
    assert [cell[-1] for cell in column(table, "p Pitman-Morgan") if cell.startswith("0.000")] == ["▼"] * 3
    assert "tests-live-test" not in tables(tmp_path)


def test_a_baseline_that_is_not_there_is_refused_by_name(ablated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(ablated), "--baseline", "hyperiqa"]) == 1
    assert "no run is called 'hyperiqa'; there are dbcnn, sdsiqa, " in capsys.readouterr().err


def test_one_split_is_compared_by_drawing_its_images_again(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", contents=30)
    make_run(tmp_path / "runs", ablation="saliency_only", noise=0.6, contents=30)
    table = tables(tmp_path / "runs", baseline="full")["benchmark-live-test"]
    assert table.frame["test"].tolist() == ["", "paired bootstrap"]
    assert table.frame["srcc_interval"].tolist() == ["bootstrap"] * 2
    assert any("6 units are few" in note for note in table.notes)
    assert NO_INTERVAL not in table.notes


def test_four_contents_have_dashes_for_intervals_and_no_verdict(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", contents=20, tested=("livec",))
    make_run(tmp_path / "runs", ablation="saliency_only", noise=0.6, contents=20)
    found = tables(tmp_path / "runs", baseline="full")
    table = found["benchmark-live-test"]
    assert [cells[table.head.index("95 %")] for cells in table.cells] == ["–", "–"]
    assert column(table, "Δ to sdsiqa")[1].endswith(" –")  # neither an interval nor a mark
    assert table.frame["p"].isna().all()
    assert not any("units are few" in note for note in table.notes)
    for name in ("benchmark-live-test", "ablation-live-test-sdsiqa", "distortion-srcc-live-test", "cross"):
        assert list(found[name].notes).count(NO_INTERVAL) == 1, name
    assert all(cell.endswith(" –") for cells in found["distortion-plcc-live-test"].cells for cell in cells[2:])
    assert NO_INTERVAL in found["runs-live-test-sdsiqa"].notes


def test_no_printed_interval_ends_before_its_mean(ablated: Path) -> None:
    found = tables(ablated)
    for name in ("distortion-srcc-live-test", "level-plcc-live-test", "cross"):
        cells = [cell for row in found[name].cells for cell in row if "[" in cell]
        assert cells
        for cell in cells:
            mean, low, high = (float(word.replace("−", "-").strip("()[],")) for word in cell.split())
            assert low <= mean <= high, (name, cell)


def test_ablations_are_differences_to_the_full_method(ablated: Path) -> None:
    table = tables(ablated)["ablation-live-test-sdsiqa"]
    frame = table.frame.set_index("ablation")
    assert list(frame.index) == ["full", "no_gate", "saliency_only"]
    assert frame.loc["saliency_only", "difference"] == pytest.approx(
        frame.loc["saliency_only", "srcc"] - frame.loc["full", "srcc"], abs=1e-12
    )
    assert dict(zip(column(table, "ablation"), column(table, "verdict"), strict=True)) == {
        "full": "",
        "no_gate": "inside the noise",
        "saliency_only": "worse",
    }
    row = frame.loc["no_gate"]
    assert 0 < row["visible"] > (row["high"] - row["low"]) / 2  # half an interval is found in half of the repetitions
    assert table.lead[0].startswith("What this design can see: a true difference of ")
    assert row["low"] < row["images_low"] < 0 < row["images_high"] < row["high"]  # other training images are more chance


def test_distortions_and_levels_have_tables_of_their_own(ablated: Path) -> None:
    found = tables(ablated)
    table = found["distortion-srcc-live-test"]
    assert column(table, "distortion") == ["FF", "GB", "JP2K", "JPEG", "WN"]
    scores = [read_scores(file) for file in sorted(ablated.glob("live-sdsiqa-full-*/scores/live-test.csv"))]
    own = [some[some["distortion"] == "GB"] for some in scores]
    row = table.frame[(table.frame["distortion"] == "GB") & (table.frame["method"] == "sdsiqa")].iloc[0]
    assert row["mean"] == pytest.approx(np.mean([metrics.srcc(part["score"], part["quality"]) for part in own]), abs=1e-12)
    assert row["low"] <= row["mean"] <= row["high"] <= 1
    assert column(found["level-plcc-live-test"], "level") == ["1", "2", "3", "4"]
    assert not any(name.startswith("distortion-srcc-livec") for name in found)


def test_other_benchmarks_stand_in_the_matrix_and_nowhere_else(ablated: Path) -> None:
    found = tables(ablated)
    table = found["cross"]
    assert list(table.head) == ["method", "trained on", "live-test", "livec-all", "tid2013-all"]
    assert column(table, "method") == ["dbcnn", "sdsiqa"]
    assert column(table, "tid2013-all")[0] == ""
    assert all(cell.startswith("(") for cell in column(table, "live-test"))  # its own test part is no cross-dataset test
    assert "benchmark-livec-all" not in found
    row = table.frame[(table.frame["method"] == "sdsiqa") & (table.frame["tested_on"] == "livec-all")].iloc[0]
    assert row["runs"] == 3
    assert not row["is_own"]


def test_several_seeds_are_averaged_before_the_splits(tmp_path: Path) -> None:
    for split in range(2):
        for seed in range(2):
            make_run(tmp_path / "runs", split=split, seed=seed, noise=0.1)
    table = tables(tmp_path / "runs")["benchmark-live-test"]
    runs = tables(tmp_path / "runs")["runs-live-test-sdsiqa"].frame
    assert column(table, "runs") == ["2 splits × 2 seeds"]
    means = runs.groupby("split")["srcc"].mean()
    assert table.frame["srcc_sd"][0] == pytest.approx(means.std(), abs=1e-12)


def test_published_numbers_have_columns_of_their_own(ablated: Path) -> None:
    quoted = Path("results/quoted.csv")
    table = tables(ablated, published=quoted)["quoted"]
    rows = table.frame
    others = rows[~rows["source"].str.startswith("SDS-IQA (")]
    assert set(others["test_set"]) == {"LIVE"}  # nobody printed what a method trained on LIVE does on the two others
    own = rows[(rows["method"] == "SDS-IQA") & (rows["train_set"] == "LIVE") & (rows["distortion"] == "")]
    assert set(own["plcc"]) == {"0.976"}
    assert own["our_plcc"].notna().all()
    assert rows[rows["method"] == "SSIM"]["our_srcc"].isna().all()
    assert set(own["reproduced_by"]) == {"SDS-IQA (reconstruction)"}
    assert all(cells[-1] for cells in table.cells if "SDS-IQA" in cells[0])  # protocol notes
    assert "0.976" not in column(table, "our PLCC (raw)")


def test_published_cross_tests_stand_beside_ours_of_the_same_pair(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "tid2013", tested=("live",))
    rows = tables(tmp_path / "runs", published=Path("results/quoted.csv"))["quoted"].frame
    own = rows[(rows["method"] == "SDS-IQA") & (rows["train_set"] == "TID2013") & (rows["test_set"] == "LIVE")]
    assert own["srcc"].tolist() == ["0.858"]
    assert own["our_srcc"].notna().all()


def test_every_method_of_the_papers_tables_stands_beside_ours_or_its_command(tmp_path: Path) -> None:
    for method in ("sdsiqa", "twostream"):
        make_run(tmp_path / "runs", "livec", method=method)
    quoted = [row for row in read_quoted(Path("results/quoted.csv")) if row["source"].startswith(PAPER)]
    table = tables(tmp_path / "runs", published=Path("results/quoted.csv"))["quoted"]
    rows = table.frame[table.frame["source"].str.startswith(PAPER)]
    assert len(rows) == len(quoted) == 78
    assert {plain(name) for name in rows["method"]} == set(MADE)
    assert "reproduced by" in table.head
    livec = rows[(rows["train_set"] == "LIVEC") & (rows["test_set"] == "LIVEC")].set_index("method")
    assert livec.loc[["SDS-IQA"], "our_srcc"].notna().all()
    grid = "sdsiqa grid experiments/paper/table3_authentic.yaml --only livec-qualitymap"
    assert livec.loc["DQM-IQA", "reproduced_by"] == f"not run: {grid}"
    (cross,) = rows[(rows["method"] == "TSIG") & (rows["test_set"] == "CSIQ")]["reproduced_by"]
    assert cross == "data not here: sdsiqa grid experiments/paper/table4_cross_dataset.yaml --only tid2013-twostream"


@pytest.mark.slow
def test_the_commands_beside_published_numbers_run_that_method_on_that_benchmark(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "livec", method="hyperiqa")
    rows = tables(tmp_path / "runs", published=Path("results/quoted.csv"))["quoted"].frame
    for row in rows[rows["source"].str.startswith(PAPER)].to_dict("records"):
        words = row["reproduced_by"].partition(": ")[2].split()
        assert words[:2] == ["sdsiqa", "grid"], row
        experiment = Experiment.load(Path(words[2]))
        named = [cell for cell in experiment.variants() if cell.matches(words[4])]
        assert {cell.method for cell in named} == {MADE[plain(row["method"])].name}, row
        assert {plain(row["train_set"] or row["test_set"])} == {cell.benchmark for cell in named}, row
        tested = {plain(row["test_set"])}
        assert tested <= {cell.benchmark for cell in named} | set(experiment.tests), row


def test_kept_results_fill_every_row_of_the_paper_whose_data_they_have() -> None:
    rows = tables(Path("results/livec-methods/runs"), published=Path("results/quoted.csv"), resamples=20)["quoted"].frame
    own = rows[rows["source"].str.startswith(PAPER)]
    here = own[(own["train_set"] == "LIVEC") & (own["test_set"] == "LIVEC")]
    assert {"DIQA", "DB-CNN", "BIECON", "AIGQA", "SETNet", "DQM-IQA", "SGDNet", "SDS-IQA"} == set(here["method"])
    assert here["our_srcc"].notna().all()
    assert own.drop(here.index)["reproduced_by"].str.startswith("data not here: sdsiqa grid experiments/").all()


def test_what_stands_in_goes_by_its_own_name(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "live", method="twostream")
    rows = tables(tmp_path / "runs", published=Path("results/quoted.csv"))["quoted"].frame
    filled = rows[rows["our_srcc"].notna()]
    assert set(filled["method"]) == {"TSIG"}
    assert set(filled["reproduced_by"]) == {"TwoStreamIQA"}


def test_quoted_numbers_all_have_a_source_and_a_protocol() -> None:
    rows = list(csv.DictReader(Path("results/quoted.csv").read_text().splitlines()))
    assert len(rows) > 500
    assert all(row["source"] and row["protocol_note"] and (row["plcc"] or row["srcc"]) for row in rows)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x,t,m,LIVE,LIVE,,1.7,,n", "line 2: plcc is '1.7'; expected a correlation"),
        (",t,m,LIVE,LIVE,,0.7,,n", "line 2: source is empty"),
    ],
)
def test_damaged_quotations_are_refused(
    tmp_path: Path, ablated: Path, line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "quoted.csv"
    file.write_text(f"source,table,method,train_set,test_set,distortion,plcc,srcc,protocol_note\n{line}\n")
    assert main(["report", str(ablated), "--published", str(file)]) == 1
    assert said in capsys.readouterr().err
    file.write_text("source,method\n")
    assert main(["report", str(ablated), "--published", str(file)]) == 1
    assert "lacks the column 'table'" in capsys.readouterr().err
    assert main(["report", str(ablated), "--published", str(tmp_path / "none.csv")]) == 1
    assert "none.csv does not exist" in capsys.readouterr().err


def test_a_foreign_method_joins_by_its_scores_alone(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for split in range(2):
        ours = read_scores(make_run(runs, split=split, tested=("livec",)) / "scores" / "live-test.csv")
        rng = np.random.default_rng(split)
        foreign = ours.assign(score=40 * ours["quality"] + 3 * rng.normal(size=len(ours))).sample(frac=1, random_state=split)
        write_scores(runs / "niqe" / ("scores.csv" if split == 0 else "second.csv"), foreign)
    found = tables(runs, baseline="sdsiqa")
    frame = found["benchmark-live-test"].frame.set_index("method")
    assert frame.loc["niqe", "runs"] == 2
    assert np.isfinite(frame.loc["niqe", "p"])
    assert found["runs-live-test-niqe"].frame["split"].tolist() == ["0", "1"]
    alone = read_results([next(runs.glob("live-*-0-0-*")), runs / "niqe" / "scores.csv"])
    assert {result.label for result in alone} == {"sdsiqa", "niqe"}


def test_tables_say_what_settings_were_tuned_on_and_what_minutes_are(tmp_path: Path) -> None:
    for split, place in ((0, "live-9"), (1, "live-9"), (2, "")):
        folder = make_run(tmp_path, "live", split=split, tested=["csiq"], method="sdsiqa" if place else "other")
        config = yaml.safe_load((folder / "config.yaml").read_text())
        config["run"]["tuned_on"] = place
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        if place:
            RunFolder(folder).update(cost={"training_hours": 0.1, "wall_hours": 0.2})
    files = write([tmp_path], tmp_path / "out", with_images=False)
    text = next(file for file in files if file.name == "report.md").read_text()
    note = "settings tuned on split 9 of live"
    assert text.count(f"{note}: images tested here lie in its other parts, so the scores flatter the method") >= 2
    assert f"] {note}\n" in text.partition("across benchmarks")[2]  # of another benchmark
    assert "Minutes: wall time of sdsiqa fit from its start to its last score" in text
    assert "Minutes: training steps alone" in text
    assert " 12.0 |" in text


def test_a_further_test_of_a_run_is_reported_where_it_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(tmp_path, "live")
    other = folder / "scores" / "live-test.0123abcd.csv"
    other.write_bytes((folder / "scores" / "live-test.csv").read_bytes())
    RunFolder(folder).write("tests.json", b'{"live-test.0123abcd": {"differs": ["crop: 64 \xe2\x86\x92 48"]}}')
    (first,) = read_results([folder])
    assert first.ablation == "full"
    assert "live-test.0123abcd.csv is of a further test with other settings" in capsys.readouterr().err
    both = read_results([folder, other])
    assert [(result.part, result.ablation) for result in both] == [("test", "full"), ("test", "crop: 64 → 48")]


def test_a_run_without_its_split_is_not_reported(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "live")
    RunFolder(folder).update(split_hash=json.loads((folder / "split.json").read_text())["sha256"])
    assert read_results([folder])
    text = (folder / "split.json").read_text()
    content = json.loads(text)
    content["train"]["images"], content["test"]["images"] = content["test"]["images"], content["train"]["images"]
    (folder / "split.json").write_text(json.dumps(content))
    with pytest.raises(RunMismatchError, match="lists other images than the run has seen"):
        read_results([folder])
    (folder / "split.json").unlink()
    with pytest.raises(RunMismatchError, match=r"nobody knows which images .* has seen"):
        read_results([folder])


def test_one_table_of_a_run_may_be_named(tmp_path: Path) -> None:
    run = make_run(tmp_path, tested=("livec",))
    (result,) = read_results([run / "scores" / "live-test.csv"])
    assert (result.label, result.is_foreign) == ("sdsiqa", False)


def test_the_training_part_counts_what_trained(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert read_results([run])[0].test_per_train == 4 / 14  # contents, of 20 images each
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("  split: 0", "  split: 0\n  fit_on: train+val"))
    assert read_results([run])[0].test_per_train == 4 / 16


def test_old_folders_are_called_by_their_network_or_their_names(tmp_path: Path) -> None:
    run = make_run(tmp_path, method=None)
    assert read_results([run])[0].label == "live-net-full"
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["model"] = {"network": {"class_path": "sdsiqa.models.SDSIQA"}}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    assert read_results([run])[0].label == "sdsiqa (reconstruction)"


def test_the_readme_gets_the_runs_between_its_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in range(2):
        make_run(tmp_path / "runs", split=split)
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- results runs -->\nold\n<!-- end -->\nafter\n")
    assert main(["report", str(tmp_path / "runs"), "--readme", str(readme)]) == 0
    text = readme.read_text()
    assert text.startswith("before\n<!-- results runs -->\n\n**sdsiqa on live-test**")
    assert text.endswith("<!-- end -->\nafter\n")
    assert "old" not in text
    assert "| **median** |" in text
    assert "LIVE, live-test\n" in capsys.readouterr().out
    readme.write_text("no marks")
    assert main(["report", str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--readme", str(readme)]) == 1
    assert not (tmp_path / "out").exists()
    assert "has no marks `<!-- results runs -->` or `<!-- summary runs -->`" in capsys.readouterr().err
    readme.write_bytes(b"caf\xe9\n<!-- results runs -->\n<!-- end -->\n")
    assert main(["report", str(tmp_path / "runs"), "--readme", str(readme)]) == 1
    assert f"{readme} is no text in UTF-8 (" in capsys.readouterr().err


def test_a_readme_gets_a_row_per_method_and_another_file_every_run(tmp_path: Path) -> None:
    for split in range(2):
        make_run(tmp_path / "runs", split=split)
    short, long = tmp_path / "README.md", tmp_path / "results.md"
    short.write_text("# A\n<!-- summary runs -->\n<!-- end -->\n")
    long.write_text("# B\n<!-- results runs -->\n<!-- end -->\n<!-- summary runs -->\nold\n<!-- end -->\n")
    words = ["report", str(tmp_path / "runs"), "--readme", str(short), "--readme", str(long)]
    assert main(words) == 0
    lines = short.read_text().splitlines()
    assert lines[3:6] == ["**LIVE, live-test**", "", "| method | SRCC | 95 % | PLCC | runs |"]
    assert lines[7].startswith("| sdsiqa | 0.")
    assert "±" in lines[7]
    assert lines[-1] == "<!-- end -->"
    assert "| **median** |" in long.read_text()
    assert "old" not in long.read_text()
    assert "\n".join(lines[3:8]) in long.read_text()


def test_formats_on_standard_output(ablated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(next(ablated.glob("live-dbcnn-full-0-*")))
    assert main(["report", run, "--format", "csv"]) == 0
    block = capsys.readouterr().out.split("# ")[1]
    frame = pd.read_csv(io.StringIO(block.split("\n", 1)[1]))
    scores = read_scores(Path(run) / "scores" / "live-test.csv")
    assert frame["srcc_mean"][0] == pytest.approx(metrics.srcc(scores["score"], scores["quality"]), abs=1e-15)
    for format_, said in (("latex", r"\toprule"), ("html", "<!doctype html>"), ("md", "| :--- |")):
        assert main(["report", run, "--format", format_]) == 0
        assert said in capsys.readouterr().out


def test_nothing_to_report_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 1
    assert "holds no scores/*.csv; name a folder that `sdsiqa fit` made" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "runs-*")]) == 1
    assert "runs-* does not exist; name a folder" in capsys.readouterr().err
    run = make_run(tmp_path)
    (run / "config.yaml").unlink()
    assert main(["report", str(run)]) == 1
    assert "config.yaml cannot be read (FileNotFoundError)" in capsys.readouterr().err


@pytest.mark.slow
def test_a_written_report_is_whole(tmp_path: Path) -> None:
    root = draw_images("live", tmp_path / "live")
    for split in range(2):
        make_run(tmp_path / "runs", split=split, root=root, tested=("livec",))
        diverged = make_run(tmp_path / "runs", split=split, root=root, ablation="no_gate") / "scores" / "live-test.csv"
    write_scores(diverged, read_scores(diverged).assign(score=np.nan))
    files = write([tmp_path / "runs"], tmp_path / "out", "sdsiqa", Path("results/quoted.csv"))
    names = {str(file.relative_to(tmp_path / "out")) for file in files}
    assert {"report.md", "report.tex", "report.html", "tables/cross.csv", "tables/quoted.csv"} <= names
    for figure in ("bars-ablation-live-test-sdsiqa", "heat-cross", "box-srcc", "scatter-live-test-sdsiqa"):
        assert {f"figures/{figure}.png", f"figures/{figure}.pdf"} <= names
    assert {"figures/scatter-distortions-live-test-sdsiqa.png", "figures/worst-live-test-sdsiqa.png"} <= names
    assert all(file.exists() for file in files)
    text = (tmp_path / "out" / "report.md").read_text()
    linked = {part.split(")")[0] for part in text.split("](")[1:]}
    assert linked <= names


def test_a_report_to_publish_holds_no_image_of_a_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "runs", "livec", root=draw_images("livec", tmp_path / "livec"))
    (run / "figures").mkdir()
    (run / "figures" / "panel-livec-test.png").write_bytes((tmp_path / "livec" / "photos" / "c000--1.png").read_bytes())
    for more in ([], ["--no-images"]):
        assert main(["report", str(run), "--full", "--out", str(tmp_path / "out"), *more]) == 0
        names = {Path(line).name for line in capsys.readouterr().out.splitlines()}
        shown = (tmp_path / "out" / "report.html").read_text()
        has = not more
        assert any(name.startswith("worst-") for name in names) == has
        assert any(name.startswith("panel-") for name in names) == has
        assert sorted(path.name for path in (tmp_path / "out" / "figures").iterdir()) == sorted(
            name for name in names if name.endswith((".png", ".pdf"))
        )  # the second report took away what the first had and it has not
        assert ("panel-livec-test" in (tmp_path / "out" / "report.md").read_text()) == has
        assert all((f'id="{which}-livec"' in shown) == has for which in ("whole", "parts"))
        (tmp_path / "out" / "report.html").unlink()


def test_the_same_runs_make_the_same_report(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "livec", root=draw_images("livec", tmp_path / "livec"), contents=100)
    one, other = (write([tmp_path / "runs"], tmp_path / name) for name in ("one", "other"))
    assert len(one) > 6
    for first, second in zip(one, other, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_real_runs_are_reported_with_what_the_network_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    run = fit(tmp_path, "--run.figures", "true", benchmark="live", epochs=1)
    assert SPREAD in read_scores(run / "scores" / "live-test.csv")
    names = {file.name for file in write([tmp_path / "runs"], tmp_path / "out")}
    assert {"report.html", "benchmark-live-test.csv"} <= names
    assert any(name.startswith("worst-") for name in names)
    assert list((tmp_path / "out" / "figures").glob("panel-live-test-*.pdf"))
