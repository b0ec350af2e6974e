"""Signals to the whole process group, as `timeout`, SLURM, shells and containers send them, to runs with loader processes."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "helpers")]

from lives import End, Survivals, live  # noqa: E402

from runs import words  # noqa: E402
from sdsiqa.inference.checkpoint import read_checkpoint  # noqa: E402
from sdsiqa.runs.folder import RunFolder  # noqa: E402
from sdsiqa.runs.manifest import Manifest  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")
STATUS = {"SIGUSR1": 75, "SIGTERM": 143, "SIGINT": 130, "SIGHUP": 129}
EPOCHS, MOMENTS = 3, 8


def command(tmp: Path, name: str, overlay: str = "{}") -> list[str]:
    """Words of a short training with two loader processes."""
    (tmp / f"{name}.yaml").write_text(overlay)
    often = ["--data.batch_size", "2", "--run.checkpoint_every", "0", "--data.num_workers", "2", "--run.name", name]
    return ["fit", *words(tmp, "livec", "-c", str(tmp / f"{name}.yaml"), *often, epochs=EPOCHS)]


def heed() -> None:
    """Take signals, although whoever started the tests may ignore them."""
    for name in STATUS:
        signal.signal(signal.Signals[name], signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def folder_of(tmp: Path, name: str) -> RunFolder:
    (folder,) = (tmp / "runs").glob(f"{name}-*")
    return RunFolder(folder)


def group_ends(group: int, patience: float = 60) -> bool:
    """Say whether no process of a group is left in the end: loader processes look for their parent every five seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.2)
    return False


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("signals")


@pytest.fixture(scope="module")
def unbroken(place: Path, settings: dict[str, Any]) -> tuple[End, bytes]:
    """A run that no signal reaches, and its scores."""
    end = live(command(place, "whole"), place / "whole.txt", **settings)
    assert end.status == 0, end.said[-3000:]
    return end, (folder_of(place, "whole").path / "scores" / "livec-test.csv").read_bytes()


def ended_well(place: Path, name: str, end: End, status: int) -> None:
    """One line, the status of its signal, whole files, and nobody left behind."""
    assert end.status == status, end.said[-3000:]
    assert end.last_words.startswith("sdsiqa fit: stopped "), end.said[-3000:]
    assert "; the same command resumes" in end.last_words, end.said[-3000:]
    assert "Traceback" not in end.said
    assert "killed" not in end.said
    for folder in (place / "runs").glob(f"{name}-*"):
        assert Manifest(folder).problems() == []
        assert list(folder.rglob("*.part*")) == []


def resumes_as_unbroken(place: Path, name: str, words: list[str], scores: bytes, settings: dict[str, Any]) -> None:
    again = live(words, place / f"{name}-again.txt", **settings)
    assert again.status == 0, again.said[-3000:]
    assert (folder_of(place, name).path / "scores" / "livec-test.csv").read_bytes() == scores


@pytest.mark.parametrize("name", STATUS)
def test_a_signal_to_the_group_leaves_a_checkpoint_of_its_step(
    place: Path, unbroken: tuple[End, bytes], settings: dict[str, Any], survived: Survivals, name: str
) -> None:
    told = command(
        place, name, f"trainer:\n  callbacks: [{{class_path: events.ToGroup, init_args: {{step: 3, name: {name}}}}}]\n"
    )
    end = live(told, place / f"{name}.txt", prepare=heed, **settings)
    ended_well(place, name, end, STATUS[name])
    last = folder_of(place, name).last
    assert last is not None
    assert read_checkpoint(last)["global_step"] == 4
    resumes_as_unbroken(place, name, told, unbroken[1], settings)
    survived.add(
        f"{name} to the process group",
        "in a step, with two loader processes",
        end.seconds,
        f"{end.last_words} (status {end.status})",
    )


def test_signals_to_the_group_at_any_moment(
    place: Path, unbroken: tuple[End, bytes], settings: dict[str, Any], survived: Survivals
) -> None:
    moments = random.Random(7)
    stopped, slowest = 0, 0.0
    for number in range(MOMENTS):
        name, signal_name = f"moment{number:02}", list(STATUS)[number % len(STATUS)]
        moment, told = moments.uniform(0.05, 0.95) * unbroken[0].seconds, command(place, f"moment{number:02}")
        groups: list[int] = []
        end = live(told, place / f"{name}.txt", prepare=heed, watch=_sender(moment, signal_name, groups), **settings)
        assert group_ends(groups[0])
        if end.status == 0:  # it came after the last thing that could be broken off
            assert folder_of(place, name).finished
        else:
            ended_well(place, name, end, STATUS[signal_name])
            stopped += 1
        resumes_as_unbroken(place, name, told, unbroken[1], settings)
        slowest = max(slowest, end.seconds - moment)
    assert stopped > MOMENTS // 2
    survived.add(
        "signals to the process group",
        f"{MOMENTS} runs with two loader processes, at a random moment each",
        slowest,
        f"{stopped} stopped with one line and the status of the signal; all end with the scores of an unbroken run",
    )


def _sender(moment: float, name: str, groups: list[int]) -> Callable[[int, float], None]:
    """Send a signal to the group of a process once, after so many seconds."""
    sent: list[float] = []

    def send(child: int, seconds: float) -> None:
        groups[:] = [child]
        if seconds >= moment and not sent:
            sent.append(seconds)
            os.killpg(child, signal.Signals[name])

    return send
