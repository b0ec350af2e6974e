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

    A first stage learns from a fake Demo benchmark.
    """
    file = CONFIGS / "model" / f"{model}.yaml"
    arguments = yaml.safe_load(file.read_text())
    args = words(tmp, benchmark, "--model", str(file), epochs=epochs)
    if arguments["network"]["class_path"].endswith(".SDSIQA"):
        return [*args, "-c", str(tmp / "tiny.yaml"), *more]
    change: dict[str, Any] = {"network": {"init_args": _small(arguments["network"])}}
    if arguments.get("pretraining"):
        stage = arguments["pretraining"]["init_args"]
        if not (tmp / "data" / "demo").exists():
            write_fake("demo", tmp / "data" / "demo")
        data = yaml.safe_load((CONFIGS / "data" / "demo.yaml").read_text())
        data |= {"num_workers": 0, "cache": None, "crop": 64, "batch_size": 4}
        data["benchmark"]["init_args"]["root"] = str(tmp / "data" / "demo")
        (tmp / "demo.yaml").write_text(yaml.safe_dump(data))
        settings = {"network": {"init_args": _small(stage["network"])}, "epochs": 1, "batch_size": 4, "crop": None}
        change["pretraining"] = {"init_args": {**settings, "data": str(tmp / "demo.yaml")}}
    overlay = tmp / f"{model}.yaml"
    overlay.write_text(yaml.safe_dump({"model": change}))
    return [*args, "-c", str(overlay), *more]


def _small(network: dict[str, Any]) -> dict[str, Any]:
    """Give those of the arguments that make the smallest body which a network has."""
    return {name: value for name, value in TINY_BODY.items() if name in (network.get("init_args") or {})}


def fit(tmp: Path, *more: str, benchmark: str = "livec", epochs: int = 2) -> Path:
    """Run a short `fit` to its end; give its folder."""
    before = set((tmp / "runs").glob("*"))
    assert main(["fit", *words(tmp, benchmark, *more, epochs=epochs)]) == 0
    (folder,) = set((tmp / "runs").glob("*")) - before
    return folder
