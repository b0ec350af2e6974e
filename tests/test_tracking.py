"""What Weights & Biases gets, read back from an offline run; and that nothing needs it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runs import fit
from sdsiqa.run import RunFolder

pytestmark = pytest.mark.filterwarnings("default")


def records(folder: Path) -> list[dict[str, Any]]:
    """Read an offline run back with W&B's own tool."""
    (file,) = (folder / "wandb").glob("offline-run-*/*.wandb")
    tool = shutil.which("wandb", path=str(Path(sys.executable).parent))
    assert tool is not None
    done = subprocess.run([tool, "leet", "inspect", "--json", str(file)], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDSIQA_TEST_SUBSET", "1")
        patch.setenv("WANDB_MODE", "offline")
        more = ["--run.group", "ablation", "--run.job_type", "cell", "--run.tags", '["quick", "tiny"]']
        return fit(tmp_path_factory.mktemp("wandb"), *more, benchmark="live")


def test_an_offline_run_holds_everything(run: Path) -> None:
    found = records(run)
    text = json.dumps(found)
    begun = [record["run"] for record in found if record["type"] == "run"]
    assert len({entry["run_id"] for entry in begun}) == 1
    assert begun[0]["run_id"] == run.name
    assert begun[0]["run_group"] == "ablation"
    assert begun[0]["job_type"] == "cell"
    assert set(begun[0]["tags"]) == {"quick", "tiny"}
    config = begun[0]["config"]["update"]
    assert {name: config[name] for name in ("benchmark", "split", "seed", "saliency", "method", "backbone")} == {
        "benchmark": "live",
        "split": 0,
        "seed": 0,
        "saliency": "SDSP",
        "method": "SDSIQA",
        "backbone": "test_resnet",
    }
    assert config["model"]["init_args"]["network"]["init_args"]["gate"] == "gct"
    record = RunFolder(run).record
    for value in (record["split_hash"], record["data_version"], record["git"]["commit"]):
        assert value in text
    for key in ("val/srcc", "train/loss_epoch", "train/lr", "figures/scatter", "figures/panel", "scores/live-test"):
        assert key in text, key
    media = {file.suffixes[-1] for file in (run / "wandb").rglob("media/**/*") if file.is_file()}
    assert media == {".png", ".json"}


def test_without_wandb_the_run_folder_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    folder = fit(tmp_path, epochs=1)
    assert not (folder / "wandb").exists()
    for name in ("config.yaml", "split.json", "metrics.json", "metrics.csv", "scores/livec-test.csv"):
        assert (folder / name).exists()
