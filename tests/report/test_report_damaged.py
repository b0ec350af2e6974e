"""What a run's folder holds besides scores may be damaged, too: it is said in a sentence, with the file and what was expected."""

import json
import os
from pathlib import Path

import pytest
from report_runs import make_run

from sdsiqa.errors import BenchmarkMismatchError, RunMismatchError
from sdsiqa.report.published import COLUMNS, read_quoted
from sdsiqa.report.read import read_results


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "runs")


def refusal(run: Path) -> str:
    with pytest.raises(RunMismatchError) as caught:
        read_results([run])
    return str(caught.value)


@pytest.mark.parametrize(
    "key", ["run", "data", "data.benchmark", "data.benchmark.init_args", "model", "model.network", "trainer"]
)
@pytest.mark.parametrize("value", ["words", ["a"], 3.5, True])
def test_a_section_is_keys_and_values(key: str, value: object, run: Path) -> None:
    content: object = value
    for name in reversed(key.split(".")):
        content = {name: content}
    (run / "config.yaml").write_text(json.dumps(content))
    said = refusal(run)
    assert f"config.yaml: {key} is {str(value)!r}, expected keys and values" in said
    assert said.endswith("put the run's config.yaml back, or leave the folder out")


@pytest.mark.parametrize("key", ["run.method", "run.remark", "data.benchmark.init_args.root"])
@pytest.mark.parametrize("value", [["a"], 3.5, True, {"a": 1}])
def test_a_name_is_a_text(key: str, value: object, run: Path) -> None:
    content: object = value
    for name in reversed(key.split(".")):
        content = {name: content}
    (run / "config.yaml").write_text(json.dumps(content))
    assert f"{key} is {str(value)!r}, expected a text" in refusal(run)


@pytest.mark.parametrize("text", ["- [run, 3]", "- ab", "run: &a {x: *a}", "[" * 5000, "", "\xff", "a: b: c"])
def test_a_configuration_that_is_none_is_told(text: str, run: Path) -> None:
    (run / "config.yaml").write_bytes(text.encode("latin-1"))
    assert "config.yaml cannot be read (" in refusal(run)


@pytest.mark.parametrize("hours", ["x", [1], {"a": 1}, -1, True, float("inf")])
def test_hours_are_a_number(hours: object, run: Path) -> None:
    file = run / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "cost": {"wall_hours": hours}}))
    assert f"cost.wall_hours is {str(hours)!r}; expected a number, not negative" in refusal(run)


def test_a_record_that_nests_too_deep_is_no_run(run: Path) -> None:
    (run / "run.json").write_text("[" * 100_000)
    assert "run.json cannot be read (RecursionError)" in refusal(run)


def test_the_split_is_that_of_the_run_whatever_it_calls_its_benchmark(run: Path) -> None:
    file, record = run / "split.json", run / "run.json"
    split = json.loads(file.read_text())
    record.write_text(json.dumps({**json.loads(record.read_text()), "split_hash": split["sha256"]}))
    assert len(read_results([run])) == 1
    for name in ("csiq", 3, ["a"]):
        file.write_text(json.dumps({**split, "benchmark": name}))
        assert "split.json lists other images than the run has seen" in refusal(run)
    record.write_text(json.dumps({**json.loads(record.read_text()), "split_hash": None}))
    file.write_text(json.dumps(split))
    assert len(read_results([run])) == 1


@pytest.mark.parametrize("name", ["LIVE-test", "x-test", "-test"])
def test_a_table_under_another_name_is_still_of_its_images(name: str, run: Path) -> None:
    (run / "scores" / "live-test.csv").rename(run / "scores" / f"{name}.csv")
    assert "and all its images are those of live, which the run trained on" in refusal(run)


def test_a_table_is_of_a_part_that_there_is(run: Path) -> None:
    file = run / "scores" / "live-test.csv"
    file.rename(run / "scores" / "live-foo.csv")
    assert "is called of the part 'foo'; expected BENCHMARK-test.csv, BENCHMARK-val.csv, BENCHMARK-all.csv" in refusal(run)
    (run / "scores" / "live-foo.csv").rename(run / "scores" / "live-val.csv")
    assert "live-val.csv is not of the validation part of split 0" in refusal(run)


@pytest.mark.parametrize("entry", [3, {"differs": [1]}, {"differs": "words"}])
def test_what_a_further_test_differs_in_is_lines(entry: object, run: Path) -> None:
    further = run / "scores" / "live-test.abcdef12.csv"
    (run / "scores" / "live-test.csv").rename(further)
    (run / "tests.json").write_text(json.dumps({"live-test.abcdef12": entry}))
    assert "tests.json: live-test.abcdef12 is " in refusal(further)


@pytest.mark.timeout(30)
def test_a_pipe_is_no_table(run: Path, tmp_path: Path) -> None:
    pipe = run / "scores" / "live-test.csv"
    pipe.unlink()
    os.mkfifo(pipe)
    with pytest.raises(BenchmarkMismatchError, match="is a pipe or a device; expected a file"):
        read_results([run])
    with pytest.raises(BenchmarkMismatchError, match="is a pipe or a device; expected a file"):
        read_quoted(pipe)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("", "has no rows; quote at least one number"),
        ("a,b\n", "line 2: has 2 cells, expected 9"),
        ("s,t,,live,live,,.9,.9,,\n", "line 2: has 10 cells, expected 9"),
        ("s,t,,live,live,,.9,.9,\n", "line 2: method is empty; a number without a method is not quoted"),
        ('"s,t', "is no CSV file: unexpected end of data"),
        ("\xe9,t,m,live,live,,.9,.9,\n", "is no CSV file: "),
    ],
)
def test_damaged_quotes_are_told_with_their_line(rows: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "quoted.csv"
    file.write_bytes((",".join(COLUMNS) + "\n" + rows).encode("latin-1"))
    with pytest.raises(BenchmarkMismatchError) as caught:
        read_quoted(file)
    assert str(caught.value).startswith(str(file))
    assert told in str(caught.value)
