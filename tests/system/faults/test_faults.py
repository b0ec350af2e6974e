"""Each fault is injected for real; each ends in a message that says what to do, within seconds, with the last checkpoint good."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "helpers")]

from lives import End, Survivals, live  # noqa: E402
from offline_runs import rows  # noqa: E402

from runs import CONFIGS, words  # noqa: E402
from sdsiqa.inference.checkpoint import read_checkpoint  # noqa: E402
from sdsiqa.runs.folder import RunFolder  # noqa: E402
from sdsiqa.runs.manifest import Manifest  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")
NOBODY = 65534


def fit(tmp: Path, event: str | None = None, *more: str, **options: str) -> list[str]:
    """Words of a short training; what happens to it at which step, and the settings of that event."""
    overlay = tmp / f"{event}.yaml"
    init = ", ".join(f"{name}: {value}" for name, value in options.items())
    overlay.write_text(f"trainer:\n  callbacks: [{{class_path: events.{event}, init_args: {{{init}}}}}]\n" if event else "{}\n")
    often = ["--data.batch_size", "2", "--run.checkpoint_every", "2", "--trainer.log_every_n_steps", "1"]
    return ["fit", *words(tmp, "livec", "-c", str(overlay), *often, *more, epochs=2)]


def folder_of(tmp: Path) -> RunFolder:
    (folder,) = (tmp / "runs").glob("livec-*")
    return RunFolder(folder)


def is_good(tmp: Path, steps: int | None = None) -> None:
    """The last checkpoint opens, no file is half-written, and nothing lies around."""
    run = folder_of(tmp)
    assert run.last is not None
    kept = read_checkpoint(run.last)["global_step"]
    assert steps is None or kept == steps
    assert Manifest(run.path).problems() == []
    assert list(run.path.rglob("*.part*")) == []


@pytest.fixture
def run(tmp_path: Path, settings: dict[str, Any]) -> Callable[..., End]:
    def start(command: list[str], **options: Any) -> End:
        return live(command, tmp_path / f"log-{os.urandom(3).hex()}.txt", **{**settings, **options})

    return start


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes for the runs."""
    # left mounted in pytest's own folders by a run that was killed, it would end every later run of pytest in an error
    disk = Path(mkdtemp(prefix="sdsiqa-small-disk-"))
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        disk.rmdir()
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    (tmp_path / "runs").symlink_to(disk)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)
    disk.rmdir()


def test_a_full_disk(tmp_path: Path, small_disk: Path, run: Callable[..., End], survived: Survivals) -> None:
    end = run(fit(tmp_path, "Fill", step="5", folder=str(small_disk)))
    assert end.status == 1
    assert "could not be written (No space left on device)" in end.last_words, end.said[-3000:]
    assert "is the one written before and is good; make room, and the same command resumes" in end.last_words
    is_good(tmp_path, 4)
    (small_disk / "filler").unlink()
    again = run(fit(tmp_path, "Fill", step="5", folder=str(small_disk)))
    assert again.status == 0, again.said[-3000:]
    survived.add("full disk", "a tmpfs of 64 MB, filled up in a step", end.seconds, end.last_words.replace(str(tmp_path), "…"))


def test_a_vanished_data_folder(tmp_path: Path, run: Callable[..., End], survived: Survivals) -> None:
    data = tmp_path / "data" / "livec"
    command = fit(tmp_path, "Vanish", "--data.num_workers", "1", step="5", folder=str(data))
    end = run(command)
    assert end.status == 1
    assert "cannot be read (No such file or directory)" in end.last_words, end.said[-3000:]
    assert "Traceback" not in end.last_words
    is_good(tmp_path)
    data.with_name("elsewhere").rename(data)
    assert run(command).status == 0
    survived.add("vanished data", "the folder is renamed in a step", end.seconds, end.last_words.replace(str(tmp_path), "…"))


def test_an_unwritable_folder(tmp_path: Path, run: Callable[..., End], survived: Survivals) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    shutil.copytree(CONFIGS, tmp_path / "configs")  # the checkout may lie where nobody else can read
    command = [word.replace(str(CONFIGS), str(tmp_path / "configs")) for word in fit(tmp_path)]
    for path in (tmp_path, *tmp_path.parents):
        if path not in (Path("/tmp"), Path("/")):
            path.chmod(path.stat().st_mode | 0o055)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs").chmod(0o555)

    def be_nobody() -> None:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        os.environ["HOME"] = "/nonexistent"

    end = run(command, prepare=be_nobody)
    assert end.status == 1
    assert "could not be written (Permission denied); give this user the right to write there" in end.last_words, end.said[-3000:]
    survived.add("unwritable run folder", "chmod 555, as user `nobody`", end.seconds, end.last_words.replace(str(tmp_path), "…"))


