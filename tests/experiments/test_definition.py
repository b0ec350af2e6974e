"""A file of an experiment says which runs there are, and is refused where it says something else."""

from pathlib import Path

import pytest

from runs import CONFIGS
from sdsiqa.cli import main
from sdsiqa.errors import ExperimentError
from sdsiqa.experiments.definition import Experiment

TEXT = f"""
base: {CONFIGS}/base.yaml
benchmarks: {{demo: {CONFIGS}/demo.yaml, livec: {CONFIGS}/data/livec.yaml}}
methods: {{sdsiqa: null, small: {CONFIGS}/model/small.yaml}}
ablations: {{full: [], no_gate: [{CONFIGS}/ablation/no_gate.yaml]}}
splits: [0, 1]
seeds: [0, 7]
settings: {{trainer.max_epochs: 1, data.grid: [2, 2], data.cache: null}}
"""


def write(folder: Path, text: str, name: str = "try.yaml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_the_axes_are_multiplied_in_a_fixed_order(tmp_path: Path) -> None:
    variants = Experiment.load(write(tmp_path, TEXT)).variants()
    assert len(variants) == 2 * 2 * 2 * 2 * 2
    assert [variant.index for variant in variants] == list(range(32))
    assert [variant.name for variant in variants[:3]] == [
        *("demo-sdsiqa-full-0-0", "demo-sdsiqa-full-1-0", "demo-sdsiqa-full-0-7"),
    ]
    last = variants[-1]
    assert (last.benchmark, last.method, last.ablation, last.split, last.seed) == ("livec", "small", "no_gate", 1, 7)
    assert len({variant.name for variant in variants}) == 32


def test_words_lay_the_ablation_over_the_method_and_the_settings_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CONFIGS.parent)
    words = Experiment.load(write(tmp_path, TEXT)).variants()[-1].words
    assert words == (
        *("-c", "configs/base.yaml", "--data", "configs/data/livec.yaml", "--model", "configs/model/small.yaml"),
        *("-c", "configs/ablation/no_gate.yaml"),
        *("--trainer.max_epochs", "1", "--data.grid", "[2, 2]", "--data.cache", "null"),
        *("--data.split", "1", "--seed_everything", "7"),
    )


def test_files_and_settings_may_lie_over_a_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONFIGS.parent)
    files = f"[{CONFIGS}/model/small.yaml, {CONFIGS}/overlay/cpu.yaml, {{model: {{warmup: 0.2}}, data.crop: 96}}]"
    text = TEXT.replace(f"small: {CONFIGS}/model/small.yaml", f"small: {files}")
    words = Experiment.load(write(tmp_path, text)).variants()[-1].words
    laid = ("-c", "configs/overlay/cpu.yaml", "--model.warmup", "0.2", "--data.crop", "96", "-c", "configs/ablation/no_gate.yaml")
    assert words[4:14] == ("--model", "configs/model/small.yaml", *laid)
    assert "--model" not in Experiment.load(tmp_path / "try.yaml").variants()[0].words


def test_what_extends_another_replaces_what_it_says_itself(tmp_path: Path) -> None:
    write(tmp_path, TEXT + "group: all\nbaseline: full\n")
    more = Experiment.load(write(tmp_path, "extends: try.yaml\nsplits: [3]\nseeds: [0]\n", "more.yaml"))
    assert (more.name, more.group, more.splits, more.baseline) == ("more", "more", (3,), "full")
    assert len(more.variants()) == 8
    same = Experiment.load(write(tmp_path, "extends: try.yaml\ngroup: all\n", "same.yaml"))
    assert same.group == Experiment.load(tmp_path / "try.yaml").group


def test_an_inherited_remark_goes_with_its_method(tmp_path: Path) -> None:
    write(tmp_path, TEXT + "remarks: {sdsiqa: tuned here, small: too short}\n")
    assert set(Experiment.load(write(tmp_path, "extends: try.yaml\n", "all.yaml")).remarks) == {"sdsiqa", "small"}
    one = write(tmp_path, "extends: try.yaml\nmethods: {sdsiqa: null}\n", "one.yaml")
    assert Experiment.load(one).remarks == {"sdsiqa": "tuned here"}
    one.write_text(one.read_text() + "remarks: {small: too short}\n")
    with pytest.raises(ExperimentError, match="remarks on 'small', which is none of its methods"):
        Experiment.load(one)


