"""The benchmark of speed runs in a tiny setting; what it finds here says nothing of speed."""

import json
import re
from pathlib import Path

import pytest
import torch

from bench import gpu, growth, onnx_file
from bench.__main__ import main, table
from bench.by_hand import BetweenByHand, loop_by_hand
from bench.compute import Load, fit
from bench.document import BOUNDS, bound_of, document
from bench.loading import images_per_second
from bench.measure import Row, compare, in_turns
from bench.memory import loader_here, training_peak
from bench.pictures import gather, many
from bench.programs import Cost, program, whole_programs

ROOT = Path(__file__).parents[2]

TINY = Load("test_resnet", images=2, crops=1, side=64)


def test_the_ratio_is_taken_turn_by_turn() -> None:
    row = compare("step", "s", [1.0, 30.0, 2.2], [1.0, 30.0, 2.0], 1.15, True, "")
    assert (row.ours, row.bare, row.ratio) == (2.2, 2.0, 1.0)
    assert row.low == pytest.approx(1.0)
    assert row.high == pytest.approx(1.05)
    assert row.held


@pytest.mark.parametrize(("at_most", "ratio", "held"), [(True, 1.2, False), (False, 1.2, True), (False, 1.1, False)])
def test_a_goal_has_a_direction(at_most: bool, ratio: float, held: bool) -> None:
    assert compare("x", "s", [ratio], [1.0], 1.15, at_most, "").held is held


def test_a_row_without_a_goal_is_neither_held_nor_missed() -> None:
    assert Row("x", "s", 1, 1, 1, 1, 1, None, True, "").held is None


def test_both_ways_go_first_in_turn() -> None:
    order: list[str] = []
    ours, bare = in_turns(lambda: order.append("A") or 1.0, lambda: order.append("B") or 2.0, 4)
    assert "".join(order[2:]) == "BAABBAAB"
    assert (ours, bare) == ([1.0] * 4, [2.0] * 4)


def test_photographs_may_be_drawn_or_taken(tmp_path: Path) -> None:
    made = gather(tmp_path / "drawn", 3, None, side=64)
    assert made.load(made.table()["image"][0]).shape == (64, 64, 3)
    taken = gather(tmp_path / "taken", 5, made.root)
    assert len(taken.table()) == 5
    assert (taken.root / "00003.jpg").read_bytes() == (made.root / "00000.jpg").read_bytes()


def test_loading_reports_crops_per_second(tmp_path: Path) -> None:
    photographs = gather(tmp_path / "images", 12, None, side=96)
    row = images_per_second(photographs, tmp_path, turns=2, crops=25, keep="nothing", workers=0, side=32, epochs=1)
    assert (row.goal, row.at_most) == (15.0, False)
    assert row.ours > 0
    assert row.name == "loading, 25 crops, no cache, no maps"


@pytest.mark.slow
def test_memory_is_measured_in_fresh_processes() -> None:
    row = training_peak(TINY, turns=1)
    assert row.ours > 0
    assert row.bare > 0


@pytest.mark.parametrize("keep", ["decode", "cache"])
def test_the_loaders_memory_counts_its_workers(tmp_path: Path, keep: str) -> None:
    assert len(many(tmp_path / "20", 20).table()) == 20
    assert 50 < loader_here(tmp_path / "20", keep) < 5_000


def test_everything_is_written_with_machine_and_versions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # fresh processes have a test of their own, and each would import for seconds
    monkeypatch.setattr("bench.memory.child", lambda *words: 100.0)
    monkeypatch.setattr("bench.programs.child", lambda *words: 100.0)
    monkeypatch.setattr("bench.programs.program", lambda *words: Cost(1.0, 1.0, 100.0))
    file = tmp_path / "bench.json"
    words = "--backbone test_resnet --images 2 --crops 1 --side 64 --turns 1 --files 12 --size 96 --few 12 --many 24 --scored 3"
    main([*words.split(), "--output", str(file)])
    content = json.loads(file.read_text())
    assert {"date", "git", "versions", "python", "cpu", "cores", "torch_threads", "settings", "seconds"} <= set(content)
    assert content["versions"]["torch"]
    assert "host" not in content
    names = [row["name"] for row in content["measurements"]]
    assert len(names) == len(set(names)) == 23
    for row in content["measurements"]:
        assert set(row) == {"name", "unit", "ours", "bare", "ratio", "low", "high", "goal", "at_most", "how", "held"}
        assert row["low"] <= row["ratio"] <= row["high"]
        if row["goal"] is not None:
            good = row["ratio"] <= row["goal"] if row["at_most"] else row["ratio"] >= row["goal"]
            assert row["held"] is good
    parts = {(share["of"], share["part"]): share["milliseconds"] for share in content["shares"]}
    assert len(parts) == len(content["shares"]) == 9
    assert min(parts.values()) > 0
    assert parts["training step", "forward and backward of the network"] > parts["training step", "clipping"]
    shown = capsys.readouterr().out
    assert "goals missed" in shown or "all goals held" in shown
    assert table([]).row_count == 0


