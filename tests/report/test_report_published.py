"""Reports: published numbers beside ours."""

import csv
from pathlib import Path

import pytest
import yaml
from report_runs import column, make_run, tables

from sdsiqa.cli import main
from sdsiqa.experiments.definition import Experiment
from sdsiqa.report.build import tables_of
from sdsiqa.report.published import read_quoted
from sdsiqa.report.read import read_results
from sdsiqa.report.reproduced import MADE, PAPER
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.tables.quoted import plain


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


def test_a_number_of_ours_beside_a_published_one_says_that_it_is_of_too_short_a_training(tmp_path: Path) -> None:
    file = make_run(tmp_path, method="dbcnn") / "config.yaml"
    config = yaml.safe_load(file.read_text())
    config["run"]["under_trained"] = True
    file.write_text(yaml.safe_dump(config))
    rows = tables(tmp_path, published=Path("results/quoted.csv"))["quoted"].frame
    assert set(rows.loc[rows["our_srcc"].notna(), "reproduced_by"]) == {"DB-CNN, under-trained"}


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
    runs = [Path("results/livec-methods/runs"), *Path("results/livec").glob("livec-sdsiqa-full-[012]-*")]
    kept = tables_of(read_results(runs), Evidence(20), published=Path("results/quoted.csv"))
    rows = next(table.frame for table in kept if table.name == "quoted")
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