def test_a_loss_that_is_no_number(tmp_path: Path, run: Callable[..., End], survived: Survivals) -> None:
    end = run(fit(tmp_path, "Poison", step="5"))
    assert end.status == 1
    assert "the loss of step 6 (epoch 0) is nan; the images of that step on this device:" in end.last_words, end.said[-3000:]
    assert "The last checkpoint is from before" in end.last_words
    is_good(tmp_path, 4)
    survived.add("NaN loss", "labels of one batch are NaN", end.seconds, end.last_words)


def test_a_step_that_runs_out_of_memory(tmp_path: Path, run: Callable[..., End], survived: Survivals) -> None:
    end = run(fit(tmp_path, "Hunger", step="5"))
    assert end.status == 1
    assert "memory ran out" in end.last_words, end.said[-3000:]
    assert "lower data.batch_size or data.patches_per_image" in end.last_words
    is_good(tmp_path, 4)
    survived.add("out of memory", "a step asks for 16 TiB", end.seconds, end.last_words)


def test_a_killed_loader_process(tmp_path: Path, run: Callable[..., End], survived: Survivals) -> None:
    end = run(fit(tmp_path, "KillWorker", "--data.num_workers", "1", step="5"))
    assert end.status == 1
    assert "a loader process was killed" in end.last_words, end.said[-3000:]
    is_good(tmp_path)
    survived.add("killed loader process", "SIGKILL in a step", end.seconds, end.last_words)


def test_a_dead_wandb_server(tmp_path: Path, run: Callable[..., End], survived: Survivals) -> None:
    with socket.socket() as holder:  # a port on which nobody listens, and that nobody else gets meanwhile
        holder.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{holder.getsockname()[1]}"
        server = {"WANDB_MODE": "online", "WANDB_BASE_URL": address, "WANDB_API_KEY": "0" * 40, "WANDB_INIT_TIMEOUT": "5"}
        end = run(fit(tmp_path), **server)
    assert end.status == 0, end.said[-3000:]
    said = end.said[end.said.index("W&B cannot be reached") :].splitlines()[0]
    assert "this run is logged offline" in said
    run_folder = folder_of(tmp_path)
    assert run_folder.finished
    found = rows(run_folder.path)
    assert [row["_step"] for row in found] == list(range(len(found)))
    survived.add(
        "dead W&B server",
        "a closed port as its address",
        end.seconds,
        f"goes on: {said.rpartition('W&B')[1] + said.rpartition('W&B')[2]}",
    )


def test_a_dead_wandb_service(tmp_path: Path, run: Callable[..., End], survived: Survivals) -> None:
    end = run(fit(tmp_path, "KillService", step="5"), WANDB_MODE="offline", WANDB_FINISH_TIMEOUT="5")
    assert end.status == 0, end.said[-3000:]
    assert folder_of(tmp_path).finished
    course = (folder_of(tmp_path).path / "course.jsonl").read_text().splitlines()
    assert sum("train/loss_step" in line for line in course) == 14
    survived.add("dead local W&B service", "SIGKILL in a step", end.seconds, "goes on; `course.jsonl` has every row")


@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_rank(tmp_path: Path, settings: dict[str, Any], survived: Survivals, killed: int) -> None:
    command = fit(tmp_path, "KillRank", "--trainer.devices", "2", step="5", rank=str(killed))
    launcher = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    env = {**os.environ, **settings, "PYTHONPATH": f"{HERE}:{HERE.parent}", "GLOO_SOCKET_IFNAME": "lo"}
    log = tmp_path / "rank.txt"
    end = live_command([*launcher, "-m", "sdsiqa", *command], log, env)
    assert end.status != 0
    assert "another process of this training is gone" in end.said, end.said[-4000:]
    is_good(tmp_path, 4)
    message = end.said[end.said.index("sdsiqa fit: another") :].splitlines()[0]
    survived.add(f"killed process (rank {killed} of 2)", "SIGKILL in a step, under torchrun", end.seconds, message)


def live_command(command: list[str], log: Path, env: dict[str, str]) -> End:
    """Run a launcher; its time counts from the moment at which the killed process is gone."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=env, stdout=file, stderr=subprocess.STDOUT)
        gone = None
        deadline = time.monotonic() + 150
        while process.poll() is None:
            if gone is None and b"exitcode: -9" in log.read_bytes():
                gone = time.monotonic()
            if time.monotonic() > deadline:
                process.kill()
                raise AssertionError(f"hangs: {log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)
    seconds = 0.0 if gone is None else time.monotonic() - gone
    return End(process.returncode, seconds, log.read_text(errors="replace"))
