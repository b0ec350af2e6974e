"""`sdsiqa score`: image files in, scores out."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdsiqa.errors import ImageError, MapNotFoundError, SdsiqaError, SettingError
from sdsiqa.inference.checkpoint_paths import SHIPPED, checkpoint_in, newest_checkpoint, shipped_model
from sdsiqa.inference.rows import Rows
from sdsiqa.runs import signals
from sdsiqa.runs.arguments import Arguments, any_path, file_to_write, folder, folder_to_write
from sdsiqa.runs.image_search import SUFFIXES, find_images, is_drawn, is_looked_for
from sdsiqa.runs.output import printable
from sdsiqa.runs.process import keep_freed_memory
from sdsiqa.runs.progress import track

Pixels = NDArray[np.uint8]

SCALES = ("mos", "0-100", "0-1")


def main(args: list[str] | None = None) -> int:
    """Score image files, each row written when it is computed; broken files are listed at the end, the rest is still scored.

    Args:
        args: Words after `sdsiqa score`; `None`: use `sys.argv`.

    Returns:
        0 if all files were scored, 1 if some were not, or lack their map.
    """
    options = _parser().parse_args(args)
    broken: list[str] = []
    files = list(named_images(options.images, broken))
    if not files:
        looked_for = f"no images in {' '.join(options.images)}; looked for {' '.join(sorted(SUFFIXES))}"
        raise ImageError(printable("; ".join([*broken, looked_for])))
    maps = _places_of_maps(files, options)
    checkpoint = _chosen(options)
    keep_freed_memory()
    from sdsiqa.inference.scorer import load  # torch: only when there is something to score

    scorer = load(checkpoint, options.device)
    names = {"mos": f"the scale of {scorer.recipe.benchmark}", "0-100": "0 to 100", "0-1": "0 to 1"}
    scale = f"{names[options.scale]}, higher is {_direction(scorer, options.scale)}"
    last = "; there is no best.ckpt, so these are the weights of the last step" if checkpoint.name == "last.ckpt" else ""
    last += "; the model that ships with sdsiqa, since none is named" if checkpoint.parent == SHIPPED else ""
    print(f"{printable(str(checkpoint))}: scores on {scale}{last}", file=sys.stderr)
    without_map: list[str] = []
    fields = ["image", "score", "scale"] + (["map"] if options.map is not None else [])
    # in a terminal the rows themselves show the progress
    shown = track(files, "scoring", is_shown=not sys.stdout.isatty())
    looks = scorer.looks(files, with_maps=options.map is not None)
    with Rows(options.format, fields, sys.stdout) as rows, closing(looks):
        for file, look in zip(shown, looks, strict=True):
            signals.answer(signals.Answer.RAISE, f"stopped; {rows.count} of {len(files)} files are scored")
            try:
                image, saliency = look()
                score = _scaled(scorer, scorer.score_planes(image, saliency, str(file)), options.scale)
            except Exception as error:  # one file must not cost the scores of the others
                broken.append(_reason(file, error))
                continue
            row: dict[str, Any] = {"image": str(file), "score": score, "scale": options.scale}
            if file in maps and saliency is not None:
                try:
                    title, target = printable(file.name), maps[file]
                    row["map"] = str(_write_map(scorer, image, saliency, score=score, title=title, scale=scale, target=target))
                except Exception as error:
                    without_map.append(_reason(maps[file], error))
            rows.write(row)
    _list(f"{len(broken)} of {rows.count + len(broken)} files could not be scored", broken)
    _list(f"{len(without_map)} maps could not be drawn", without_map)
    return 1 if broken or without_map else 0


def named_images(arguments: Sequence[str], problems: list[str] | None = None) -> Iterator[Path]:
    """Expand folders and patterns into files, each once; other names are kept, so that a wrong one is reported.

    Args:
        arguments: Files, folders (searched as `find_images` does) and patterns such as `photos/*.jpg`.
        problems: Takes a sentence for each folder that cannot be read.

    Yields:
        Files.
    """
    seen: set[Path] = set()
    for argument in arguments:
        for file in _expanded(argument, problems):
            place = _placed(file)
            if place not in seen:
                seen.add(place)
                yield file


def _expanded(argument: str, problems: list[str] | None) -> Iterator[Path]:
    path = Path(argument)
    if _is_folder(path):
        yield from find_images(path, problems=problems)
    elif _is_there(path) or not any(sign in argument for sign in "*?["):
        yield path
    else:
        found = _matches(path)
        for place in sorted(found, key=_is_folder):  # a link back must not rename what is found directly
            if _is_folder(place):
                yield from find_images(place, problems=problems)
            elif is_looked_for(place):
                yield place
        if not found:
            yield path


def _matches(pattern: Path) -> list[Path]:
    """Expand a pattern as a shell does: names that begin with a dot only where the pattern says so.

    Raises:
        SettingError: It is none.
    """
    parts = pattern.relative_to(pattern.anchor).parts
    literal = next(place for place, part in enumerate(parts) if any(sign in part for sign in "*?["))
    start = Path(pattern.anchor, *parts[:literal])
    try:
        found = sorted(start.glob("/".join(parts[literal:])))
    except (ValueError, NotImplementedError, OSError) as error:
        raise SettingError(f"{printable(str(pattern))!r} is no pattern ({error}); expected one such as 'photos/*.jpg'") from error
    shows_hidden = any(part.startswith(".") for part in parts[literal:])
    return [place for place in found if shows_hidden or not any(part.startswith(".") for part in place.relative_to(start).parts)]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that is too long, say: reading says so
        return False


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _chosen(options: argparse.Namespace) -> Path:
    if options.checkpoint:
        return checkpoint_in(options.checkpoint)
    return newest_checkpoint(options.runs) if options.runs else shipped_model()


def _parser() -> Arguments:
    parser = Arguments(prog="sdsiqa score", description="Score image files with a checkpoint.")
    parser.add_argument(
        "images", nargs="+", type=_written, metavar="IMAGE", help="file, folder (searched recursively) or pattern"
    )
    parser.add_argument(
        "--checkpoint",
        type=any_path,
        metavar="FILE",
        help="file that `sdsiqa fit` or `sdsiqa export` wrote, or folder of a run; default: the model that ships with sdsiqa",
    )
    parser.add_argument(
        "--runs",
        type=folder,
        metavar="FOLDER",
        help="folder of runs: the newest best.ckpt in it, else the newest last.ckpt, where no --checkpoint is named",
    )
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
        type=folder_to_write,
        metavar="FOLDER",
        help="draw saliency and attention of each image, in the folder structure of the images",
    )
    parser.add_argument("--device", default="cpu", help="where to compute, such as cuda (default: cpu)")
    return parser


def _written(word: str) -> str:
    return str(any_path(word))


def _scaled(scorer: Any, quality: float, scale: str) -> float:
    if scale == "mos":
        return float(scorer.to_mos(quality))
    return 100 * quality if scale == "0-100" else quality


def _direction(scorer: Any, scale: str) -> str:
    return "better" if scale != "mos" or scorer.recipe.higher_is_better else "worse"


def _placed(file: Path) -> Path:
    """The file's absolute path; a link is the file that it is named as."""
    try:
        return file.parent.resolve() / file.name
    except (OSError, RuntimeError, ValueError):  # a circle of links, or no name; reading says so
        return file.absolute()


