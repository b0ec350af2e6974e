"""Names of settings are checked without torch, and the check refuses nothing that the run itself would take."""

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import lightning
import pytest

from sdsiqa.errors import SettingError
from sdsiqa.experiments.definition import Experiment
from sdsiqa.training.class_source import absent, arguments
from sdsiqa.training.setting_names import GROUPS, check_names, settings_of

ROOT = Path(__file__).parents[2]
DEMO = ["-c", str(ROOT / "configs" / "demo.yaml")]
RUNS = [
    *([*DEMO, "--data", str(file)] for file in sorted((ROOT / "configs" / "data").glob("*.yaml"))),
    *([*DEMO, "--model", str(file)] for file in sorted((ROOT / "configs" / "model").glob("*.yaml"))),
    *([*DEMO, "-c", str(file)] for file in sorted((ROOT / "configs" / "ablation").glob("*.yaml"))),
    ["-c", str(ROOT / "configs" / "base.yaml"), "-c", str(ROOT / "configs" / "overlay" / "cpu_sdsiqa.yaml")],
    *(["-c", str(file)] for file in sorted((ROOT / "results").glob("**/*-0-0-*/config.yaml"))),
]


def check(words: list[str]) -> None:
    check_names(settings_of(words))


@pytest.mark.parametrize("words", RUNS, ids=lambda words: "-".join("/".join(Path(word).parts[-2:]) for word in words[1::2]))
def test_every_configuration_of_the_project_passes(words: list[str]) -> None:
    check(words)


def test_every_cell_of_every_experiment_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for file in sorted((ROOT / "experiments").glob("*.yaml")):
        if file.stem != "sweep":
            for variant in Experiment.load(file).variants():
                check(list(variant.words))


@pytest.mark.parametrize("path", GROUPS.values())
def test_the_source_names_the_arguments_that_the_class_takes(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert arguments(path) == set(inspect.signature(getattr(import_module(module), name)).parameters)


def test_what_is_read_of_any_class_is_what_it_takes() -> None:
    for path in sorted((ROOT / "src" / "sdsiqa").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        if module.endswith("__main__"):
            continue
        for name, kind in inspect.getmembers(import_module(module), inspect.isclass):
            if name.startswith("_Argument"):  # made by jsonargparse at run time
                continue
            known = arguments(f"{module}.{name}")
            if known is not None and kind.__module__.startswith("sdsiqa"):
                assert known == set(inspect.signature(kind).parameters), f"{module}.{name}"
            assert absent(f"{module}.{name}") is None


OVERLAY = """
trainer:
  max_epochs: 1
data:
  benchmark:
    init_args:
      {key}: x
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--trainer.max_epoch", "1"], "there is no 'trainer.max_epoch'; did you mean 'trainer.max_epochs'?"),
        (["--trainer.max_epoch=1"], "there is no 'trainer.max_epoch'; did you mean 'trainer.max_epochs'?"),
        (["--train.max_epochs", "1"], "there is no 'train'; did you mean 'trainer'?"),
        (["--data.croop", "64"], "there is no 'data.croop'; did you mean 'data.crop'?"),
        (["--run.nam", "x"], "did you mean 'run.name'?"),
        (["--wandb.projekt", "x"], "did you mean 'wandb.project'?"),
        (["--model.shedule", "cosine"], "did you mean 'model.schedule'?"),
        (["--model.network.fusion.gat", "se"], "did you mean 'model.network.init_args.fusion.gate'?"),
        (["--data.benchmark.rot", "x"], "did you mean 'data.benchmark.init_args.root'?"),
        (["--data.saliency", "sdsiqa.saliency.SDPS"], "no class 'sdsiqa.saliency.SDPS'; did you mean 'sdsiqa.saliency.SDSP'?"),
        (["--data.saliency.class_path", "nowhere.Map"], "there is no class 'nowhere.Map'"),
        (["--model.optimizer.class_path", "torch.optim.AdaW"], "did you mean 'torch.optim.AdamW'?"),
        (["--ckpt_pat", "x"], "did you mean 'ckpt_path'?"),
        (["-c", "nowhere.yaml"], "nowhere.yaml does not exist"),
        (["--data", "{benchmark: {init_args: {rot: x}}}"], "did you mean 'data.benchmark.init_args.root'?"),
    ],
)
def test_a_typo_is_told_with_the_nearest_name(words: list[str], said: str) -> None:
    with pytest.raises(SettingError) as found:
        check([*DEMO, *words])
    assert said in str(found.value)
    assert "\n" not in str(found.value)


def test_a_typo_in_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    file, inner = tmp_path / "mine.yaml", tmp_path / "inner.yaml"
    file.write_text(OVERLAY.format(key="rot"))
    with pytest.raises(SettingError) as found:
        check([*DEMO, "-c", str(file)])
    assert str(found.value).startswith(f"{file}, line 7: there is no 'data.benchmark.init_args.rot'; did you mean")
    inner.write_text("max_epoch: 1\n")
    file.write_text("trainer: inner.yaml\n")
    with pytest.raises(SettingError, match=r"inner\.yaml, line 1: there is no 'trainer\.max_epoch'"):
        check(["-c", str(file)])
    file.write_text("trainer: [1\n")
    with pytest.raises(SettingError, match=r"mine\.yaml, line 2: .*; expected keys and values in YAML"):
        check(["-c", str(file)])


@pytest.mark.parametrize(
    "words",
    [
        ["--model.loss", "sdsiqa.losses.SmoothL1", "--model.loss.beta", "0.2"],
        ["--model.loss", "SmoothL1", "--model.loss.init_args.beta", "0.2"],
        ["--data.saliency", "sdsiqa.saliency.SDSP", "--data.saliency.preset", "vsi"],
        ["--trainer.callbacks+=lightning.pytorch.callbacks.LearningRateMonitor", "--trainer.callbacks.logging_interval=step"],
        ["--trainer.strategy.class_path", "lightning.pytorch.strategies.DDPStrategy"],
        ["--model.optimizer", "torch.optim.SGD", "--model.optimizer.momentum", "0.9"],
        ["--data", "{crop: 64}", "--seed_everything", "3", "--data.maps", "other.maps", "--data.grid", "[2, 2]"],
        ["--trainer.limit_train_batches", "-1", "--weights_only", "true", "--ckpt_path=last"],
    ],
)
def test_what_the_run_takes_passes(words: list[str]) -> None:
    check([*DEMO, *words])


def test_the_check_loads_no_torch() -> None:
    code = "import sys; from sdsiqa.cli import main; status = main(sys.argv[1:]); print(status, 'torch' in sys.modules)"
    words = ["fit", *DEMO, "--trainer.max_epoch", "1"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stdout == "2 False\n"
    assert done.stderr == "sdsiqa fit: there is no 'trainer.max_epoch'; did you mean 'trainer.max_epochs'?\n"


def test_the_trainer_is_lightnings_own() -> None:
    assert import_module(GROUPS["trainer"].rpartition(".")[0]).Trainer is lightning.Trainer
