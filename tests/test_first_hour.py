"""What a newcomer meets: own classes in a folder of one's own, a wrong path, a small benchmark, another benchmark."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import write_fake

from runs import CONFIGS, fit, words
from sdsiqa.cli import main
from sdsiqa.errors import SdsiqaError
from sdsiqa.images import write_image
from sdsiqa.runs.folder import RunFolder
from sdsiqa.training.devices import check_devices

pytestmark = pytest.mark.filterwarnings("default")
OWN = """
import numpy as np
import pandas as pd
from sdsiqa.benchmarks import Benchmark
from sdsiqa.saliency import SaliencyProvider


class MyPics(Benchmark):
    name = "mypics"
    mos_range = (1.0, 5.0)

    def read(self):
        return pd.read_csv(self.file("scores.csv"), dtype={"content": str})


class Unfinished(Benchmark):
    pass


class Left(SaliencyProvider):
    def __init__(self, share: float = 0.5) -> None:
        self.share = share

    def _map(self, image, name):
        saliency = np.zeros(image.shape[:2])
        saliency[:, : int(self.share * image.shape[1])] = 1
        return saliency
"""
DATA = """
benchmark:
  class_path: mypics.MyPics
  init_args: {root: "${oc.env:MINE,pics}"}
saliency: {class_path: mypics.Left, init_args: {share: 0.25}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with classes of one's own, which only the current folder makes importable."""
    (tmp_path / "mypics.py").write_text(OWN)
    (tmp_path / "broken.py").write_text("import nowhere_to_be_found\n")
    (tmp_path / "data.yaml").write_text(DATA)
    (tmp_path / "run.yaml").write_text("data: data.yaml\n")
    rows = ["image,mos,content"]
    for number in range(10):
        pixels = np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)
        write_image(tmp_path / "pics" / f"{number}.png", pixels)
        rows.append(f"{number}.png,{1 + 0.4 * number},{number}")
    (tmp_path / "pics" / "scores.csv").write_text("\n".join(rows))
    return tmp_path


def run_installed(place: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("sdsiqa")), *more]
    return subprocess.run(command, cwd=place, env={**os.environ, "COLUMNS": "300"}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        (["mypics.MyPics", "--root", "pics"], 0, "10 listed, 10 readable"),
        (["data.yaml"], 0, "10 listed, 10 readable"),
        (["run.yaml"], 0, "10 listed, 10 readable"),
        (["mypics.MyPic", "--root", "pics"], 2, "there is no 'MyPic' in mypics; did you mean 'mypics.MyPics'?"),
        (["mypics.Left"], 2, "'mypics.Left' is no subclass of sdsiqa.benchmarks.Benchmark"),
        (["mypics.Unfinished"], 2, "'mypics.Unfinished' does not define read"),
        (["broken.MyPics"], 2, "broken imports 'nowhere_to_be_found', which is not installed"),
        (["nowhere.MyPics"], 2, "there is no module 'nowhere'"),
        (["nowhere.yaml"], 2, "nowhere.yaml does not exist; give a data file"),
    ],
)
def test_check_data_takes_own_classes_and_data_files(place: Path, more: list[str], status: int, said: str) -> None:
    done = run_installed(place, "check-data", *more, "--jobs", "1")
    assert done.returncode == status, done.stderr
    assert said in (done.stdout if status == 0 else done.stderr)
    assert status == 0 or done.stderr.count("\n") == 1


@pytest.mark.parametrize("provider", ["mypics.Left", "data.yaml"])
def test_saliency_takes_own_classes_and_data_files(place: Path, provider: str) -> None:
    done = run_installed(place, "saliency", "pics", "--out", "maps", "--provider", provider)
    assert done.returncode == 0, done.stderr
    assert f"10 maps of Left(share={0.25 if provider == 'data.yaml' else 0.5})" in done.stdout


