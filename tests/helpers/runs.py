"""Short real runs through the command line, for tests that need one."""

from pathlib import Path
from typing import Any

import yaml
from fakes import write_fake

from sdsiqa.cli import main

CONFIGS = Path(__file__).parents[2] / "configs"
TINY = """
model:
  network:
    init_args:
      image_branch: {backbone: test_resnet, weights: null}
      saliency_branch: {backbone: test_resnet, weights: null}
      fusion: {proj_dim: 8, head_dim: 8}
"""
TINY_BODY = {"backbone": "test_resnet", "weights": None, "width": 16, "side": 2}
QUICK = [
    *("--data.crop", "64", "--data.patches_per_image", "2", "--data.grid", "[2, 2]"),
    *("--data.num_workers", "0", "--data.cache", "null", "--data.maps", "null"),
    *("--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false", "--trainer.accelerator", "cpu"),
    *("--run.figures", "false"),
]


def run_file(benchmark: str) -> list[str]:
    """Give the words of the run file of a benchmark, as `make train-BENCHMARK` does."""
    if benchmark == "demo":
        return ["-c", str(CONFIGS / "demo.yaml")]
    return ["-c", str(CONFIGS / "base.yaml"), "--data", str(CONFIGS / "data" / f"{benchmark}.yaml")]


def words(tmp: Path, benchmark: str = "livec", *more: str, epochs: int = 2) -> list[str]:
    """Give the words of a short `fit` on a fake benchmark below a folder, which is drawn if it is not there."""
    fake = tmp / "data" / benchmark
    if not fake.exists():
        write_fake(benchmark, fake)
    tiny = tmp / "tiny.yaml"
    tiny.write_text(TINY)
    return [
        *(*run_file(benchmark), "-c", str(tiny)),
        *("--data.benchmark.init_args.root", str(fake), "--run.root", str(tmp / "runs")),
        *("--trainer.max_epochs", str(epochs), *QUICK, *more),
    ]


def stand_in(tmp: Path, model: str, benchmark: str = "livec", *more: str, epochs: int = 1) -> list[str]:
    """Give the words of a short `fit` of a model file in place of a benchmark's own, with the smallest body.

    A first stage is trained before, on a fake Demo benchmark.
    """
    file = CONFIGS / "model" / f"{model}.yaml"
    network = yaml.safe_load(file.read_text())["network"]
    args = words(tmp, benchmark, "--model", str(file), epochs=epochs)
    if network["class_path"].endswith(".SDSIQA"):
        return [*args, "-c", str(tmp / "tiny.yaml"), *more]
    overlay = tmp / f"{model}.yaml"
    overlay.write_text(yaml.safe_dump({"model": {"network": {"init_args": _small(network)}}}))
    if file.with_name(f"{model}_first.yaml").exists():
        args += ["--model.init_from", str(first_stage(tmp, model))]
    return [*args, "-c", str(overlay), *more]


def first_stage(tmp: Path, model: str) -> Path:
    """Train the first stage of a method for an epoch on a fake Demo benchmark, unless it is there; give its folder."""
    folder, overlay = tmp / "first" / model, tmp / f"{model}_first.yaml"
    if not folder.exists():
        network = yaml.safe_load((CONFIGS / "model" / overlay.name).read_text())["network"]
        overlay.write_text(yaml.safe_dump({"model": {"network": {"init_args": _small(network)}}}))
        files = ["-c", str(CONFIGS / "overlay" / overlay.name), "-c", str(overlay)]
        short = ["--trainer.max_epochs", "1", "--data.batch_size", "4", "--data.patches_per_image", "1"]
        assert main(["fit", *words(tmp, "demo"), *files, *short, "--run.folder", str(folder)]) == 0
    return folder


def _small(network: dict[str, Any]) -> dict[str, Any]:
    """Give those of the arguments that make the smallest body which a network has."""
    return {name: value for name, value in TINY_BODY.items() if name in (network.get("init_args") or {})}


def fit(tmp: Path, *more: str, benchmark: str = "livec", epochs: int = 2) -> Path:
    """Run a short `fit` to its end; give its folder."""
    before = set((tmp / "runs").glob("*"))
    assert main(["fit", *words(tmp, benchmark, *more, epochs=epochs)]) == 0
    (folder,) = set((tmp / "runs").glob("*")) - before
    return folder