@pytest.mark.filterwarnings("default")  # Lightning warns of its own
def test_the_loop_by_hand_takes_the_same_steps() -> None:
    row = loop_by_hand(TINY, turns=3)
    assert row.ours > 0
    assert row.goal == 1.03
    watch = BetweenByHand(TINY.batch())
    fit(TINY, 3, [watch])
    watch.hand.check()
    with torch.no_grad():  # a part of the way that another rate or clipping would make
        for parameter, start in zip(watch.hand.network.parameters(), watch.hand.start, strict=True):
            parameter.add_(0.005 * (parameter - start))
    with pytest.raises(RuntimeError, match="same weights"):
        watch.hand.check()


@pytest.mark.slow
def test_whole_programs_run_as_people_call_them(tmp_path: Path) -> None:
    photographs = gather(tmp_path / "images", 12, None, side=96)
    rows = whole_programs(TINY, tmp_path / "programs", photographs, files=3, turns=1)
    assert [row.name for row in rows] == [
        "peak memory of a short run, whole program",
        *(f"start, {name}" for name in ("--help", "fit --help", "a typo", "a finished run again", "a picture scored")),
        "scoring a folder, whole program",
    ]
    assert all(row.ours > 0 and row.bare > 0 for row in rows)
    with pytest.raises(RuntimeError, match="ended with 2"):
        program(["-m", "sdsiqa", "fiit"])


@pytest.mark.slow
def test_an_onnx_file_is_timed_beside_its_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    onnx_file.main(["--backbone", "test_resnet", "--files", "2", "--size", "64", "--turns", "1"])
    shown = capsys.readouterr().out
    assert "ONNX file, the network alone" in shown
    assert "ONNX file, scoring a folder" in shown


@pytest.mark.slow
def test_growth_counts_time_and_memory_per_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "growth.json"
    growth.main(["--counts", "12", "--turns", "1", "--output", str(file)])
    content = json.loads(file.read_text())
    assert list(content["programs"]) == [
        *("check-data", "saliency", "cache", "fit without an epoch, which tests a fifth", "score", "report"),
    ]
    assert all(set(cells) == {"12"} and cells["12"]["MB"] > 10 for cells in content["programs"].values())
    bench = json.loads((ROOT / "results" / "bench.json").read_text())
    assert "| check-data | " in document(bench, content)


def test_a_part_is_measured_alone_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bench.memory.child", lambda *words: 100.0)
    main(["--turns", "4", "--files", "12", "--size", "96", "--only", "peak memory of training"])
    assert "wrote nothing" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_the_page_is_what_the_results_say_and_every_row_says_what_bounds_it() -> None:
    results = json.loads((ROOT / "results" / "bench.json").read_text())
    kept = ROOT / "results" / "growth.json"
    grown = json.loads(kept.read_text()) if kept.is_file() else None
    assert (ROOT / "docs" / "performance.md").read_text() == document(results, grown)
    assert all(bound_of(row["name"]) for row in results["measurements"])
    for start in BOUNDS:
        assert bound_of(start) == BOUNDS[start]
    assert bound_of("something else") == ""


def test_a_set_that_took_no_longer_than_starts_vary_says_nothing_of_growth() -> None:
    results = json.loads((ROOT / "results" / "bench.json").read_text())
    noise = {"100": 0.1, "1000": 0.01, "10000": 0.001}
    cells = {count: {"ms": ms, "noise_ms": noise[count], "MB": 10} for count, ms in (("100", 0.2), ("1000", 0.5), ("10000", 0.6))}
    page = document(results, {**results, "counts": [100, 1000, 10000], "programs": {"check-data": cells}})
    assert "| check-data | –, 10 MB | 0.5 ms, 10 MB | 0.6 ms, 10 MB | 1.20 |" in page


@pytest.mark.filterwarnings("default")  # Lightning warns of its own, and that there is nothing to validate on
def test_each_way_of_a_step_runs_anywhere_and_without_a_gpu_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for way in (gpu.WAYS[0], gpu.WAYS[3]):
        step, rate = gpu.step(TINY, turns=2, way=way)
        assert step.ours > 0
        assert rate.unit == "crops/s"
        assert rate.name.endswith(way.name)
    row = gpu.evaluation(TINY.backbone, turns=2, size=64, count=3)
    assert row.ours > 0
    assert float(re.search(r"differ by (\S+) at most", row.how)[1]) < 1e-5  # type: ignore[index]
    if not torch.cuda.is_available():
        gpu.main(["--output", str(tmp_path / "bench-gpu.json")])
        assert "there is no GPU here" in capsys.readouterr().out
        assert not (tmp_path / "bench-gpu.json").exists()


def test_the_fewest_workers_that_keep_a_gpu_busy() -> None:
    words = ["--workers", "2", "--files", "8", "--size", "96", "--side", "64"]
    for needed, fewest, measured in ((1.0, 1, 1), (1e9, None, 2)):
        rows, found = gpu.loader(gpu.parser().parse_args(words), needed)
        assert found == {"decoded cache": fewest, "no cache": fewest}
        assert len(rows) == 2 * measured