def test_another_benchmark_takes_the_place_of_the_files_own(tmp_path: Path) -> None:
    cpu = CONFIGS / "overlay" / "cpu.yaml"
    experiment = Experiment.load(write(tmp_path, TEXT), {"bid": (CONFIGS / "data" / "bid.yaml", cpu)})
    variants = experiment.variants()
    assert {variant.benchmark for variant in variants} == {"bid"}
    assert variants[0].words[2:6] == ("--data", str(CONFIGS / "data" / "bid.yaml"), "-c", str(cpu))


def test_files_can_be_laid_over_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONFIGS.parent)
    text = f"base: {CONFIGS}/base.yaml\nbenchmarks: {{livec: [{CONFIGS}/data/livec.yaml, {CONFIGS}/overlay/cpu.yaml]}}\n"
    (variant,) = Experiment.load(write(tmp_path, text)).variants()
    assert variant.words[2:6] == ("--data", "configs/data/livec.yaml", "-c", "configs/overlay/cpu.yaml")


def test_a_pattern_picks_by_a_part_of_the_name(tmp_path: Path) -> None:
    variants = Experiment.load(write(tmp_path, TEXT)).variants()
    assert sum(variant.matches("no_gate") for variant in variants) == 16
    assert sum(variant.matches("demo-*-1-7") for variant in variants) == 4
    assert not any(variant.matches("no_such") for variant in variants)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEXT + "splitz: [0]", r"there is no 'splitz'; did you mean 'splits'\?"),
        (TEXT + "zzz: 1", "there is no 'zzz'; expected some of extends, group, benchmarks"),
        (TEXT + "tests: {x: nowhere.yaml}", r"names 'nowhere\.yaml', and .*nowhere\.yaml does not exist; paths are relative"),
        (TEXT + "remarks: {smal: too short}", "remarks on 'smal', which is none of its methods: sdsiqa, small"),
        (TEXT + "remarks: too short", r"remarks is 'too short'; expected \{name: words\}"),
        ("splits: [0]", "names no benchmarks; add"),
        (f"benchmarks: {{x: {CONFIGS}/data/bid.yaml}}", r"benchmarks\.x is a data file; add base, such as configs/base\.yaml"),
        ("methods: {x: [3]}", "3 is neither a file nor settings"),
        ("splits: 3", r"splits is 3; expected \[0, 1\]"),
        ("ablations: {full: a.yaml}", r"ablations\.full is 'a\.yaml'; expected a list of files"),
        ("[1, 2]", "holds list; expected keys"),
        ("{", "is no YAML file"),
        ("extends: try.yaml", "extends try.yaml, which extends it"),
        ("extends: [a]", r"extends is \['a'\]; expected another experiment, such as"),
        ("benchmarks: &a {x: *a}", "is no YAML file: a part of it holds itself"),
        ("[" * 5000, "is no YAML file: it nests too deep"),
        (TEXT + "baseline: nope", "baseline is 'nope', which is none of its methods and ablations: sdsiqa, small, full, no_gate"),
        (TEXT + "remarks: {sdsiqa: [a]}", r"remarks\.sdsiqa is \['a'\]; expected words"),
        (TEXT + "group: a/../../b", r"group names 'a/\.\./\.\./b', and folders are called so; name is .* without slashes"),
        (TEXT + f"group: {'g' * 300}", "expected 200 bytes at most"),
        ('ablations: {"../x": []}', r"ablations names '\.\./x', and folders are called so"),
        ("methods: {a/b: null}", "methods names 'a/b', and folders are called so"),
        ("splits: []", r"splits is empty; name one or more, or leave splits out for \[0\]"),
        ("seeds: []", "seeds is empty; name one or more"),
        ("extends: other.yaml", "other.yaml does not exist; `experiments/README.md` lists"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ExperimentError, match=said):
        Experiment.load(write(tmp_path, text))


@pytest.mark.parametrize(
    ("file", "kind"), [("model/small.yaml", "a model file"), ("../experiments/paper/fig5_ablation.yaml", "an experiment")]
)
def test_a_file_that_names_no_benchmark_is_none(file: str, kind: str, tmp_path: Path) -> None:
    experiment = write(tmp_path, TEXT)
    with pytest.raises(
        ExperimentError, match=rf"yaml is {kind}; expected a data file, such as configs/data/livec\.yaml, or a run"
    ):
        Experiment.load(experiment, {"x": (CONFIGS / file,)})


def test_an_empty_name_of_a_benchmark_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["grid", str(write(tmp_path, TEXT)), "--dry-run", "--benchmark", ""])
    assert stop.value.code == 2
    assert "--benchmark: the path is empty" in capsys.readouterr().err
