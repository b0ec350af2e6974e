"""An ONNX file beside the checkpoint that it was made of: `sdsiqa score` of a folder, and the network alone.

`python -m bench.onnx_file` prints the ratios, in two minutes on two idle cores, and writes nothing.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from rich.console import Console

from bench.__main__ import table
from bench.compute import two_branches
from bench.measure import Row, compare, in_turns, timed
from bench.pictures import Photographs, drawn, gather
from bench.programs import program
from sdsiqa.inference.export import exported
from sdsiqa.inference.recipe import Recipe
from sdsiqa.inference.scorer import load

SIDE = 500
"""Of the picture that the network alone is timed on, in pixels."""


def pair(folder: Path, backbone: str) -> tuple[Path, Path]:
    """Write a checkpoint of SDS-IQA with random weights, and its ONNX file.

    Args:
        folder: Where they go.
        backbone: Of both branches.
    """
    torch.manual_seed(0)
    branch = {"backbone": backbone, "weights": None}
    parts = {"image_branch": branch, "saliency_branch": branch, "fusion": {}}
    network = {"class_path": "sdsiqa.models.SDSIQA", "init_args": parts}
    saliency = {"class_path": "sdsiqa.saliency.SDSP", "init_args": {}}
    recipe = Recipe(network, saliency, "whole", (5, 5), 224, None, "Photographs", (0.0, 1.0), True)
    state = {f"network.{name}": value for name, value in two_branches(backbone).state_dict().items()}
    checkpoint, file = folder / "model.ckpt", folder / "model.onnx"
    torch.save({"state_dict": state, "sdsiqa": recipe.to_json()}, checkpoint)
    content, _, _ = exported(load(checkpoint), str(checkpoint))
    file.write_bytes(content)
    return checkpoint, file


def scoring_by_onnx(backbone: str, folder: Path, photographs: Photographs, files: int, turns: int) -> list[Row]:
    """Compare `sdsiqa score` by an ONNX file with the same by its checkpoint.

    Args:
        backbone: Of both branches.
        folder: Where all of it goes.
        photographs: Pictures that the folder is filled from.
        files: How many are scored.
        turns: Repetitions of a whole program; the network alone is timed five times as often.
    """
    folder.mkdir()
    checkpoint, file = pair(folder, backbone)
    pictures = gather(folder / "scored", files, photographs.root).root

    def score(model: Path) -> float:
        return program(["-m", "sdsiqa", "score", str(pictures), "--checkpoint", str(model)]).seconds

    by_file, by_checkpoint = load(file), load(checkpoint)
    planes = by_checkpoint.look(drawn(SIDE, 0))
    alone = in_turns(timed(lambda: by_file.score_planes(*planes)), timed(lambda: by_checkpoint.score_planes(*planes)), 5 * turns)
    whole = in_turns(lambda: score(file), lambda: score(checkpoint), turns)
    how = f"{backbone}, whole pictures, on the CPU. Ours: the file that `sdsiqa export` made. Bare: its checkpoint. "
    return [
        compare(
            "ONNX file, the network alone", "s", *alone, None, True, f"{how}One picture of {SIDE}×{SIDE} pixels, with its map."
        ),
        compare(
            "ONNX file, scoring a folder", "s", *whole, 1.2, True, f"{how}`sdsiqa score` of {files} JPEG files, imports included."
        ),
    ]


def main(words: list[str] | None = None) -> None:
    """Measure and print.

    Args:
        words: Command line; `None`: use `sys.argv`.
    """
    parser = argparse.ArgumentParser(prog="python -m bench.onnx_file", description=__doc__)
    parser.add_argument("--backbone", default="mobilenetv2_100", help="of both branches; weights are random")
    parser.add_argument("--files", type=int, default=24, help="how many pictures are scored")
    parser.add_argument("--size", type=int, default=SIDE, help="their side in pixels")
    parser.add_argument("--turns", type=int, default=2, help="how often whole programs are measured")
    settings = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photographs = gather(folder / "images", settings.files, None, settings.size)
        rows = scoring_by_onnx(settings.backbone, folder / "onnx", photographs, settings.files, settings.turns)
    Console(width=150).print(table(rows))


if __name__ == "__main__":
    main()
