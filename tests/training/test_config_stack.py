"""Files of settings are laid over each other; what a method does not name has its class's default, whatever lies below."""

import functools
import inspect
import itertools
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
import yaml

from runs import CONFIGS, run_file
from sdsiqa.errors import SettingError
from sdsiqa.experiments.resolve_config import Resolved, resolve
from sdsiqa.training.config_stack import laid_over, one_config
from sdsiqa.training.task import QualityTask

pytestmark = pytest.mark.filterwarnings("default")
METHODS = sorted((CONFIGS / "model").glob("*.yaml"))
OVERLAYS = [*sorted((CONFIGS / "overlay").glob("*.yaml")), *sorted((CONFIGS / "ablation").glob("*.yaml"))]
RUN = run_file("livec")
UNDER = [RUN, [*RUN, "-c", str(CONFIGS / "overlay" / "cpu_sdsiqa.yaml")], run_file("demo")]
OTHER = """
network: {class_path: sdsiqa.models.SGDNet, init_args: {dropout: 0.1, size: [64, 64]}}
objective: {class_path: sdsiqa.models.PatchLoss, init_args: {loss: {class_path: sdsiqa.losses.MSE}}}
optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.5, momentum: 0.5, weight_decay: 0.5}}
backbone_lr_scale: 0.77
schedule: constant
warmup: 0.77
frozen_fraction: 0.77
regression: {class_path: sdsiqa.training.LeastSquares}
channels_last: true
compile: true
"""
"""A model in which nothing has its default."""


@functools.cache
def stacked(*words: object) -> dict[str, Any]:
    """Give what files come to, which is read and left as it is."""
    return laid_over([str(word) for word in words])[0]


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from leaves(item, (*path, str(name)))
    else:
        yield path


def config(*words: object) -> dict[str, Any]:
    (answer,) = resolve([[str(word) for word in words]])
    assert answer.config, answer.error
    return answer.config


@pytest.fixture
def other(tmp_path: Path) -> Path:
    file = tmp_path / "other.yaml"
    file.write_text(OTHER)
    return file


@pytest.mark.parametrize("method", METHODS, ids=lambda file: file.stem)
def test_nothing_leaks_into_a_method_from_what_lies_below(method: Path, other: Path) -> None:
    most = [*RUN, "--model", str(other)]  # sets everything, so all overlays come over it, and one of them over the others
    alone = yaml.safe_load(method.read_text())
    for under, overlay in [*itertools.product([most], OVERLAYS), *itertools.product(UNDER, OVERLAYS[:1])]:
        network = stacked(*under)["model"]["network"]["class_path"]
        if network == alone["network"]["class_path"]:
            continue  # the same network: the method lies over it
        found = stacked(*under, "--model", method, "-c", overlay).get("model")
        assert found == stacked("--model", method, "-c", overlay)["model"], (under, overlay)
        named = {*leaves(alone), *leaves(stacked("-c", overlay).get("model") or {})}
        assert set(leaves(found)) <= named, (under, overlay)


@pytest.fixture(scope="module")
def resolved(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Resolved]:
    """Every method, resolved over a model in which nothing has its default."""
    file = tmp_path_factory.mktemp("other") / "other.yaml"
    file.write_text(OTHER)
    below = dict.fromkeys(METHODS, file) | {CONFIGS / "model" / "sgdnet.yaml": CONFIGS / "model" / "small.yaml"}
    jobs = [[*RUN, "--model", str(below[method]), "--model", str(method)] for method in METHODS]
    return dict(zip(METHODS, resolve(jobs), strict=True))


@pytest.mark.parametrize("method", METHODS, ids=lambda file: file.stem)
def test_what_a_method_does_not_name_has_the_default_of_its_class(method: Path, resolved: dict[Path, Resolved]) -> None:
    answer = resolved[method]
    assert answer.config, answer.error
    assert sum(1 for _ in compared(QualityTask, answer.config["model"], yaml.safe_load(method.read_text()), "model")) > 5


def compared(kind: Any, values: Mapping[str, Any], named: Mapping[str, Any], path: str) -> Iterator[str]:
    """Compare resolved arguments of a class, and of the classes inside, with what a file names and with defaults."""
    assert set(named) <= set(values), path
    for name, parameter in inspect.signature(kind).parameters.items():
        if name not in values:  # such as the parameters that an optimiser steps
            continue
        where, value = f"{path}.{name}", values[name]
        given = named.get(name)
        if isinstance(given, Mapping) and "class_path" in given:
            module, _, own = str(given["class_path"]).rpartition(".")
            assert value["class_path"] == given["class_path"], where
            yield from compared(
                getattr(import_module(module), own), value.get("init_args") or {}, given.get("init_args") or {}, where
            )
        elif isinstance(given, Mapping):
            yield from compared(part_class(kind, name), value, given, where)
        elif given is None:
            default = parameter.default
            assert value == (list(default) if isinstance(default, tuple) else default), where
        elif "${" not in str(given):
            assert value == given, where
        yield where


