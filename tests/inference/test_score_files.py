"""`sdsiqa score` on the files that people have: what is computed is out, and one file costs no other its score."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes import scene

from sdsiqa import plots
from sdsiqa.cli import main
from sdsiqa.images import write_image
from sdsiqa.inference.rows import Rows
from sdsiqa.inference.scorer import Scorer
from sdsiqa.runs import signals
from sdsiqa.runs.image_search import find_images
from sdsiqa.runs.output import printable

pytestmark = pytest.mark.filterwarnings("default")

ODD_NAMES = ["line\nbreak.png", "\x1b[31mred.png", "b\udce9\udcff.png", "costs $5 and $\\frac.png", "é.png", "한국어.png"]
"""The third is a name in Latin-1, as Python keeps it."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for seed, name in enumerate(["a/b_c.png", "a_b/c.png", "one.png"]):
        write_image(folder / name, scene(seed, 64, 48))
    return folder


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    folder = tmp_path / "odd"
    for name in ODD_NAMES:
        write_image(folder / name, scene(1, 64, 48))
    return folder


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_rows_of_every_name_are_written_in_every_encoding(encoding: str) -> None:
    shown = {}
    for form in ("text", "csv", "json"):
        raw = io.BytesIO()
        out = io.TextIOWrapper(raw, encoding, errors="backslashreplace", newline="")  # as the command sets it
        with Rows(form, ["image", "score"], out) as rows:
            for name in ODD_NAMES:
                rows.write({"image": name, "score": 0.5})
        out.flush()
        shown[form] = raw.getvalue().decode(encoding)
    assert [row["image"] for row in json.loads(shown["json"])] == ODD_NAMES
    assert len(list(csv.DictReader(io.StringIO(shown["csv"], newline="")))) == len(ODD_NAMES)
    lines = shown["text"].splitlines()
    assert len(lines) == len(ODD_NAMES)
    for part in (r"line\nbreak.png", r"\x1b[31mred.png", r"b\xe9\xff.png", "한국어" if encoding == "utf-8" else r"\ud55c"):
        assert any(part in line for line in lines), part


@pytest.mark.slow
def test_an_ascii_terminal_loses_no_score(odd: Path, checkpoint: Path) -> None:
    (odd / "kaputt \udcfc.png").write_text("no picture")
    words = [sys.executable, "-m", "sdsiqa", "score", str(odd), "--checkpoint", str(checkpoint), "--format", "json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, capture_output=True, check=False, env=environment)
    assert {row["image"] for row in json.loads(done.stdout)} == {str(odd / name) for name in ODD_NAMES}
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)
    assert rb"kaputt \xfc.png: is not an image" in done.stderr


def test_an_odd_name_stays_on_its_line_and_others_stay_as_they_are() -> None:
    assert printable("a\r\n\u2028\u202eb\udc80\x7f") == r"a\r\n\u2028\u202eb\x80\x7f"
    assert printable("한국어 é ção 👩‍🔬.png") == "한국어 é ção 👩‍🔬.png"


def test_maps_of_odd_names_are_drawn(odd: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(odd), "--checkpoint", str(checkpoint), "--map", str(tmp_path / "maps"), "--format", "csv"]) == 0
    assert {path.name for path in (tmp_path / "maps").iterdir()} == {f"{name}.png" for name in ODD_NAMES}


