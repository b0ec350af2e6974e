"""Settings that cannot work are refused in one line, before the folder of a run is made."""

from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.callbacks import Callback, EarlyStopping

from runs import words
from sdsiqa.cli import main
from sdsiqa.errors import SettingError
from sdsiqa.training.trainer_options import check_monitors, check_seed, check_trainer

pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"overfit_batches": 0.1}, "overfit_batches is 0.1: it would replace the sampler"),
        ({"precision": "64-true"}, "precision is 64-true: scores are computed in float32"),
        ({"precision": "bf16-true"}, "set it to 32-true, bf16-mixed or 16-mixed"),
        ({"precision": "transformer-engine"}, "set it to 32-true"),
        ({"enable_checkpointing": False}, "enable_checkpointing is False: the test reads the checkpoint"),
        ({"barebones": True}, "barebones is True: it switches off the checkpoints"),
        ({"default_root_dir": "elsewhere"}, "set run.root or run.folder"),
        ({"logger": {"class_path": "lightning.pytorch.loggers.WandbLogger"}}, "set wandb.project and wandb.mode"),
        ({"logger": [{"class_path": "lightning.pytorch.loggers.WandbLogger"}]}, "set wandb.project and wandb.mode"),
        ({"strategy": "fsdp"}, "one whole file; set it to auto or ddp"),
        ({"strategy": {"class_path": "lightning.pytorch.strategies.DeepSpeedStrategy"}}, "set it to auto or ddp"),
        ({"strategy": "ddp_spawn"}, "its locks do not survive; set it to auto or ddp"),
        ({"strategy": "ddp_notebook_find_unused_parameters_true"}, "its locks do not survive"),
        ({"reload_dataloaders_every_n_epochs": 1}, "crops differ in each epoch anyway"),
        ({"gradient_clip_val": -1.0}, "gradient_clip_val is -1.0: expected a number, at least 0"),
        ({"gradient_clip_val": float("nan")}, "gradient_clip_val is nan: expected a number"),
        ({"accumulate_grad_batches": 0}, "expected a whole number, at least 1"),
        ({"check_val_every_n_epoch": 0}, "expected a whole number of epochs, at least 1"),
        ({"val_check_interval": 0}, "expected a share of an epoch or a number of steps, above 0"),
        ({"max_epochs": -5}, "max_epochs is -5: expected a whole number, at least 0"),
        ({"max_epochs": -1, "max_steps": -1}, "their number must be known"),
    ],
)
def test_options_of_the_trainer_that_cannot_work_are_refused_with_the_reason(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        check_trainer(options)


def test_options_of_the_trainer_that_work_are_taken() -> None:
    check_trainer({"precision": "bf16-mixed", "logger": False, "max_epochs": -1, "max_steps": 10, "strategy": "ddp"})
    check_trainer({"overfit_batches": 0.0, "logger": {"class_path": "lightning.pytorch.loggers.CSVLogger"}, "max_epochs": 0})


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(SettingError, match=rf"seed_everything is {seed}; expected a whole number from 0 to 4294967295"):
        check_seed(seed)


def test_a_wrong_setting_is_told_in_one_line_and_leaves_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setattr("sdsiqa.runs.lock.RunLock.discard_unused", lambda keep_started: None)  # none is made to be removed
    (tmp_path / "early.yaml").write_text(
        "trainer: {callbacks: [{class_path: lightning.pytorch.callbacks.EarlyStopping, init_args: {monitor: val/srrc}}]}\n"
    )
    for more, said in [
        (
            ["-c", str(tmp_path / "early.yaml")],
            "EarlyStopping watches 'val/srrc', which no validation gives; did you mean 'val/srcc'?",
        ),
        (["--data.num_workers", "-1"], "data.num_workers is -1; expected a whole number, at least 0"),
        (["--model.optimizer.lr", "-1"], "model: optimizer: Invalid learning rate: -1.0"),
        (["--trainer.limit_train_batches", "1.5"], "invalid value 1.5 for limit_train_batches"),
        (["--trainer.accelerator", "tpu"], "trainer: Requirement 'torch_xla"),
        (
            ["--trainer.callbacks", "lightning.pytorch.callbacks.EarlyStopping", "--trainer.callbacks.monitor", "x"],
            "watches 'x', ",
        ),
        (["--data.split", "12"], "split is 12; expected 'official' or a number from 0 to 9"),
        (["--run.name", "x" * 300], "run.name is 'xxxx"),
        (["--model.network.fusion.dropout", "null"], "model.network.init_args.fusion.dropout is null; expected a number"),
        (["--data.saliency.preset", "null"], "data.saliency.init_args.preset is null; expected one of icip2013, vsi"),
    ]:
        assert main(["fit", *words(tmp_path, "livec", *more)]) in (1, 2)
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sdsiqa fit: ")]
        assert len(lines) == 1, more
        assert said in lines[0]
        assert not (tmp_path / "runs").exists(), more


def test_a_callback_of_ones_own_may_log_what_another_one_watches() -> None:
    class Own(Callback):
        """Logs a metric of its own."""

    watching = EarlyStopping("val/mine")
    check_monitors([watching, Own()])
    check_monitors([EarlyStopping("val/plcc"), EarlyStopping("train/loss")])
    with pytest.raises(SettingError, match="EarlyStopping watches 'val/mine', which no validation gives"):
        check_monitors([watching])