def part_class(kind: Any, name: str) -> Any:
    hint = get_type_hints(kind.__init__)[name]
    options = get_args(hint) if get_origin(hint) is Union or type(hint).__name__ == "UnionType" else (hint,)
    (part,) = (option for option in options if option is not type(None))
    return part


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("saliency_branch.init_args.floor", "saliency_branch.floor"),
        ("saliency_branch.floor", "saliency_branch.floor"),
        ("saliency_branch", "saliency_branch"),
        ("image_branch", "image_branch"),
        ("fusion.gate", "fusion.gate"),
        ("image_branch.levels", "image_branch.levels"),
    ],
)
def test_null_is_taken_at_every_depth_of_the_command_line(tmp_path: Path, key: str, place: str) -> None:
    (tmp_path / "more.yaml").write_text(
        "model: {network: {init_args: {saliency_branch: {floor: 0.5}, fusion: {gate: se}, image_branch: {levels: [-1]}}}}"
    )
    for start in ("model.network.init_args", "model.network"):
        words = [*RUN, "-c", str(tmp_path / "more.yaml"), f"--{start}.{key}", "null"]
        found = config(*words)["model"]["network"]["init_args"]
        for part in place.split("."):
            found = found[part]
        assert found is None


def test_null_removes_a_class_and_what_is_below_it() -> None:
    method = CONFIGS / "model" / "bliinds2.yaml"
    assert config(*RUN, "--model", method)["model"]["regression"] is not None
    assert config(*RUN, "--model", method, "--model.regression", "null")["model"]["regression"] is None
    assert config(*RUN, "--model", method, "--model.regression=null")["model"]["regression"] is None


def test_a_later_one_wins_whether_file_or_word(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("data: {crop: 96}\nmodel: {backbone_lr_scale: 0.5}\ntrainer.max_epochs: 3\n")
    file = ["-c", tmp_path / "a.yaml"]
    crop = ["--data.crop", "64"]
    assert config(*RUN, *crop, *file)["data"]["crop"] == 96
    assert config(*RUN, *file, *crop)["data"]["crop"] == 64
    assert config(*RUN, "--trainer.max_epochs", "9", *file)["trainer"]["max_epochs"] == 3
    assert config(*RUN, "--model.warmup", "0.5", *file)["model"]["warmup"] == 0.5  # which the file leaves alone
    null = "--model.network.init_args.saliency_branch.floor"
    found = config(*RUN, null, "0.5", null, "null", null, "0.25")["model"]["network"]["init_args"]
    assert found["saliency_branch"]["floor"] == 0.25
    other = ["--model", CONFIGS / "model" / "cnniqa.yaml"]
    assert config(*RUN, "--model.warmup", "0.5", *other)["model"]["warmup"] == 0.05  # another network starts anew
    assert config("--seed_everything", "9", *RUN)["seed_everything"] == 9


def test_a_class_that_takes_the_place_of_another_has_its_own_defaults() -> None:
    found = config(*RUN, "--model.optimizer", "torch.optim.SGD", "--model.optimizer.lr", "0.1")["model"]["optimizer"]
    assert found["init_args"]["weight_decay"] == 0
    assert found["init_args"]["lr"] == 0.1
    short_side = [*run_file("koniq10k"), "--data", CONFIGS / "data" / "livec.yaml"]
    assert config(*short_side)["data"]["benchmark"]["init_args"]["short_side"] is None
    network = config(*RUN, "--model.network", "sdsiqa.models.CNNIQA")["model"]
    assert network == config("--data", CONFIGS / "data" / "livec.yaml", "--model.network", "sdsiqa.models.CNNIQA")["model"]
    longer = stacked(*RUN, "--model.network", "sdsiqa.models.sdsiqa.SDSIQA")["model"]  # the same class
    assert longer["optimizer"]["init_args"]["lr"] == 2e-4


def test_references_see_the_command_line(tmp_path: Path) -> None:
    assert config(*RUN, "--data.split", "4", "--run.name", "try-${data.split}")["run"]["name"] == "try-4"
    assert "${oc.env:SDSIQA_DATA,data}" in one_config(RUN)[1]


def test_files_are_named_relative_to_the_file_that_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "trainer.yaml").write_text("max_epochs: 3\n")
    (tmp_path / "a" / "run.yaml").write_text("trainer: b/trainer.yaml\n")
    monkeypatch.chdir(tmp_path)
    assert stacked("-c", "a/run.yaml") == {"trainer": {"max_epochs": 3}}
    assert stacked("--trainer", "a/b/trainer.yaml") == {"trainer": {"max_epochs": 3}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, r"a\.yaml: does not exist; give a YAML file"),
        ("- 1\n", r"a\.yaml: holds no keys and values"),
        ("a: {", r"a\.yaml: .*; give a YAML file"),
        ("a: ${b", r"a\.yaml: .*; give a YAML file"),
        ("# Gr\xf6\xdfe\na: 1\n", r"a\.yaml: .*utf-8.*; give a YAML file"),
    ],
)
def test_what_is_no_file_of_settings_is_refused_by_name(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "a.yaml").write_text(text, encoding="latin-1")
    with pytest.raises(SettingError, match=said):
        one_config(["-c", str(tmp_path / "a.yaml")])