def test_rows_are_out_before_the_next_file_is_scored(
    photos: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    score = Scorer.score_planes
    seen: list[str] = []

    def keep(self: Scorer, *planes: object) -> float:
        seen.append(capsys.readouterr().out)
        if len(seen) == 2:
            raise MemoryError
        if len(seen) == 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.\nand more lines")
        return score(self, *planes)  # type: ignore[arg-type]

    monkeypatch.setattr(Scorer, "score_planes", keep)
    assert main(["score", str(photos), "--checkpoint", str(checkpoint)]) == 1
    assert "b_c.png" in seen[1]
    error = capsys.readouterr().err
    assert "2 of 3 files could not be scored:" in error
    assert "and more lines" not in error


LITTLE_MEMORY = """
import resource, sys
from sdsiqa.cli import main
import sdsiqa.inference.scorer
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (600 << 20),) * 2)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks the system how much memory the process has")
def test_a_picture_too_large_for_the_memory_is_listed(photos: Path, checkpoint: Path) -> None:
    write_image(photos / "large.png", np.zeros((9000, 9000, 3), np.uint8))
    words = [sys.executable, "-c", LITTLE_MEMORY, "score", str(photos), "--checkpoint", str(checkpoint)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1, done.stderr
    assert len(done.stdout.splitlines()) == 3, done.stderr
    assert "1 of 4 files could not be scored:" in done.stderr
    assert "large.png: " in done.stderr
    assert "memory" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("form", ["text", "csv", "json"])
def test_a_score_that_is_not_finite_is_a_listed_failure(
    form: str, photos: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = torch.load(checkpoint, weights_only=True)  # noqa: TID251
    for values in content["state_dict"].values():
        if values.is_floating_point():
            values.fill_(float("nan"))
    torch.save(content, tmp_path / "nan.ckpt")
    assert main(["score", str(photos), "--checkpoint", str(tmp_path / "nan.ckpt"), "--format", form]) == 1
    out, err = capsys.readouterr()
    assert "nan" not in out.lower()
    assert form != "json" or json.loads(out) == []
    assert "3 of 3 files could not be scored:" in err
    assert "one.png: its score is nan" in err


def test_maps_are_checked_before_anything_is_scored(
    photos: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["score", str(photos), "--checkpoint", str(checkpoint), "--map"]

    def said(place: Path) -> str:
        try:
            status = main([*words, str(place)])
        except SystemExit as stop:
            status = int(stop.code or 0)
        out, err = capsys.readouterr()
        assert (status, out, err.count("\n")) == (2, "", 1), err
        return err

    assert "one.png is a file; expected a folder" in said(photos / "one.png" / "below")
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "a").touch()
    assert "maps/a is a file; expected a folder" in said(tmp_path / "maps")
    write_image(photos / "one.png.png", scene(9, 64, 48))
    assert "one.png.png is there and no map of sdsiqa's" in said(photos)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / "maps")  # rights do not stop an administrator
    assert "maps may not be written to" in said(tmp_path / "maps")


def test_maps_mirror_folders_and_are_not_scored_next_time(
    photos: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [str(file) for file in find_images(photos)]
    for maps in (photos, photos / "maps"):
        for more in (["--map", str(maps)], ["--map", str(maps)], []):
            assert main(["score", str(photos), "--checkpoint", str(checkpoint), "--format", "json", *more]) == 0
            rows = json.loads(capsys.readouterr().out)
            assert [row["image"] for row in rows] == images
            if more:
                assert [row["map"] for row in rows] == [f"{maps / Path(image).relative_to(photos)}.png" for image in images]


def test_a_map_that_cannot_be_drawn_costs_no_score(
    photos: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(figure: object, path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(plots, "save", full)
    words = ["score", str(photos), "--checkpoint", str(checkpoint), "--map", str(tmp_path / "maps"), "--format", "csv"]
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 4
    assert "3 maps could not be drawn:" in err
    assert "one.png.png: No space left on device" in err


def test_a_file_is_scored_once_and_patterns_find_what_folders_do(
    photos: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    (photos / ".hidden.png").touch()
    (photos / "notes.txt").touch()
    (photos / "back").symlink_to(".")
    for words in ([".", "one.png", "./one.png"], ["*", "**/*.png"], ["**/*"], ["[!z]*", str(photos)]):
        assert main(["score", *words, "--checkpoint", str(checkpoint)]) == 0
        assert sorted(line.split()[1] for line in capsys.readouterr().out.splitlines()) == ["a/b_c.png", "a_b/c.png", "one.png"]
    assert main(["score", "**.png", "--checkpoint", str(checkpoint)]) == 2
    assert "'**.png' is no pattern" in capsys.readouterr().err
    assert main(["score", f"{'x' * 300}.png", "one.png", "--map", "maps", "--checkpoint", str(checkpoint)]) == 1
    out, err = capsys.readouterr()
    assert (len(out.splitlines()), "File name too long" in err) == (1, True)


def test_a_run_without_a_chosen_checkpoint_scores_with_its_last(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = tmp_path / "runs" / "unfinished" / "checkpoints" / "last.ckpt"
    last.parent.mkdir(parents=True)
    last.write_bytes((run / "checkpoints" / "best.ckpt").read_bytes())
    (last.parent / "best.ckpt").symlink_to("gone")
    for words in (["--runs", str(tmp_path / "runs")], ["--checkpoint", str(last.parents[1])], ["--checkpoint", str(last.parent)]):
        assert main(["score", str(photos / "one.png"), *words]) == 0
        assert f"{last}: scores on 0 to 100, higher is better; there is no best.ckpt" in capsys.readouterr().err
    assert main(["score", str(photos / "one.png"), "--checkpoint", str(run)]) == 0
    assert "last.ckpt" not in capsys.readouterr().err
    assert main(["score", str(photos / "one.png"), "--checkpoint", str(tmp_path)]) == 1
    assert "holds neither checkpoints/best.ckpt nor" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_what_is_scored_and_says_so_in_a_line(
    number: signal.Signals,
    status: int,
    photos: Path,
    checkpoint: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    score_planes = Scorer.score_planes

    def press(self: Scorer, image: Any, saliency: Any, name: str) -> float:
        if Path(name).name == "one.png":
            os.kill(os.getpid(), number)
        return score_planes(self, image, saliency, name)

    monkeypatch.setattr(Scorer, "score_planes", press)
    before = signal.signal(number, signal.SIG_DFL)  # whoever started the tests may ignore it
    try:
        assert main(["score", str(photos), "--checkpoint", str(checkpoint), "--format", "json"]) == status
    finally:
        signal.signal(number, before)
    out, err = capsys.readouterr()
    assert len(json.loads(out)) == 2
    assert err.splitlines()[1:] == ["sdsiqa score: stopped; 2 of 3 files are scored"]
    assert signals.received() == []


@pytest.mark.slow
def test_output_that_cannot_be_written_is_said_in_a_line(photos: Path, checkpoint: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("a device of Linux")
    with Path("/dev/full").open("wb") as full:
        words = [sys.executable, "-m", "sdsiqa", "score", str(photos), "--checkpoint", str(checkpoint)]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert [line.partition(";")[0] for line in done.stderr.splitlines()[1:]] == [
        "sdsiqa score: the output could not be written (No space left on device)"
    ]
