"""Ctrl-C in the tools that work for longer: one line, the right exit status, and what is done stays."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import scene, write_fake

import sdsiqa.benchmarks.check
import sdsiqa.report.cli
import sdsiqa.saliency.fill
from sdsiqa.cli import main
from sdsiqa.errors import SdsiqaError
from sdsiqa.images import read_image, write_image
from sdsiqa.runs import signals
from sdsiqa.runs.workers import in_processes

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(params=[(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=lambda case: case[0].name)
def sent(request: pytest.FixtureRequest) -> Iterator[tuple[Callable[..., None], int]]:
    """A function that sends a signal to this process, and the status that it leads to."""
    number, status = request.param
    before = signal.signal(number, signal.SIG_DFL)  # whoever started the tests may ignore it
    yield lambda *_: os.kill(os.getpid(), number), status
    signal.signal(number, before)
    assert signals.received() == []


def test_saliency_keeps_its_maps(
    sent: tuple[Callable[..., None], int], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    send, status = sent
    for number in range(3):
        write_image(tmp_path / "images" / f"{number}.png", scene(number, 40, 40))

    def read(path: Path) -> Any:
        if path.name == "2.png":
            send()
        return read_image(path)

    monkeypatch.setattr(sdsiqa.saliency.fill, "read_image", read)
    words = ["saliency", str(tmp_path / "images"), "--out", str(tmp_path / "maps")]
    assert main(words) == status
    assert capsys.readouterr() == ("", "sdsiqa saliency: stopped; the same command resumes\n")
    assert {path.name for path in (tmp_path / "maps").iterdir()} == {"settings.json", "0.png", "1.png"}
    monkeypatch.undo()
    assert main(words) == 0


def test_check_data_and_report_say_it_in_a_line(
    sent: tuple[Callable[..., None], int], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    send, status = sent
    write_fake("livec", tmp_path / "livec")
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setattr(sdsiqa.benchmarks.check, "decode_image", send)
    assert main(["check-data", "livec", "--root", str(tmp_path / "livec"), "--jobs", "1"]) == status
    assert capsys.readouterr() == ("", "sdsiqa check-data: stopped\n")
    monkeypatch.setattr(sdsiqa.report.cli, "read_results", send)
    assert main(["report", str(tmp_path)]) == status
    assert capsys.readouterr() == ("", "sdsiqa report: stopped; files are whole or not there\n")


def dispositions(_: int) -> tuple[bool, bool]:
    """Say whether a worker ignores signals and whether none can come before it does."""
    ignores = all(signal.getsignal(number) is signal.SIG_IGN for number in signals.STATUS)
    return ignores, set(signals.STATUS) <= signal.pthread_sigmask(signal.SIG_BLOCK, [])


def end(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_workers_leave_signals_to_the_verb_and_one_that_is_ended_is_told() -> None:
    assert list(in_processes(dispositions, [1, 2], 1)) == [(True, True)] * 2
    assert not set(signals.STATUS) & signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with pytest.raises(SdsiqaError, match="lack of memory; try --jobs 1"):
        list(in_processes(end, [1, 2], 2))
