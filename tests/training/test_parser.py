"""The parser of the verbs that train."""

from pathlib import Path

import pytest

from runs import words
from sdsiqa.cli import main
from sdsiqa.training.parser import StrictParser

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.filterwarnings("default")


class Inner:
    """A part that a configuration names by its class."""

    def __init__(self, share: float | int | None = None) -> None:
        self.share = share


class Outer:
    """Takes a number of batches, or a share of all."""

    def __init__(self, batches: float | int | None = None, part: Inner | None = None) -> None:
        self.batches, self.part = batches, part


@pytest.mark.parametrize(("written", "read"), [("1", int), ("1.0", float), ("12", int), ("0.5", float), ("null", type(None))])
def test_one_batch_is_not_all_batches(written: str, read: type) -> None:
    parser = StrictParser(exit_on_error=False)
    parser.add_class_arguments(Outer, "outer")
    words = [f"--outer.batches={written}", f"--outer.part={__name__}.Inner", f"--outer.part.share={written}"]
    outer = parser.instantiate_classes(parser.parse_args(words)).outer
    assert (type(outer.batches), type(outer.part.share)) == (read, read)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("trainer: {max_epochs: ten}", "trainer.max_epochs is 'ten'; expected a whole number or null"),
        ("trainer: {precision: 7}", "trainer.precision is '7'; expected one of 64, 32, 16, transformer-engine, "),
        (
            "trainer: {callbacks: 5}",
            "trainer.callbacks is '5'; expected a list or a Callback, as class_path and init_args or null",
        ),
        ("data: {saliency: 4}", "data.saliency is '4'; expected a SaliencyProvider, as class_path and init_args"),
        ("model: {network: abc}", "model.network is 'abc'; expected the path of a class, such as package.module.Class"),
        ("model: {loss: abc}", "model.loss is 'abc'; expected the path of a class, such as package.module.Class or null"),
        ("model.optimizer.init_args.lr: fast", "model.optimizer.init_args.lr is 'fast'; expected a number"),
        ("model.network.init_args.fusion: abc", "model.network.init_args.fusion is 'abc'; expected keys and values"),
        (
            "model.network.init_args.image_branch: 3",
            "model.network.init_args.image_branch is '3'; expected an ImageBranch, as class_path and init_args or null",
        ),
        (
            "model.network.init_args.fusion: {init_args: {gate: se}}",
            "model.network.init_args.fusion.gate: fusion has no init_args; write gate right below it",
        ),
    ],
)
def test_a_wrong_value_is_told_with_the_file_and_line_that_set_it(
    tmp_path: Path, content: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    (file := tmp_path / "over.yaml").write_text(f"# of mine\n{content}\n")
    with pytest.raises(SystemExit, match="2"):
        main(["fit", *words(tmp_path, "livec"), "-c", str(file)])
    error = capsys.readouterr().err
    assert error.startswith(f"sdsiqa fit: {file}, line 2: {said}")
    assert error.count("\n") == 1


def test_a_part_that_a_network_lacks_is_told_with_the_file_that_sets_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    (model := tmp_path / "hyperiqa.yaml").write_text(
        "network: {class_path: sdsiqa.models.HyperIQA, init_args: {weights: null}}\n"
    )
    (ablation := tmp_path / "image_only.yaml").write_text("model.network.init_args.saliency_branch: null\n")
    with pytest.raises(SystemExit, match="2"):
        main(["fit", *words(tmp_path, "livec", "--model", str(model)), "-c", str(ablation)])
    assert capsys.readouterr().err.startswith(
        f"sdsiqa fit: {ablation}, line 1: there is no 'model.network.init_args.saliency_branch'"
    )


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (["fit"], "fit: model.network, data.benchmark and data.saliency are"),
        (["test", "--data.saliency", "CentrePrior"], "test: model.network and data.benchmark are"),
    ],
)
def test_what_is_not_set_is_told_with_the_files_that_do(
    given: list[str], missing: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit, match="2"):
        main(given)
    files = "-c configs/base.yaml --data configs/data/livec.yaml"
    assert capsys.readouterr().err == f"sdsiqa {missing} not set; give files that do, such as {files}\n"
