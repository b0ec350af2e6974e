"""What every method that SDS-IQA is compared with promises; a new one is found by itself."""

import importlib
import inspect
import io
import re
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
import yaml
from baseline_fakes import METHODS, build, given
from fakes import write_fake
from torch import nn

import sdsiqa
from runs import CONFIGS
from sdsiqa.benchmarks import CSIQ
from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.inference.recipe import Recipe
from sdsiqa.inference.scorer import Scorer
from sdsiqa.losses import L1
from sdsiqa.metrics.agreement import srcc
from sdsiqa.models.aigqa import Restoration
from sdsiqa.models.base import Method
from sdsiqa.models.biecon import BIECONLocal
from sdsiqa.models.diqa import DIQAErrorMap
from sdsiqa.models.objective import Objective
from sdsiqa.report.reproduced import MADE
from sdsiqa.report.result import RECONSTRUCTIONS
from sdsiqa.saliency import Uniform
from sdsiqa.training.task import QualityTask

MODELS = {
    file: yaml.safe_load(file.read_text())
    for file in sorted((CONFIGS / "model").glob("*.yaml"))
    if not re.search(r"sdsiqa\.models\.(SDSIQA|Probe)$", file.read_text(), re.MULTILINE) and not file.stem.endswith("_first")
}

FIRST = {file.stem.removesuffix("_first"): yaml.safe_load(file.read_text()) for file in (CONFIGS / "model").glob("*_first.yaml")}
"""Model files of first stages, by the name of the method."""

SIDE = 32
"""Of pictures to learn by heart: the smallest that every method takes, for what is shown does not depend on their size."""

RATES = {"DIQA": 3e-4}
"""Of learning by heart, where the others' is too high: plain convolutions from scratch, without normalisation."""


def imported(path: str) -> Any:
    """Give what a class path names."""
    module, name = path.rsplit(".", 1)
    return getattr(importlib.import_module(module), name)


def files_of(kind: type[Method]) -> list[Path]:
    """Give the model files of a method."""
    return [file for file, settings in MODELS.items() if imported(settings["network"]["class_path"]) is kind]


def learns(network: nn.Module) -> bool:
    """Say whether steps change anything; what is a formula, or solved in closed form, has no weight for them."""
    return any(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("kind", METHODS)
class TestEveryMethod:
    def test_odd_sizes_give_one_float_per_image(self, kind: type[Method]) -> None:
        network = build(kind).eval()
        for pictures in (given(network), given(network, 2, 64, 75)):
            score = network(*pictures)
            assert score.shape == (2,)
            assert score.dtype == torch.float32
            assert torch.isfinite(score).all()

    def test_half_precision_gives_full_scores(self, kind: type[Method]) -> None:
        network = build(kind).eval()
        expected = network(*given(network))
        with torch.autocast("cpu", torch.bfloat16):
            score = network(*given(network))
        assert score.dtype == torch.float32
        torch.testing.assert_close(score, expected, rtol=0, atol=0.05)

    def test_a_score_does_not_depend_on_its_batch(self, kind: type[Method]) -> None:
        network = build(kind).eval()
        pictures = given(network, 3)
        alone = torch.cat([network(*(picture[i : i + 1] for picture in pictures)) for i in range(3)])
        torch.testing.assert_close(network(*pictures), alone, rtol=1e-4, atol=1e-5)

    def test_another_image_gives_another_score(self, kind: type[Method]) -> None:
        network = build(kind).eval()
        for place in range(len(network.inputs)):  # another map and another reference do, too
            pictures = given(network)
            before = network(*pictures)
            pictures[place] = pictures[place].flip(0)
            assert (network(*pictures) - before).abs().min() > 1e-7

    def test_gradients_reach_all_that_learns(self, kind: type[Method]) -> None:
        network = build(kind).train()
        if not learns(network):
            pytest.skip("nothing learns by gradients")
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.ones_(module.weight)  # timm ends residual blocks with zeros, behind which nothing learns at first
        network(*given(network)).square().sum().backward()
        silent = [n for n, p in network.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.abs().sum() > 0)]
        assert not silent
        assert all(p.grad is None for p in network.parameters() if not p.requires_grad)

    # a network may start with scores that differ by rounding alone, which have no correlation yet
    @pytest.mark.filterwarnings("ignore::sdsiqa.metrics.agreement.AgreementWarning")
    def test_twelve_images_are_learnt_by_heart_and_kept(self, kind: type[Method]) -> None:
        network = build(kind).train()
        if not learns(network):
            pytest.skip("nothing learns by gradients")
        pictures = given(network, 12, SIDE, SIDE)
        quality = torch.rand(12, generator=torch.Generator().manual_seed(3))
        objective, crops = objective_of(kind), {"quality": quality, **dict(zip(network.inputs, pictures, strict=True))}
        crops.setdefault("saliency", torch.rand(12, 1, SIDE, SIDE))
        network.start_at(float(quality.mean()))
        optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], RATES.get(kind.__name__, 2e-3))
        for _ in range(200):
            optimizer.zero_grad()
            (L1()(network(*pictures), quality) if objective is None else objective(network, crops)).backward()
            optimizer.step()
            found = network(*pictures).detach()
            if srcc(found.numpy(), quality.numpy()) > 0.97:
                break
        assert srcc(found.numpy(), quality.numpy()) > 0.95
        network.eval()
        file = io.BytesIO()
        torch.save(network.state_dict(), file)
        file.seek(0)
        other = build(kind, seed=9).eval()
        assert not torch.allclose(other(*pictures), network(*pictures))
        other.load_state_dict(torch.load(file, weights_only=True))  # noqa: TID251
        torch.testing.assert_close(other(*pictures), network(*pictures), rtol=0, atol=0)

    def test_a_model_file_builds_it(self, kind: type[Method]) -> None:
        (file,) = files_of(kind)
        network = MODELS[file]["network"]
        arguments = {**(network.get("init_args") or {})}
        assert set(arguments) <= set(inspect.signature(kind).parameters)
        with torch.device("meta"):
            built = kind(**arguments)
        assert ("weights" in arguments) == ("weights" in inspect.signature(kind).parameters)
        header = " ".join(line.lstrip("# ") for line in file.read_text().split("class_path:")[0].splitlines())
        assert header.startswith(kind.title.removesuffix(" (reconstruction)"))
        assert ("reconstruction" in header) == (kind.status == "family reconstruction")
        stage = FIRST.get(file.stem)
        assert (stage is not None) == bool(kind.stage_one)
        if stage is not None:
            settings = stage["network"]
            with torch.device("meta"):
                first = imported(settings["class_path"])(**(settings.get("init_args") or {}))
            for name in kind.stage_one:  # its weights have a place to go to
                own, learnt = (getattr(part, name).state_dict() for part in (built, first))
                assert {key: value.shape for key, value in own.items()} == {key: value.shape for key, value in learnt.items()}

    def test_the_docstring_says_what_it_is(self, kind: type[Method]) -> None:
        text = " ".join((kind.__doc__ or "").split())
        assert "reconstruction" in text if kind.status == "family reconstruction" else "paper" in text
        assert "Differs from the paper:" in text
        section = (kind.__doc__ or "").split("Differs from the paper:")[1].split("Args:")[0]
        assert len(re.findall(r"^\s*- ", section, re.MULTILINE)) == len(kind.differs)
        assert all(sentence.endswith(".") for sentence in kind.differs)
        if kind.differs:
            assert "Official code:" in text
            assert "```text" in text
        assert re.search(r"\b(19|20)\d\d\b|formula", kind.paper)
        for name in inspect.signature(kind).parameters:
            assert f"{name}: " in text.split("Args:")[1]

    def test_its_name_claims_no_more_than_it_is(self, kind: type[Method]) -> None:
        assert kind.title.endswith("(reconstruction)") == (kind.status == "family reconstruction")


