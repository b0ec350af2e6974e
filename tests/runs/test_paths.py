"""Paths and variables as people write them: `~`, `..`, a moved run folder, a variable that is empty."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from runs import words
from sdsiqa.benchmarks import LIVEC
from sdsiqa.benchmarks.distorted import Distorted
from sdsiqa.cli import main
from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.files import user_path
from sdsiqa.inference.checkpoint import read_checkpoint
from sdsiqa.runs.arguments import any_path, file_to_read, file_to_write, folder
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.variables import forget_empty, read_empty_as_unset
from sdsiqa.saliency import SDSP, Dino, Onnx, Shuffled, Stored
from sdsiqa.saliency.cache import CachedMaps
from sdsiqa.training.checkpoints import BestCheckpoint
from sdsiqa.training.config_stack import one_config
from sdsiqa.training.solvers.ridge import RidgeStart


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, and a working folder in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def test_tilde_is_the_home_folder_and_dots_lead_up_even_from_what_is_not_there(home: Path) -> None:
    assert user_path("~/maps") == home / "maps"
    assert user_path("~") == home
    assert user_path("new/../maps") == Path("maps")
    assert user_path("../maps") == home / "maps"
    assert user_path("/new/../maps") == Path("/maps")
    assert user_path("runs/a") == Path("runs/a")
    with pytest.raises(ValueError, match="the home folder of ~nobody_of_that_name is not known; write the path in full"):
        user_path("~nobody_of_that_name/x")


def test_every_setting_that_is_a_path_takes_both(home: Path) -> None:
    given = Path("~/new/../x")
    data = QualityDataModule(LIVEC(given), SDSP(), split_folder=given, cache=given, maps=given)
    found = [
        *(data.benchmark.given, data.split_folder, data.cache_folder, data.maps),
        *(
            Distorted(given, given).photographs,
            Stored(given).root,
            Shuffled(given).root,
            Onnx(given).path,
            Dino(weights=given).weights,
        ),
        *(CachedMaps(SDSP(), given).folder, RidgeStart(folder=given).folder, RunFolder(given).path),
        *(folder(str(given)), any_path(str(given)), file_to_write(str(given))),
    ]
    assert found == [home / "x"] * len(found)
    (home / "x").write_bytes(b"")
    assert file_to_read(str(given)) == home / "x"
    with pytest.raises(ValueError, match=rf"{home / 'x'}: is no checkpoint"):
        read_checkpoint(given)


@pytest.mark.filterwarnings("default")
def test_a_run_lies_where_its_root_says(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    fit = words(home, "livec", "--run.root", "~/new/../there", "--data.cache", "~/cache", "--trainer.fast_dev_run", "true")
    assert main(["fit", *fit]) == 0
    assert {path.name for path in home.iterdir() if path.is_dir()} == {"work", "data", "there", "cache"}
    assert not any((home / "work").iterdir())
    assert main(["fit", *fit, "--data.maps", "~nobody_of_that_name/x"]) == 2
    said = "data.maps is '~nobody_of_that_name/x': ~nobody_of_that_name/x: the home folder of ~nobody_of_that_name is not known"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["data.cache", "data.maps", "run.root", "run.folder"])
def test_a_file_where_a_folder_is_to_be_is_told_before_anything_is_made(
    setting: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "there").mkdir()
    start = words(tmp_path, "livec", "--run.root", str(tmp_path / "there"))
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        assert main(["fit", *start, f"--{setting}", str(place)]) == 2
        said = f"{setting} is '{place}': {tmp_path / 'file'} is a file; expected a folder; give another folder"
        assert capsys.readouterr().err == f"sdsiqa fit: {said}\n"
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)  # rights do not stop an administrator
    assert main(["fit", *start, f"--{setting}", str(tmp_path / "new")]) == 2
    assert f"{tmp_path / 'new'} cannot be made: {tmp_path} may not be written to; give" in capsys.readouterr().err
    assert list((tmp_path / "there").iterdir()) == []


def test_a_moved_run_lies_beside_its_configuration(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    (old / "config.yaml").write_text(f"run: {{folder: {old}, name: a}}\nseed_everything: 3\n")

    def place(*words: str) -> str:
        return str(OmegaConf.create(one_config(["-c", str(new / "config.yaml"), *words])[1])["run"]["folder"])

    shutil.copytree(old, new)
    assert place() == str(old)  # a configuration alone is no run
    (new / "run.json").write_text("{}")
    assert place() == str(new)
    other = tmp_path / "other.yaml"
    other.write_text("run: {folder: elsewhere}")
    assert place("-c", str(other)) == "elsewhere"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    read_empty_as_unset()
    texts = {"root": "${oc.env:SOME_DATA,data}/demo", "none": "${oc.env:SOME_DATA,null}", "must": "${oc.env:SOME_DATA}"}
    config = OmegaConf.create(texts)
    for value in (None, "", " "):
        if value is not None:
            monkeypatch.setenv("SOME_DATA", value)
        assert config.root == "data/demo"
        assert config.none is None
        with pytest.raises(Exception, match=r"the environment variable SOME_DATA is (not set|empty); set it, or write"):
            _ = config.must
    monkeypatch.setenv("SOME_DATA", "/here")
    assert config.root == "/here/demo"
    environment = {"SDSIQA_DATA": "", "WANDB_MODE": "", "SDSIQA_CACHE": "c", "CUDA_VISIBLE_DEVICES": "", "HF_HOME": ""}
    forget_empty(environment)
    assert environment == {"SDSIQA_CACHE": "c", "CUDA_VISIBLE_DEVICES": ""}  # which hides all GPUs


def test_an_unset_variable_is_named_with_its_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("data: {maps: '${oc.env:SURELY_UNSET}/maps'}")
    with pytest.raises(SystemExit) as stop:
        main(["fit", *words(tmp_path, "demo", "-c", str(overlay))])
    assert stop.value.code == 2
    said = "data.maps: the environment variable SURELY_UNSET is not set; set it, or write ${oc.env:SURELY_UNSET,DEFAULT}"
    assert said in capsys.readouterr().err


def test_a_moved_run_still_knows_its_best_epoch(tmp_path: Path) -> None:
    old, new = tmp_path / "old" / "checkpoints", tmp_path / "new" / "checkpoints"
    new.mkdir(parents=True)
    (new / "best.ckpt").touch()
    callback = BestCheckpoint(RunFolder(tmp_path / "new"))
    callback.dirpath = str(new)
    score, paths = torch.tensor(0.5), {name: str(old / "best.ckpt") for name in ("best_model_path", "kth_best_model_path")}
    state = {"dirpath": str(old), "best_model_score": score, "best_k_models": {str(old / "best.ckpt"): score}, **paths}
    callback.load_state_dict(state)
    assert callback.best_model_score == score
    assert callback.best_k_models == {str(new / "best.ckpt"): score}
    assert callback.best_model_path == str(new / "best.ckpt")
