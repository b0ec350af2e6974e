"""Everything in `experiments/` says what it is for, and can be planned."""

import importlib
import re
from pathlib import Path

import pytest
import yaml

from runs import CONFIGS
from sdsiqa.experiments.definition import Experiment, Variant
from sdsiqa.experiments.resolve_config import resolve

pytestmark = pytest.mark.filterwarnings("default")
FOLDER = CONFIGS.parent / "experiments"
FILES = {file.stem: file for file in sorted(FOLDER.rglob("*.yaml")) if file.stem != "sweep"}
NAMES = list(FILES)
NOT_HERE = re.compile(r"does not exist|no stored map|holds no map|is no folder|no photographs in|sdsiqa saliency")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SDSIQA_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SDSIQA_MAPS", str(tmp_path / "maps"))
    monkeypatch.chdir(FOLDER.parent)


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_tells_its_story_and_its_command(name: str) -> None:
    text = (FILES[name]).read_text()
    story = [line for line in text.splitlines() if line.startswith("#")]
    assert len(story) >= 3
    assert f"sdsiqa grid {FILES[name].relative_to(FOLDER.parent)}" in text
    if name.endswith("_demo"):
        assert "proxy" in text
    else:
        assert "Cost: " in text
        assert "Result: " in text
    assert f"`{name}`" in (FOLDER / "README.md").read_text()


SHIPS = {  # what a first stage may ask for, and which benchmarks have it
    "reference": {"CSIQ", "Demo", "Distorted", "KADID10k", "LIVE", "TID2013"},
    "distortion": {"CSIQ", "Demo", "Distorted", "KADID10k", "LIVE", "TID2013"},
    "level": {"CSIQ", "Demo", "Distorted", "KADID10k", "TID2013"},
}


@pytest.mark.slow
def test_every_kind_of_cell_can_be_parsed() -> None:
    kinds: dict[tuple[str, ...], Variant] = {}
    for name in NAMES:
        experiment = Experiment.load(FILES[name])
        assert experiment.baseline in {*experiment.methods, *experiment.ablations}
        for variant in [*experiment.first_stages_of_variants(), *experiment.variants()]:
            if variant.benchmark != "demo":  # it would be made on first use
                kinds.setdefault(variant.words[: variant.words.index("--data.split")], variant)
    words = [[*kind.words, *(["--model.init_from", "nothing"] if kind.first else [])] for kind in kinds.values()]
    for kind, answer in zip(kinds.values(), resolve(words), strict=True):
        assert answer.hash, answer.error
        assert NOT_HERE.search(answer.error), answer.error
        if kind.is_first:
            if answer.config["model"]["objective"] is None:  # SDS-IQA's own learns from opinion, by files that also test
                continue
            assert answer.config["run"]["test"] is False
            benchmark = answer.config["data"]["benchmark"]["class_path"].rpartition(".")[2]
            objective = answer.config["model"]["objective"]["class_path"].rpartition(".")
            for field in getattr(importlib.import_module(objective[0]), objective[2]).inputs:
                assert benchmark in SHIPS[field], answer.config["run"]


def test_methods_of_two_stages_have_a_first_one_and_no_other_has() -> None:
    staged = {file.stem.removesuffix("_first") for file in (CONFIGS / "model").glob("*_first.yaml")}
    for name in NAMES:
        experiment = Experiment.load(FILES[name])
        of_two = {method for method, files in experiment.methods.items() if files and files[0].stem in staged}
        kernels = {
            method
            for method, files in experiment.methods.items()
            if any(isinstance(file, Path) and file.stem.endswith("_kernel") for file in files)
        }
        assert set(experiment.first_stages) == of_two | kernels, name


def test_experiments_that_share_runs_agree_on_them() -> None:
    words: dict[tuple[str, str], tuple[str, ...]] = {}
    for name in NAMES:
        experiment = Experiment.load(FILES[name])
        for variant in [*experiment.variants(), *experiment.first_stages_of_variants()]:
            assert words.setdefault((experiment.group, variant.name), variant.words) == variant.words, (name, variant.name)


def test_a_sweep_calls_the_same_command_line() -> None:
    # an import of seconds, which every process that runs tests would wait for
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

    sweep = yaml.safe_load((FOLDER / "livec" / "sweep.yaml").read_text())
    drawn = {name: {"value": how.get("min", how.get("values", [None])[0])} for name, how in sweep["parameters"].items()}
    arguments = create_sweep_command_args({"args": drawn})["args"]
    command = create_sweep_command(sweep["command"])
    words = [word for part in command for word in (arguments if part == "${args}" else [part])]
    (answer,) = resolve([words[words.index("fit") + 1 :]])
    assert answer.hash, answer.error
    model = answer.config["model"]
    assert model["optimizer"]["init_args"]["lr"] == 5e-5
    assert model["optimizer"]["init_args"]["weight_decay"] == 1e-6
    assert model["backbone_lr_scale"] == 0.03
    assert sweep["metric"] == {"name": "val/srcc", "goal": "maximize"}