def objective_of(kind: type[Method]) -> Objective | None:
    """Build what a method's model file minimises, if that is more than a comparison of scores."""
    settings = MODELS[files_of(kind)[0]].get("objective")
    if settings is None:
        return None
    arguments = {name: value for name, value in (settings.get("init_args") or {}).items() if name != "loss"}
    objective: Objective = imported(settings["class_path"])(**arguments)
    return objective


def test_no_method_is_missing() -> None:
    titles = {kind.title: kind for kind in METHODS}
    assert len(titles) == len(METHODS)
    made = {own.title: own.name for name, own in MADE.items() if name != "sdsiqa"}  # what reports know of them, without torch
    assert made.items() <= {title: files_of(kind)[0].stem for title, kind in titles.items()}.items()


def test_tables_call_reconstructions_so() -> None:
    assert {kind.__name__ for kind in METHODS if kind.status == "family reconstruction"} | {"SDSIQA"} == RECONSTRUCTIONS


def test_files_stay_short() -> None:
    folder = Path(sdsiqa.__file__).parent
    assert {file.name for file in folder.rglob("*.py") if len(file.read_text().splitlines()) > 400} == set()


WHOLE = {"BIECON", "BLIINDS2", "CNNIQA", "DBCNN", "DIQA", "PSNR", "SGDNet", "SSIM", "TwoStreamIQA"}
"""Methods that are defined on the whole image."""


def test_the_view_belongs_to_the_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark's file says nothing of it, and no setting cuts an image for a method of whole ones."""
    assert {kind.__name__ for kind in METHODS if kind.whole} == WHOLE
    files = sorted((CONFIGS / "data").glob("*.yaml"))
    assert files
    assert [file.name for file in files if "view" in yaml.safe_load(file.read_text())] == []
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    benchmark = CSIQ(write_fake("csiq", tmp_path / "csiq"))
    pixels = benchmark.load(benchmark.table()["image"].iloc[0])
    trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    for network in [*map(build, METHODS), BIECONLocal(), DIQAErrorMap(), Restoration(width=4)]:
        trainer.strategy.connect(QualityTask(network))
        for view in ("grid", "whole", None):
            data = QualityDataModule(benchmark, Uniform(), crop=32, view=view, grid=(2, 3), num_workers=0)  # type: ignore[arg-type]
            data.trainer = trainer
            data.setup("test")
            expected = 1 if network.whole or view == "whole" else 6
            for loader in (data.val_dataloader(), data.test_dataloader()):
                assert next(iter(loader))["image"].shape[:2] == (1, expected), (type(network).__name__, view)
            if "reference" not in network.inputs:
                recipe = Recipe({}, {}, view, (2, 3), 32, None, "CSIQ", (0.0, 1.0), False)  # type: ignore[arg-type]
                assert len(Scorer(network, Uniform(), recipe).inputs(pixels, pixels[..., 0])[0]) == expected


@pytest.mark.parametrize("kind", [kind for kind in METHODS if kind.whole])
def test_differs_says_what_whole_images_are_cut_for(kind: type[Method]) -> None:
    if learns(build(kind)):
        assert any("crops" in line and "training" in line.lower() for line in kind.differs)
