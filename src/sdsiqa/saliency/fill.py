"""`sdsiqa saliency`: a folder of images in, a folder of maps out."""

import argparse
import inspect
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdsiqa.errors import ImageError, MapNotFoundError, RunMismatchError, SettingError
from sdsiqa.files import write_bytes
from sdsiqa.images import read_image, write_image
from sdsiqa.runs import signals
from sdsiqa.runs.arguments import any_path, folder_to_write
from sdsiqa.runs.class_paths import import_class, part_of_file
from sdsiqa.runs.image_search import MAP_SETTINGS as SETTINGS
from sdsiqa.runs.image_search import SUFFIXES, find_images
from sdsiqa.runs.output import printable
from sdsiqa.runs.progress import Progress
from sdsiqa.runs.workers import in_processes
from sdsiqa.saliency.base import ROUNDING, SaliencyProvider, memory_explained
from sdsiqa.saliency.cache import CachedMaps
from sdsiqa.saliency.stored import map_stem

if TYPE_CHECKING:
    from sdsiqa.runs.typed_arguments import TypedArguments

SECONDS = 0.03
"""Time that a core takes for the map of an image of 512×384 pixels by a quick provider."""

_OF_CLASS = ("provider", "version", "rounding")
"""What the settings of a folder say besides those of its provider."""

_NAMING = ("--provider", "--provider.help")
"""Options that are followed by the name of a provider."""


def main(args: list[str] | None = None) -> int:
    """Fill a folder with saliency maps; broken images are listed at the end, the rest is still done.

    Args:
        args: Words after `sdsiqa saliency`; `None`: use `sys.argv`.

    Returns:
        0 if every image has its map, 1 if some have not.
    """
    parser = _parser()
    given = parser.parse_args(list(_written_out(sys.argv[2:] if args is None else args)))
    try:
        options = parser.instantiate(given)
    except ValueError as error:  # what a constructor refuses
        parser.error(f"--provider: {error}")
    signals.answer(signals.Answer.RAISE)
    return fill(options.provider, options.folder, options.out, options.only, options.jobs)


def fill(provider: SaliencyProvider, root: Path, out: Path, only: str | None = None, jobs: int = 1) -> int:
    """Write the map of every image below a folder, at the same relative path, as grey PNG.

    A map has the size at which the provider computes it, and 16 bits where that is not the size of the image.

    Maps that are there stay: a map is written under its name only when it is complete.

    Args:
        provider: Computes the maps.
        root: Folder of images.
        out: Folder of maps; created if missing.
        only: What the path of an image below `root` must contain; `*` and `?` stand for anything.
        jobs: Processes that compute.

    Returns:
        0 if every image has its map, 1 if some have not.

    Raises:
        ImageError: `root` is no folder or holds no image.
        RunMismatchError: `out` belongs to another provider, or is mixed up with `root`.
    """
    targets: dict[str, list[str]] = defaultdict(list)
    for name in _names(root, out, only):
        targets[map_stem(name)].append(name)
    if not targets:
        with_only = f" with {only!r} in its path" if only else ""
        raise ImageError(f"{root}: holds no image{with_only}; looked for {' '.join(sorted(SUFFIXES))}")
    _claim(out, provider)
    # two images, one map: either would be wrong for the other
    broken = [f"{', '.join(names)}: would share the map {stem}.png; rename" for stem, names in targets.items() if names[1:]]
    single = [(names[0], out / f"{stem}.png") for stem, names in targets.items() if not names[1:]]
    todo = [(name, path) for name, path in single if not path.is_file()]
    done = _watch(provider, root, todo, jobs, there=len(single) - len(todo))
    broken += [problem for problem in done if problem is not None]
    made, there = sum(problem is None for problem in done), len(single) - len(todo)
    print(f"{out}: {made + there} maps of {provider!r}, {made} of them new, {len(broken)} missing")
    if broken:
        print("\n".join(["without a map:", *(f"  {printable(line)}" for line in broken)]), file=sys.stderr)
    return 1 if broken else 0


def _names(root: Path, out: Path, only: str | None) -> Iterator[str]:
    """List images by their path below `root`, sorted, without the maps themselves."""
    if not root.is_dir():
        raise ImageError(f"{root}: no such folder; give the folder of images")
    top, maps = root.resolve(), out.resolve()
    if top == maps or top.is_relative_to(maps):
        raise RunMismatchError(f"{out}: maps would lie among the images of {root}; give a folder of its own as --out")
    names = sorted(file.relative_to(top).as_posix() for file in find_images(top, maps))
    yield from (name for name in names if only is None or fnmatchcase(name, f"*{only}*"))


def _claim(out: Path, provider: SaliencyProvider) -> None:
    """Write down whose maps a folder holds, or refuse another's."""
    settings = {key: value if value is None else str(value) for key, value in provider.settings().items()}
    mine = {"provider": type(provider).__name__, "version": provider.version, "rounding": ROUNDING, "settings": settings}
    mine["fingerprint"] = provider.fingerprint()
    path = out / SETTINGS
    if not out.is_dir() or next(out.rglob("*.png"), None) is None:  # nothing is there that could be mixed up
        write_bytes(path, json.dumps(mine, indent=2).encode())
        return
    try:
        if not path.is_file():
            raise RunMismatchError(f"{out}: holds pictures but no {SETTINGS} to say whose; give another folder as --out")
        theirs = json.loads(path.read_text(encoding="utf-8"))
        if theirs["fingerprint"] == mine["fingerprint"]:
            return
        old = {"rounding": 1, **theirs["settings"], **{key: theirs[key] for key in _OF_CLASS if key in theirs}}
    except (ValueError, KeyError, TypeError) as error:
        raise RunMismatchError(f"{path}: cannot be read ({error}); give another folder as --out") from error
    new = {**settings, **{key: mine[key] for key in _OF_CLASS}}
    names = [key for key in old | new if old.get(key) != new.get(key)]
    differs = "; ".join(f"{key} is {old.get(key)!r} there and {new.get(key)!r} here" for key in names)
    raise RunMismatchError(
        f"{out}: holds the maps of another provider ({differs or 'a file of its settings has changed'}); "
        "give another folder as --out"
    )


