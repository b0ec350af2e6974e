"""Reports: what tables say, of runs with known scores."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from report_runs import column, make_run, tables

from sdsiqa import metrics
from sdsiqa.cli import main
from sdsiqa.errors import RunMismatchError
from sdsiqa.metrics.significance import meng_rosenthal_rubin, pitman_morgan
from sdsiqa.report import Blank, write
from sdsiqa.report.build import tables_of
from sdsiqa.report.comparisons import corrected
from sdsiqa.report.read import read_results
from sdsiqa.report.rows import tuned
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.table import NO_INTERVAL
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.scores import read_scores, write_scores


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
        for ablation in ("full", "no_gate"):
            file = make_run(tmp_path, method="brisk", ablation=ablation, split=split, noise=0.001) / "config.yaml"  # the best
            config = yaml.safe_load(file.read_text())
            config["run"]["under_trained"] = True
            file.write_text(yaml.safe_dump(config))
    table = tables(tmp_path, baseline="sdsiqa")["benchmark-live-test"]
    assert column(table, "method") == ["brisk (under-trained)", "brisk (under-trained, no_gate)", "dbcnn", "sdsiqa"]
    assert column(table, "Δ to sdsiqa")[:2] == ["not ranked", "not ranked"]
    assert any("Holm's correction for 1 comparison." in note for note in table.notes)
    srcc = list(table.head).index("SRCC")
    assert {row for row, cell in table.strong if cell == srcc} == {3}
    found = tables(tmp_path, baseline="sdsiqa")
    assert set(column(found["tests-live-test"], "method")) == {"dbcnn"}
    assert column(found["ablation-live-test-brisk"], "verdict") == ["", "inside the noise"]  # equally short: a fair comparison
    verdicts_to_it = column(tables(tmp_path, baseline="brisk")["benchmark-live-test"], "Δ to brisk (under-trained)")
    assert verdicts_to_it[0] == "baseline"
    assert verdicts_to_it[1].endswith("≈")
    assert verdicts_to_it[2:] == ["not ranked", "not ranked"]


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


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("live", "settings tuned on live: images tested here lie in its other parts, so the scores flatter the method"),
        ("live-0", "settings tuned on split 0 of live, whose test part is scored here"),
        ("live-1,0", "settings tuned on splits 1 and 0 of live, whose test parts are scored here"),
        ("live-0,9", "settings tuned on splits 0 and 9 of live; the test part of 0 is scored here"),
        ("live-8,9", "settings tuned on splits 8 and 9 of live: images tested here lie in their other parts"),
        ("csiq-8,9", "settings tuned on splits 8 and 9 of csiq\n"),
    ],
)
def test_several_splits_may_have_been_tuned_on(tmp_path: Path, place: str, said: str) -> None:
    for split in (0, 1):
        folder = make_run(tmp_path, "live", split=split)
        config = yaml.safe_load((folder / "config.yaml").read_text())
        config["run"]["tuned_on"] = place
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert said in "\n".join([*tuned(read_results([tmp_path])), ""])


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