def _places_of_maps(files: Sequence[Path], options: argparse.Namespace) -> dict[Path, Path]:
    """Say where the map of each image goes: mirrored folders, checked before anything is scored.

    Raises:
        SettingError: Something else stands there.
    """
    if options.map is None:
        return {}
    base = _base(options.images, files)
    places = {}
    for file in files:
        mirrored = options.map / _placed(file).relative_to(base)
        place = mirrored.with_name(f"{mirrored.name}.png")
        try:
            file_to_write(str(place))
        except argparse.ArgumentTypeError as error:
            raise SettingError(f"--map: {printable(str(error))}; give another folder") from error
        except OSError:  # a name that is too long: reading the image says so
            continue
        if _is_there(place) and not is_drawn(place):
            raise SettingError(f"--map: {printable(str(place))} is there and no map of sdsiqa's; give another folder")
        places[file] = place
    return places


def _reason(file: Path, error: Exception) -> str:
    """Say in a line what is wrong with a file; errors that concern no single file end the work.

    Raises:
        SdsiqaError: Such as a missing model of saliency.
    """
    if isinstance(error, ImageError | MapNotFoundError):
        return str(error)
    if isinstance(error, SdsiqaError):
        raise error
    reason = getattr(error, "strerror", None) or str(error).strip().partition("\n")[0]
    return f"{file}: {type(error).__name__}: {reason}" if not isinstance(error, OSError) else f"{file}: {reason}"


def _list(heading: str, lines: Sequence[str]) -> None:
    if lines:
        print("\n".join([f"{heading}:", *(f"  {printable(line)}" for line in lines)]), file=sys.stderr)


def _base(arguments: Sequence[str], files: Sequence[Path]) -> Path:
    """The deepest folder that holds every folder that was named and every image: what maps are mirrored below."""
    holders = [path.resolve() for path in map(Path, arguments) if _is_folder(path)]
    holders += {_placed(file).parent for file in files}
    return next(folder for folder in (holders[0], *holders[0].parents) if all(each.is_relative_to(folder) for each in holders))


def _write_map(scorer: Any, image: Pixels, saliency: Pixels, *, score: float, title: str, scale: str, target: Path) -> Path:
    """Draw image, saliency and attention, with the score as it is printed."""
    from sdsiqa import plots

    guides = scorer.guides(image, saliency)
    plots.save(plots.panel(image, saliency / 255.0, guides, score=score, mos=None, title=title, scale=scale), target)
    return target
