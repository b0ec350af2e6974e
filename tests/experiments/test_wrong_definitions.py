"""An experiment that cannot be what its author meant is refused in one sentence."""

from pathlib import Path

import pytest

from runs import CONFIGS
from sdsiqa.errors import ExperimentError, LaunchError
from sdsiqa.experiments.definition import Experiment, benchmark_of_test
from sdsiqa.experiments.slurm import Job


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("splits: [0, 0]", "splits holds 0 twice; a run is made once"),
        ("seeds: [1, 2, 1]", "seeds holds 1 twice; a run is made once"),
        ("splits: [-1]", "splits holds -1; expected numbers from 0 on, or official"),
        ("splits: [0.5]", "splits holds 0.5; expected numbers from 0 on, or official"),
        ("splits: [all]", "splits holds 'all'; expected numbers from 0 on, or official"),
        ("seeds: [official]", "seeds holds 'official'; expected numbers from 0 on"),
        ("seeds: [true]", "seeds holds True; expected numbers from 0 on"),
        ("methods: {x: 5}", "5 is neither a file nor settings"),
        ("methods: {x: [[a.yaml]]}", r"\['a.yaml'\] is neither a file nor settings"),
        ("tests: {x: 5}", "names 5 where a file is expected"),
    ],
)
def test_it_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "experiment.yaml"
    (tmp_path / "demo.yaml").write_text("data: {}")
    file.write_text(f"benchmarks: {{demo: demo.yaml}}\n{text}\n")
    with pytest.raises(ExperimentError, match=said):
        Experiment.load(file)


@pytest.mark.parametrize(
    "text",
    ["", "- 1", "x: 1", "benchmark: sdsiqa.benchmarks.CSIQ", "benchmark: {class_path: sdsiqa.benchmarks.CSIQ}", "benchmark: [1]"],
)
def test_a_data_file_of_a_test_names_a_benchmark_in_full(tmp_path: Path, text: str) -> None:
    file = tmp_path / "data.yaml"
    file.write_text(text)
    with pytest.raises(
        ExperimentError, match=r"tests\.other: .*data\.yaml says no benchmark; expected .* with class_path and init_ar"
    ):
        benchmark_of_test("other", file)
    for each in sorted((CONFIGS / "data").glob("*.yaml")):
        assert benchmark_of_test("other", each)["class_path"].startswith("sdsiqa.benchmarks.")


def test_a_file_of_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_bytes("# Größe\ndata: {}".encode("latin-1"))
    file = tmp_path / "experiment.yaml"
    file.write_text("benchmarks: {demo: demo.yaml}\n")
    with pytest.raises(ExperimentError, match=r"demo\.yaml is no YAML file: 'utf-8' codec can't decode"):
        Experiment.load(file)


def test_a_job_cannot_be_asked_to_save_itself_after_its_end() -> None:
    with pytest.raises(LaunchError, match="--lead is -5; expected seconds before the time limit, 1 or more"):
        Job(name="job", log=Path("log"), lead=-5)
