"""`sdsiqa export`: a checkpoint in, an ONNX file out that scores alike, or no file."""

import argparse
import dataclasses
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sdsiqa.errors import CheckpointError, MissingExtraError, SdsiqaError, in_short
from sdsiqa.files import write_bytes
from sdsiqa.inference.checkpoint_paths import checkpoint_in
from sdsiqa.runs import signals
from sdsiqa.runs.arguments import Arguments, any_path, file_to_write
from sdsiqa.runs.output import printable

if TYPE_CHECKING:
    from sdsiqa.inference.recipe import Recipe
    from sdsiqa.inference.scorer import Scorer

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def main(args: list[str] | None = None) -> int:
    """Export a checkpoint, compare the file's scores with its own, and write it where they agree.

    Args:
        args: Words after `sdsiqa export`; `None`: use `sys.argv`.

    Returns:
        0.
    """
    options = _parser().parse_args(args)
    checkpoint = checkpoint_in(options.checkpoint)
    if checkpoint.suffix.lower() == ".onnx":
        raise CheckpointError(f"{checkpoint}: is an ONNX file already; name the checkpoint of a run")
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"{', '.join(missing)} is needed to export: pip install 'sdsiqa[onnx]'")
    from sdsiqa.inference.scorer import load  # torch: only when there is something to export

    scorer = load(checkpoint)
    content, size, difference = exported(scorer, str(checkpoint))
    signals.answer(signals.Answer.RAISE, "stopped; no file was written")  # so that no part of a file stays either
    write_bytes(options.onnx, content)
    shown, inputs = printable(str(options.onnx)), " and ".join(scorer.network.inputs)
    print(
        f"{shown}: {scorer.name} of {scorer.recipe.benchmark}, {inputs} of {size}, {len(content) / 1e6:.1f} MB; "
        f"its scores differ from the checkpoint's by {difference:.0e} at most, on the scale of 0 to 1"
    )
    return 0


def exported(scorer: "Scorer", name: str) -> tuple[bytes, str, float]:
    """Give a network as the content of an ONNX file that was compared with it.

    Args:
        scorer: With the network, on the CPU.
        name: What errors call the checkpoint.

    Returns:
        Content, size of the pictures in words, and the largest difference of two scores.

    Raises:
        CheckpointError: PyTorch cannot export the network, or the file scores otherwise.
    """
    reasons = []
    # crops have one size, so that a file of that size alone scores all that the checkpoint does
    for side in (None,) if scorer.is_whole else (None, scorer.recipe.crop):
        try:
            return _tried(scorer, side, name)
        except Exception as error:  # PyTorch's exporter raises of any kind
            size = "any size" if side is None else f"{side}×{side} pixels"
            reasons.append(f"not for pictures of {size} ({_reason(error)})")
    raise CheckpointError(f"{name}: {scorer.name} cannot be exported: {', and '.join(reasons)}; score with the checkpoint itself")


def _tried(scorer: "Scorer", side: int | None, name: str) -> tuple[bytes, str, float]:
    from sdsiqa.inference.onnx_check import largest_difference
    from sdsiqa.inference.onnx_file import OnnxNetwork
    from sdsiqa.inference.onnx_graph import to_onnx
    from sdsiqa.inference.scorer import Scorer

    size = "any size" if side is None else f"{side}×{side} pixels"
    recipe = dataclasses.replace(scorer.recipe.portable(), view="whole" if scorer.is_whole else "grid")
    model = to_onnx(scorer.network, side)
    model.producer_name, model.producer_version = "sdsiqa", _version()
    del model.metadata_props[:]
    for key, value in facts(scorer, recipe, size).items():
        model.metadata_props.add(key=key, value=value)
    content: bytes = model.SerializeToString()
    file = Scorer(OnnxNetwork(content, name), scorer.saliency, recipe)
    return content, size, largest_difference(scorer, file, any_size=side is None)


def facts(scorer: "Scorer", recipe: "Recipe", size: str) -> dict[str, str]:
    """Say what a reader of the file needs to know; `sdsiqa` alone is what scoring with it needs.

    Args:
        scorer: What is exported.
        recipe: What the file carries of it.
        size: Of its pictures, in words.
    """
    from sdsiqa.inference.onnx_file import FORMAT

    worst, best = recipe.mos_range if recipe.higher_is_better else recipe.mos_range[::-1]
    view = (
        "whole pictures" if scorer.is_whole else f"the mean over {recipe.grid[0]}×{recipe.grid[1]} crops of {recipe.crop} pixels"
    )
    return {
        "name": f"{scorer.name} of {recipe.benchmark}",
        "version": _version(),
        "format": FORMAT,
        "size": size,
        "input_range": "0 to 1; image: RGB (pictures, 3, height, width)"
        + ("; saliency: (pictures, 1, height, width)" if "saliency" in scorer.network.inputs else "")
        + "; float32, normalised inside",
        "score_range": f"0 (worst) to 1 (best): {worst:g} to {best:g} on the scale of {recipe.benchmark}; not clipped",
        "view": view if recipe.short_side is None else f"{view}, after the short side is brought to {recipe.short_side} pixels",
        "saliency": json.dumps(recipe.saliency, default=str) if "saliency" in scorer.network.inputs else "none",
        "sdsiqa": recipe.to_json(),
    }


def _version() -> str:
    import sdsiqa

    return sdsiqa.__version__


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, SdsiqaError) else f"{type(error).__name__}: {in_short(error)}"


def _parser() -> Arguments:
    parser = Arguments(
        prog="sdsiqa export",
        description="Write a checkpoint as an ONNX file, which `sdsiqa score --checkpoint` and any ONNX runtime take.\n"
        "Its scores are compared with the checkpoint's on pictures of several sizes; where they differ, no file is written.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "checkpoint", type=any_path, metavar="CHECKPOINT", help="file that `sdsiqa fit` wrote, or folder of a run"
    )
    parser.add_argument(
        "--onnx", type=onnx_file, required=True, metavar="FILE", help="where the file goes; its name ends in .onnx"
    )
    return parser


def onnx_file(word: str) -> Path:
    """Read the path of an ONNX file that is there, or can be made.

    Args:
        word: The path.

    Raises:
        ArgumentTypeError: As `file_to_write`, or its name has another end.
    """
    path = file_to_write(word)
    if path.suffix != ".onnx":
        raise argparse.ArgumentTypeError(f"{word} does not end in .onnx, by which `sdsiqa score` knows such files; add it")
    return path
