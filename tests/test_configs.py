"""Everything in `configs/` runs."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from fakes import write_fake

from runs import CONFIGS, QUICK, TINY, stand_in, words
from sdsiqa.cli import main
from sdsiqa.images import write_image
from sdsiqa.saliency import Uniform, to_uint8

pytestmark = pytest.mark.filterwarnings("default")
ROOT = CONFIGS.parent
TRAIN = sorted(file.stem for file in (CONFIGS / "train").glob("*.yaml"))
ABLATIONS = sorted(file.stem for file in (CONFIGS / "ablation").glob("*.yaml"))


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("SDSIQA_MAPS", str(tmp_path / "maps"))


def test_every_data_and_model_file_is_used_by_a_run() -> None:
    used = {CONFIGS / "base.yaml", CONFIGS / "cpu.yaml", *(CONFIGS / "ablation").glob("*.yaml")}
    used |= {CONFIGS / "data" / "distorted.yaml", *(CONFIGS / "pretrain").glob("*.yaml"), *(CONFIGS / "body").glob("*.yaml")}
    used |= set((CONFIGS / "schedule").glob("*.yaml"))
    for file in (CONFIGS / "train").glob("*.yaml"):
        used.add(file)
        used |= {(file.parent / name).resolve() for name in re.findall(r"^\w+: (\.\./\S+)$", file.read_text(), re.MULTILINE)}
    alone = set((CONFIGS / "model").glob("*.yaml"))  # also meant for --model
    assert used | alone == set(CONFIGS.rglob("*.yaml"))


@pytest.mark.parametrize("model", sorted(file.stem for file in (CONFIGS / "model").glob("*.yaml")))
def test_every_model_file_stands_in_for_another(model: str, tmp_path: Path) -> None:
    benchmark = "live" if model in ("psnr", "ssim") else "livec"  # full-reference methods need references
    assert main(["fit", *stand_in(tmp_path, model, benchmark), "--trainer.fast_dev_run", "true"]) == 0


@pytest.mark.parametrize("benchmark", TRAIN)
def test_every_run_file_runs(benchmark: str, tmp_path: Path) -> None:
    assert main(["fit", *words(tmp_path, benchmark), "--trainer.fast_dev_run", "true"]) == 0


def test_the_overlay_for_machines_without_a_gpu_runs(tmp_path: Path) -> None:
    tiny = ["-c", str(tmp_path / "tiny.yaml")]
    for branch in ("image_branch", "saliency_branch"):
        tiny += [f"--model.network.init_args.{branch}.same_padding", "false"]
    args = words(tmp_path, "livec", "-c", str(CONFIGS / "cpu.yaml"), *tiny, epochs=1)
    assert main(["fit", *args]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "scores" / "livec-test.csv").exists()


@pytest.mark.parametrize("ablation", ABLATIONS)
def test_every_ablation_lies_over_a_run(ablation: str, tmp_path: Path) -> None:
    overlay = CONFIGS / "ablation" / f"{ablation}.yaml"
    text = overlay.read_text()
    assert text.startswith("# ")
    assert 3 <= len(text.splitlines()) <= 9
    args = words(tmp_path, "livec", "-c", str(overlay), "--trainer.fast_dev_run", "true")
    if "Shuffled" in text:
        images = tmp_path / "data" / "livec" / "ChallengeDB_release"
        for file in (images / "Images").iterdir():
            if file.is_file():
                look = to_uint8(Uniform()(np.zeros((80, 96, 3), np.uint8), file.name))
                write_image(tmp_path / "maps" / "Images" / f"{file.stem}.png", look)
    assert main(["fit", *args]) == 0


@pytest.mark.parametrize("benchmark", TRAIN)
def test_make_says_what_it_will_do(benchmark: str) -> None:
    command = ["make", "-n", f"train-{benchmark}", "DATA=/some where", "GPUS=2", "ARGS=--data.split 3", "VENV=.venv"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    said = " ".join(done.stdout.replace("\\\n", " ").split())
    assert f"sdsiqa fit -c configs/train/{benchmark}.yaml" in said
    assert '--data.benchmark.init_args.root "/some where" --trainer.devices 2 --data.split 3' in said


def test_make_trains_to_the_end(tmp_path: Path) -> None:
    fake = write_fake("live", tmp_path / "live")
    (tmp_path / "tiny.yaml").write_text(TINY)
    more = (
        f"-c {tmp_path}/tiny.yaml --run.root {tmp_path}/runs --trainer.max_epochs 1 {' '.join(QUICK).replace('[2, 2]', '[2,2]')}"
    )
    # what is installed is what runs the tests
    done = subprocess.run(
        ["make", "-o", ".venv/.installed", "train-live", f"DATA={fake}", f"ARGS={more}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "runs").glob("live-0-0-*/scores/live-test.csv"))
    assert "SRCC" in done.stdout + done.stderr


def test_make_help_lists_the_targets() -> None:
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("install", "demo", "test", "check", "format", "bench", "train-BENCHMARK", "image", "clean"):
        assert f"make {target}" in said
