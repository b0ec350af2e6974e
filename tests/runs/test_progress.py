"""Longer work says how far it is: in a log by lines, in a terminal by a bar."""

import os
import pty
import subprocess
import sys

import pytest

from sdsiqa.runs.progress import Progress, duration, track


def test_a_log_gets_the_cost_first_then_a_line_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    with Progress("decoding", 100, "images", each=0.5, clock=lambda: now) as progress:
        for _ in range(100):
            now += 0.5
            progress.advance()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "decoding: 100 images, about 50 s",
        "decoding: 20 of 100 images, about 40 s left",
        "decoding: 40 of 100 images, about 30 s left",
        "decoding: 60 of 100 images, about 20 s left",
        "decoding: 80 of 100 images, about 10 s left",
        "decoding: 100 of 100 images, about 0 s left",
        "decoding: done in 50 s",
    ]


def test_work_that_turns_out_long_speaks_early(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    with Progress("report", clock=lambda: now) as progress:
        for line in ("reading", "measuring", "drawing"):
            progress.say(line)
            now += 2.0
    assert capsys.readouterr().err.splitlines() == ["report: drawing", "report: done in 6 s"]


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track([1, 2, 3], "decoding", each=0.1)) == [1, 2, 3]
    assert capsys.readouterr().err == ""


def test_work_that_fails_is_not_called_done(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="broken"), Progress("decoding", 100, each=1.0):
        raise ValueError("broken")
    assert capsys.readouterr().err == "decoding: 100 images, about 1.7 min\n"


def test_one_process_of_several_speaks(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(range(100), "decoding", each=1.0, is_shown=False)) == list(range(100))
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar() -> None:
    code = "from sdsiqa.runs.progress import track; [x for x in track(range(9), 'decoding [x]', each=1.0)]"
    ours, theirs = pty.openpty()
    done = subprocess.run([sys.executable, "-c", code], stderr=theirs, stdout=subprocess.PIPE, check=True, timeout=120)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.stdout == b""
    assert "decoding [x]" in shown
    assert "9/9" in shown


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0 s"), (99, "99 s"), (210, "3.5 min"), (7560, "2.1 h")])
def test_times_are_written_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
