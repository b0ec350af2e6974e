"""What a person sees of a training while it goes on."""

import re
from pathlib import Path

import pytest

from runs import words
from sdsiqa.cli import main
from sdsiqa.runs import progress

pytestmark = pytest.mark.filterwarnings("default")


def test_a_log_says_how_far_a_training_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setattr(progress, "SHORT", -1.0)  # as if every step took long
    monkeypatch.setattr(progress, "EVERY", -1.0)
    (tmp_path / "ridge.yaml").write_text(  # its solution is told through the same display
        "model: {ridge_start: {penalties: [1, 100]}, network: {init_args: {fusion: {linear_path: true}}}}\n"
    )
    shown = [
        "--trainer.enable_progress_bar",
        "true",
        "--trainer.enable_model_summary",
        "true",
        "-c",
        str(tmp_path / "ridge.yaml"),
    ]
    assert main(["fit", *words(tmp_path, "livec", *shown, epochs=2)]) == 0
    out, err = capsys.readouterr()
    steps = re.findall(r"^epoch (\d) of 2: (\d+) of (\d+) steps", err, re.MULTILINE)
    for epoch in "12":
        counted = [int(done) for number, done, _ in steps if number == epoch]
        assert counted == list(range(1, int(steps[0][2]) + 1))
        assert re.search(rf"^epoch {epoch} of 2: validation SRCC (-?[\d.]+|nan)  PLCC (-?[\d.]+|nan)$", out, re.MULTILINE)
    assert re.search(r"^epoch 1 of 2: 1 of \d+ steps, loss [\d.]+", err, re.MULTILINE)
    assert len(re.findall(r"^validation: done", err, re.MULTILINE)) == 3  # the start, and each epoch
    assert len(re.findall(r"^test: done", err, re.MULTILINE)) == 1
    assert re.search(r"^fusion +FusionHead", out, re.MULTILINE)
    assert re.search(r"^.*penalty", out, re.MULTILINE)