def test_a_wrong_path_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = words(tmp_path)
    args[args.index("--data.benchmark.init_args.root") + 1] = str(tmp_path / "nowhere")
    assert main(["fit", *args]) == 1
    error = capsys.readouterr().err
    assert error.startswith("sdsiqa fit: ")
    assert "nowhere does not exist; looked there for" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words_", "said"),
    [
        (["--model.frozen_fraction", "2"], "model.frozen_fraction is 2.0"),
        (["--run.checkpoint_every", "-1"], "run.checkpoint_every is -1"),
        (["--model.network.init_args.image_branch", "null", "--model.network.init_args.saliency_branch", "null"], "SDSIQA."),
    ],
)
def test_a_wrong_setting_leaves_nothing_behind(
    tmp_path: Path, words_: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    assert main(["fit", *words(tmp_path, "livec", *words_)]) in (1, 2)
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith(f"sdsiqa fit: {said}")
    assert not list((tmp_path / "runs").glob("*"))


@pytest.mark.slow
def test_a_wrong_weights_file_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    more = ["--model.network.init_args.image_branch.weights", str(tmp_path / "nowhere.safetensors")]
    assert main(["fit", *words(tmp_path, "livec", *more)]) == 1
    assert "nowhere.safetensors" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(torch.cuda.device_count() > 1 or torch.backends.mps.is_available(), reason="there are GPUs enough")
@pytest.mark.parametrize(
    ("devices", "accelerator", "refused"),
    [
        (2, "auto", True),
        ("2", "auto", True),
        ("0,1", "auto", True),
        ([0, 1], "gpu", True),
        (2, "cpu", False),
        (1, "auto", False),
        ("auto", "auto", False),
        (-1, "auto", False),
    ],
)
def test_more_gpus_than_there_are_are_refused(devices: object, accelerator: str, refused: bool) -> None:
    config = type("Config", (), {"devices": devices, "accelerator": accelerator})
    if not refused:
        check_devices(config)
        return
    with pytest.raises(SdsiqaError, match=r"trainer\.devices is .* this machine has .*--trainer\.accelerator cpu"):
        check_devices(config)


@pytest.mark.slow
def test_two_gpus_on_a_machine_without_start_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    args = words(tmp_path, "livec", "--trainer.devices", "99")
    args[args.index("--trainer.accelerator") + 1] = "auto"
    assert main(["fit", *args]) == 1
    assert "trainer.devices is 99" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_other_verbs_tell_what_came_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    run = fit(tmp_path, epochs=1)
    write_fake("bid", tmp_path / "bid")
    other = ["--data", str(CONFIGS / "data" / "bid.yaml"), "--data.benchmark.init_args.root", str(tmp_path / "bid")]
    quiet = ["--data.num_workers", "0", "--data.cache", "null", "--data.view", "whole"]
    for verb, more, said in (
        ("test", [*other, *quiet, "--data.test_on", "all"], ["bid-all: SRCC", "livec-test: ", "scores/bid-all.csv"]),
        ("validate", [], ["livec-val: ", "scores/livec-val.csv"]),
        ("predict", [], ["scores/livec-test.csv"]),
    ):
        caplog.clear()
        assert main([verb, "-c", str(run / "config.yaml"), *more]) == 0
        told = caplog.text
        for text in said:
            assert text in told, (verb, told)


def test_a_summary_says_why_there_are_no_values(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    undefined = dict.fromkeys(("srcc", "plcc"), float("nan"))
    folder.add_metrics("a-test", {"n": 2, **undefined, "rmse": float("nan"), "why": "2 images are too few; give at least 3"})
    folder.add_metrics("b-test", {"n": 9, **undefined, "rmse": 0.25, "of": "quality", "why": "constant scores"})
    assert folder.summary().splitlines() == [
        "a-test: no SRCC, PLCC, RMSE: 2 images are too few; give at least 3",
        "b-test: RMSE 0.2500  (RMSE: of quality)  no SRCC, PLCC: constant scores",
    ]
