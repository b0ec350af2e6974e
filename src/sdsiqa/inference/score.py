"""`sdsiqa score`: image files in, scores out."""

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from sdsiqa.errors import CheckpointError, ImageError
from sdsiqa.images import SUFFIXES
from sdsiqa.runs.arguments import Arguments, any_path, folder
from sdsiqa.runs.process import keep_freed_memory
from sdsiqa.runs.progress import track

SCALES = ("mos", "0-100", "0-1")


def main(args: list[str] | None = None) -> int:
    """Score image files; broken ones are listed at the end, the rest is still scored.

    Args:
        args: Words after `sdsiqa score`; `None`: use `sys.argv`.

    Returns:
        0 if all files were scored, 1 if some were not.
    """
    options = _parser().parse_args(args)
    files = list(find_images(options.images, options.map))
    if not files:
        raise ImageError(f"no images in {' '.join(options.images)}; looked for {' '.join(sorted(SUFFIXES))}")
    checkpoint = options.checkpoint or newest_checkpoint(options.runs)
    keep_freed_memory()
    from sdsiqa.inference.scorer import load  # torch: only when there is something to score

    scorer = load(checkpoint, options.device)
    names = {"mos": f"the scale of {scorer.recipe.benchmark}", "0-100": "0 to 100", "0-1": "0 to 1"}
    scale = f"{names[options.scale]}, higher is {_direction(scorer, options.scale)}"
    print(f"{checkpoint}: scores on {scale}", file=sys.stderr)
    rows, broken, base = [], [], _base(options.images, files)
    for file in track(files, "scoring"):
        try:
            score = _scaled(scorer, scorer.score(file), options.scale)
            row: dict[str, Any] = {"image": str(file), "score": score, "scale": options.scale}
            if options.map is not None:
                target = options.map / _placed(file).relative_to(base)
                row["map"] = str(_write_map(scorer, file, score, scale, target.with_name(f"{target.name}.png")))
            rows.append(row)
        except ImageError as error:
            broken.append(str(error))
    _write(rows, options, sys.stdout)
    if broken:
        print(f"{len(broken)} of {len(files)} files could not be scored:", file=sys.stderr)
        print("\n".join(f"  {line}" for line in broken), file=sys.stderr)
    return 1 if broken else 0


def find_images(arguments: Sequence[str], but: Path | None = None) -> Iterator[Path]:
    """Expand folders and patterns into files; other names are kept, so that a wrong one is reported.

    Args:
        arguments: Files, folders (searched recursively) and patterns such as `photos/*.jpg`.
        but: Folder that a search leaves out, where maps are drawn: those of an earlier call are not photographs.
    """
    left_out = None if but is None else but.resolve()
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
            yield from (file for file in found if left_out is None or not file.resolve().is_relative_to(left_out))
        elif any(sign in argument for sign in "*?[") and not path.exists():
            anchor = Path(path.anchor or ".")
            yield from sorted(anchor.glob(str(path.relative_to(path.anchor)))) or [path]
        else:
            yield path


def newest_checkpoint(runs: Path) -> Path:
    """Find the checkpoint that was chosen last among the runs of a folder.

    Args:
        runs: Folder of runs.

    Raises:
        CheckpointError: There is none.
    """
    found = sorted(runs.glob("*/checkpoints/best.ckpt"), key=lambda file: file.stat().st_mtime)
    if not found:
        raise CheckpointError(f"no checkpoint in {runs}/*/checkpoints; name one with --checkpoint, or train one with `make demo`")
    return found[-1]


def _parser() -> Arguments:
    parser = Arguments(prog="sdsiqa score", description="Score image files with a checkpoint.")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="file, folder (searched recursively) or pattern")
    parser.add_argument(
        "--checkpoint",
        type=any_path,
        metavar="FILE",
        help="file that `sdsiqa fit` wrote; default: the newest best.ckpt in --runs",
    )
    parser.add_runs()
    parser.add_argument(
        "--scale",
        choices=SCALES,
        default="0-100",
        help="0-100 (default), 0-1, or the benchmark's own scale; not clipped",
    )
    parser.add_argument(
        "--format", choices=("text", "csv", "json"), default="text", help="lines (default), CSV with a header, or one JSON array"
    )
    parser.add_argument(
        "--map",
        type=folder,
        metavar="FOLDER",
        help="draw saliency and attention of each image, in the folder structure of the images",
    )
    parser.add_argument("--device", default="cpu", help="where to compute, such as cuda (default: cpu)")
    return parser


def _scaled(scorer: Any, quality: float, scale: str) -> float:
    if scale == "mos":
        return float(scorer.to_mos(quality))
    return 100 * quality if scale == "0-100" else quality


def _direction(scorer: Any, scale: str) -> str:
    return "better" if scale != "mos" or scorer.recipe.higher_is_better else "worse"


def _write(rows: Sequence[dict[str, Any]], options: argparse.Namespace, out: TextIO) -> None:
    if options.format == "json":
        json.dump(rows, out, indent=2, ensure_ascii=False)
        out.write("\n")
    elif options.format == "csv":
        fields = ["image", "score", "scale"] + (["map"] if options.map is not None else [])
        writer = csv.DictWriter(out, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        out.writelines(f"{row['score']:8.3f}  {row['image']}\n" for row in rows)


def _placed(file: Path) -> Path:
    """The file's absolute path; a link is the file that it is named as."""
    return file.parent.resolve() / file.name


def _base(arguments: Sequence[str], files: Sequence[Path]) -> Path:
    """The deepest folder that holds every folder that was named and every image: what maps are mirrored below."""
    holders = [path.resolve() for path in map(Path, arguments) if path.is_dir()]
    holders += {_placed(file).parent for file in files}
    return next(folder for folder in (holders[0], *holders[0].parents) if all(each.is_relative_to(folder) for each in holders))


def _write_map(scorer: Any, file: Path, score: float, scale: str, target: Path) -> Path:
    """Draw image, saliency and attention, with the score as it is printed."""
    from sdsiqa import plots

    image, saliency = scorer.look(file)
    figure = plots.panel(
        image, saliency / 255.0, scorer.guides(image, saliency), score=score, mos=None, title=file.name, scale=scale
    )
    plots.save(figure, target)
    return target
