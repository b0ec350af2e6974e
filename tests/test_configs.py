"""Everything in `configs/` runs."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from fakes import write_fake

from runs import CONFIGS, QUICK, TINY, stand_in, words
from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.cli import main
from sdsiqa.images import write_image
from sdsiqa.saliency import Uniform, to_uint8

pytestmark = pytest.mark.filterwarnings("default")
ROOT = CONFIGS.parent
TRAIN = sorted(file.stem for file in (CONFIGS / "data").glob("*.yaml") if file.stem != "distorted")
METHODS = sorted(file.stem for file in (CONFIGS / "model").glob("*.yaml") if not file.stem.endswith("_first"))
ABLATIONS = sorted(file.stem for file in (CONFIGS / "ablation").glob("*.yaml"))


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("SDSIQA_MAPS", str(tmp_path / "maps"))


def test_every_file_is_of_one_kind() -> None:
    top = {CONFIGS / "base.yaml", CONFIGS / "demo.yaml"}
    kinds = {file for kind in ("data", "model", "ablation", "overlay") for file in (CONFIGS / kind).glob("*.yaml")}
    assert top | kinds == set(CONFIGS.rglob("*.yaml"))
    for file in kinds:
        assert file.read_text().startswith("# ")


def test_every_benchmark_has_a_data_file_named_like_it() -> None:
    for name, kind in BENCHMARKS.items():
        data = yaml.safe_load((CONFIGS / "data" / f"{name}.yaml").read_text())
        assert data["benchmark"]["class_path"] == f"sdsiqa.benchmarks.{kind.__name__}"
        assert data["benchmark"]["init_args"]["root"].removeprefix("${oc.env:SDSIQA_DATA,data}/") == (kind.folder or name)
    assert set(TRAIN) == set(BENCHMARKS)


def test_every_file_that_a_setting_or_its_comment_names_is_there() -> None:
    named = re.compile(r"\b(?:bench|configs|docs|examples|experiments|results|src|tests|tools)/[\w./-]+\.\w+")
    files = [*CONFIGS.rglob("*.yaml"), *(ROOT / "experiments").rglob("*.yaml"), ROOT / "Makefile", ROOT / "pyproject.toml"]
    found = {(str(file.relative_to(ROOT)), name) for file in files for name in named.findall(file.read_text())}
    assert ("pyproject.toml", "tests/helpers/numerical.py") in found
    assert sorted((file, name) for file, name in found if not (ROOT / name).exists()) == []


def test_no_model_file_resets_anything() -> None:
    assert "null" not in "".join(file.read_text() for file in (CONFIGS / "model").glob("*.yaml"))


@pytest.mark.parametrize("model", METHODS)
def test_every_model_file_stands_in_for_another(model: str, tmp_path: Path) -> None:
    benchmark = "live" if model in ("psnr", "ssim") else "livec"  # full-reference methods need references
    assert main(["fit", *stand_in(tmp_path, model, benchmark), "--trainer.fast_dev_run", "true"]) == 0
    (config,) = (tmp_path / "runs").glob(f"{benchmark}-*/config.yaml")
    found = yaml.safe_load(config.read_text())
    assert found["run"]["method"] == found["model"]["network"]["class_path"].split(".")[-1].lower()  # tables tell methods apart


@pytest.mark.parametrize("benchmark", TRAIN)
def test_every_run_file_runs(benchmark: str, tmp_path: Path) -> None:
    assert main(["fit", *words(tmp_path, benchmark), "--trainer.fast_dev_run", "true"]) == 0


@pytest.mark.slow
def test_the_overlay_for_machines_without_a_gpu_runs(tmp_path: Path) -> None:
    tiny = ["-c", str(tmp_path / "tiny.yaml")]
    for branch in ("image_branch", "saliency_branch"):
        tiny += [f"--model.network.init_args.{branch}.same_padding", "false"]
    cpu = [word for name in ("cpu", "cpu_sdsiqa") for word in ("-c", str(CONFIGS / "overlay" / f"{name}.yaml"))]
    args = words(tmp_path, "livec", *cpu, *tiny, epochs=1)
    assert main(["fit", *args]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "scores" / "livec-test.csv").exists()


@pytest.mark.parametrize("ablation", ABLATIONS)
def test_every_ablation_lies_over_a_run(ablation: str, tmp_path: Path) -> None:
    overlay = CONFIGS / "ablation" / f"{ablation}.yaml"
    text = overlay.read_text()
    assert text.startswith("# ")
    assert 4 <= len(text.splitlines()) <= 6
    assert yaml.safe_load(text)["run"] == {"ablation": ablation}  # else a report would take it for the full method
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
    own = f"-c configs/base.yaml --data configs/data/{benchmark}.yaml"
    assert f"sdsiqa fit {'-c configs/demo.yaml' if benchmark == 'demo' else own} " in said
    assert '--data.benchmark.init_args.root "/some where" --trainer.devices 2 --data.split 3' in said


@pytest.mark.slow
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
    assert f"Train on {' '.join(TRAIN)}, then test" in said
