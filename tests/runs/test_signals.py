"""A signal to the process group of a real run, in each of its phases: one line, the right exit status, and it resumes."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from runs import CONFIGS, words
from sdsiqa.errors import StoppedError
from sdsiqa.runs import signals
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.manifest import Manifest

HELPERS = Path(__file__).parents[1] / "helpers"
BEFORE = "sdsiqa fit: stopped before the first step; the same command resumes"
PHASES = [
    ("prepare", "setup", "SIGINT", 130, BEFORE),
    ("start", "on_validation_batch_end", "SIGHUP", 129, BEFORE),
    ("step", "on_before_optimizer_step", "SIGINT", 130, "sdsiqa fit: stopped after step 1 of epoch 0; the same command resumes"),
    ("test", "on_test_batch_end", "SIGTERM", 143, "sdsiqa fit: stopped after training; the same command resumes with the test"),
]


def heed() -> None:
    """Take signals, although whoever started the tests may ignore them: a shell does so for what it puts in the background."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run `sdsiqa` in a process group of its own."""
    variables = {"PYTHONPATH": f"{HELPERS}:{os.environ.get('PYTHONPATH', '')}", "WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "sdsiqa", "fit", *command],
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
        preexec_fn=heed,
        env={**os.environ, **variables},
    )


def command(tmp: Path, hook: str, name: str, again: bool = False) -> list[str]:
    overlay, init = tmp / "signal.yaml", f"{{hook: {hook}, name: {name}, mark: {tmp / 'mark'}, again: {str(again).lower()}}}"
    more = ("--data.batch_size", "4", "--data.cache", str(tmp / "cache"))
    overlay.write_text(f"trainer:\n  callbacks:\n    - {{class_path: signals.GroupSignal, init_args: {init}}}\n")
    return words(tmp, "demo", "-c", str(overlay), "--data.num_workers", "1", *more, epochs=1)


def test_what_a_library_raises_while_it_cleans_up_after_a_signal_is_the_signal() -> None:
    """As `torch.save` does, which then writes the end of a file that lacks its middle."""

    class Signalled(io.BytesIO):
        def write(self, data: object) -> int:
            if self.tell() and not came:  # a signal raises once
                came.append(True)
                raise signals.Interrupted
            return super().write(data)  # type: ignore[arg-type]

    came: list[bool] = []
    with pytest.raises(RuntimeError):  # a file without its middle
        torch.save({"weights": torch.zeros(1000)}, Signalled())
    came.clear()
    with pytest.raises(StoppedError), signals.obeyed():
        torch.save({"weights": torch.zeros(1000)}, Signalled())
    for error in (RuntimeError("another"), KeyboardInterrupt()):
        with pytest.raises(type(error)), signals.obeyed():
            raise error


@pytest.mark.slow
@pytest.mark.parametrize(("hook", "name", "status", "line"), [phase[1:] for phase in PHASES], ids=[phase[0] for phase in PHASES])
def test_a_signal_to_the_group_in_any_phase_is_one_line(tmp_path: Path, hook: str, name: str, status: int, line: str) -> None:
    words = command(tmp_path, hook, name)
    done = run(words)
    assert done.returncode == status, done.stderr
    assert done.stderr.splitlines()[-1] == line
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert Manifest(folder).problems() == []
    assert list(tmp_path.rglob("*.part*")) == []
    again = run(words)
    assert again.returncode == 0, again.stderr
    assert RunFolder(folder).finished


@pytest.mark.slow
def test_a_second_ctrl_c_ends_the_run_at_once(tmp_path: Path) -> None:
    done = run(command(tmp_path, "on_before_optimizer_step", "SIGINT", again=True))
    assert done.returncode == 130, done.stderr
    assert done.stderr.splitlines()[-1] == "sdsiqa fit: ended at once; the same command resumes from the last checkpoint"


def test_ctrl_c_during_imports_is_one_line() -> None:
    """A module that sends the signal stands where torch would be imported."""
    code = (
        "import os, signal, sys\nfrom importlib.abc import MetaPathFinder\n"
        "class Finder(MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'torch': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\nfrom sdsiqa.cli import main\nsys.exit(main(['fit', *sys.argv[1:]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "-c", str(CONFIGS / "demo.yaml")],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=heed,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", BEFORE + "\n")


def test_a_signal_that_the_process_was_started_to_ignore_stays_ignored() -> None:
    code = (
        "import signal\nfrom sdsiqa.runs import signals\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "signals.listen('fit')\nsignal.raise_signal(signal.SIGHUP)\nassert signals.received() == []\n"
        "signal.raise_signal(signal.SIGTERM)\nassert signals.received() == [signal.SIGTERM]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
