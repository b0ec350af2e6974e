"""The benchmark of speed runs in a tiny setting; what it finds here says nothing of speed."""

import json
from pathlib import Path

import pytest
import torch

from bench import gpu
from bench.__main__ import main, table
from bench.compute import Load
from bench.loading import images_per_second
from bench.measure import Row, compare, in_turns
from bench.memory import loader_here, training_peak
from bench.pictures import gather, many

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
    file = tmp_path / "bench.json"
    words = "--backbone test_resnet --images 2 --crops 1 --side 64 --turns 1 --files 12 --size 96 --few 12 --many 24"
    main([*words.split(), "--output", str(file)])
    content = json.loads(file.read_text())
    assert {"date", "git", "versions", "python", "cpu", "cores", "torch_threads", "settings", "seconds"} <= set(content)
    assert content["versions"]["torch"]
    assert "host" not in content
    names = [row["name"] for row in content["measurements"]]
    assert len(names) == len(set(names)) == 15
    for row in content["measurements"]:
        assert set(row) == {"name", "unit", "ours", "bare", "ratio", "low", "high", "goal", "at_most", "how", "held"}
        assert row["low"] <= row["ratio"] <= row["high"]
        if row["goal"] is not None:
            good = row["ratio"] <= row["goal"] if row["at_most"] else row["ratio"] >= row["goal"]
            assert row["held"] is good
    shown = capsys.readouterr().out
    assert "goals missed" in shown or "all goals held" in shown
    assert table([]).row_count == 0


@pytest.mark.filterwarnings("default")  # Lightning warns of its own, and that there is nothing to validate on
def test_the_fast_step_runs_anywhere_and_without_a_gpu_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step, rate = gpu.fast_step(TINY, turns=2, compiled=False)
    assert step.ours > 0
    assert rate.unit == "crops/s"
    if not torch.cuda.is_available():
        gpu.main(["--output", str(tmp_path / "bench-gpu.json")])
        assert "there is no GPU here" in capsys.readouterr().out
        assert not (tmp_path / "bench-gpu.json").exists()