def _watch(provider: SaliencyProvider, root: Path, todo: Sequence[tuple[str, Path]], jobs: int, there: int) -> list[str | None]:
    """Make maps, showing progress; `None` for each that was made, else what went wrong."""
    done: list[str | None] = []
    new = 0
    with Progress("saliency maps", len(todo), each=SECONDS / jobs) as progress:
        for problem in _make_all(provider, root, todo, jobs):
            done.append(problem)
            new += problem is None
            progress.advance(note=f"{new} new, {there} there, {len(done) - new} broken")
    return done


def _make_all(provider: SaliencyProvider, root: Path, todo: Sequence[tuple[str, Path]], jobs: int) -> Iterator[str | None]:
    """Make maps here, or in processes of their own."""
    if jobs == 1 or len(todo) < 2:
        yield from map(partial(_make, provider, root), todo)
        return
    yield from in_processes(_make_in_worker, todo, jobs, prepare=_begin, given=(provider, root))


def _make(provider: SaliencyProvider, root: Path, place: tuple[str, Path]) -> str | None:
    """Make one map; say what went wrong with a broken image. Errors of the provider itself end the work."""
    name, path = place
    try:
        with memory_explained(name):
            write_image(path, provider.own(read_image(root / name), name))
    except (ImageError, MapNotFoundError) as error:
        return str(error)
    return None


_work: partial[str | None]
"""The task of a worker: its provider opens its model once, not once per image."""


def _begin(provider: SaliencyProvider, root: Path) -> None:
    """Prepare a worker."""
    global _work  # a process pool has no other place for what a worker keeps
    _work = partial(_make, provider, root)


def _make_in_worker(place: tuple[str, Path]) -> str | None:
    return _work(place)


def _parser() -> "TypedArguments":
    from sdsiqa.runs.typed_arguments import TypedArguments  # jsonargparse: not for every import of a source

    names = ", ".join(kind.__name__ for kind in _providers().values())
    parser = TypedArguments(
        prog="sdsiqa saliency",
        description="Fill a folder with saliency maps, one grey PNG per image at the same relative path.\n"
        "The same command resumes a stopped one; broken images are listed at the end.\n\n"
        "To train on the maps give the benchmark's folder as FOLDER, and in the configuration\n"
        "  saliency: {class_path: sdsiqa.saliency.Stored, init_args: {root: OUT}}",
        epilog="example:\n  sdsiqa saliency photos --out maps --provider SDSP --provider.preset vsi --jobs 4",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=any_path, metavar="FOLDER", help="folder of images, searched recursively")
    parser.add_argument("--out", type=folder_to_write, required=True, metavar="FOLDER", help="folder of maps; created if missing")
    parser.add_argument("--only", metavar="PATTERN", help="only images with this in their path; * and ? stand for anything")
    parser.add_jobs("processes that compute")
    parser.add_subclass_arguments(
        SaliencyProvider,
        "provider",
        default={"class_path": "sdsiqa.saliency.SDSP"},
        metavar="NAME",
        help=f"{names}; the path of a class; or a data file (default: SDSP). --provider.help NAME lists the settings of one, "
        "which are given as --provider.SETTING VALUE",
    )
    parser.known = {name for kind in _providers().values() for name in inspect.signature(kind).parameters}
    return parser


def _providers() -> dict[str, type[SaliencyProvider]]:
    """Providers by their names in lower case; without the wrapper of other providers."""
    kinds: list[Any] = [SaliencyProvider]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return {kind.__name__.lower(): kind for kind in kinds if not inspect.isabstract(kind) and kind is not CachedMaps}


def _written_out(words: Sequence[str]) -> Iterator[str]:
    """Give class paths for short names and data files, as the parser takes them."""
    before = ""
    for word in words:
        option, equals, value = word.partition("=")
        if equals and option in _NAMING:
            yield from (option, _class_word(value))
        else:
            yield _class_word(word) if before in _NAMING else word
        before = word


def _class_word(word: str) -> str:
    kinds = _providers()
    kind: Any = kinds.get(word.lower().replace("-", "").replace("_", ""))
    if word.endswith((".yaml", ".yml")):
        return json.dumps(part_of_file(Path(word), "saliency"), default=str)
    if "." in word:
        kind = import_class(word, SaliencyProvider)
    if kind is None:
        near = get_close_matches(word.lower(), kinds, n=1)
        hint = f"did you mean {kinds[near[0]].__name__!r}? " if near else ""
        names = ", ".join(each.__name__ for each in kinds.values())
        raise SettingError(f"there is no provider {word!r}; {hint}choose one of {names}, or the path of a class")
    return f"{kind.__module__}.{kind.__qualname__}"
