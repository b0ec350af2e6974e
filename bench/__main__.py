"""`make bench`: measures, prints a table, writes `results/bench.json`."""

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.by_hand import loop_by_hand
from bench.compute import Load, scorings, training_step
from bench.document import write_document
from bench.loading import loadings
from bench.measure import Row, machine
from bench.memory import loader_growth, training_peak
from bench.pictures import gather
from bench.programs import whole_programs
from bench.shares import shares
from sdsiqa.files import write_json
from sdsiqa.runs.process import keep_freed_memory

RESULTS = Path("results/bench.json")
PARTS = (
    *("training step", "loop by hand", "loading", "scoring"),
    *("peak memory of training", "memory of the loader", "whole programs"),
)


def measure(settings: argparse.Namespace, load: Load) -> list[Row]:
    """Measure everything.

    Args:
        settings: As `parser` reads them.
        load: Network and batches.
    """
    turns = settings.turns
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photographs = gather(folder / "images", settings.files, settings.photographs, settings.size)
        parts: list[tuple[str, Callable[[], Sequence[Row]]]] = [
            ("training step", lambda: [training_step(load, turns)]),
            ("loop by hand", lambda: [loop_by_hand(load, turns)]),
            ("loading", lambda: loadings(photographs, folder, turns, settings.side)),
            ("scoring", lambda: scorings(load, turns, settings.size)),
            ("peak memory of training", lambda: [training_peak(load, max(1, turns // 4))]),
            ("memory of the loader", lambda: loader_growth(folder, settings.few, settings.many, 1)),
            ("whole programs", lambda: whole_programs(load, folder / "programs", photographs, settings.scored, turns)),
        ]
        wanted = settings.only or [title for title, _ in parts]
        rows: list[Row] = []
        for title, part in (each for each in parts if each[0] in wanted):
            start = time.perf_counter()
            rows += part()
            print(f"measured {title} in {time.perf_counter() - start:.0f} s", flush=True)
    return rows


def table(rows: Sequence[Row]) -> Table:
    """Lay rows out for a person.

    Args:
        rows: What was measured.
    """
    shown = Table("", "sdsiqa", "bare", "unit", "ratio (quartiles)", "goal", "held")
    for row in rows:
        goal = "" if row.goal is None else f"{'≤' if row.at_most else '≥'} {row.goal:g}"
        held = {None: "", True: "yes", False: "[bold red]NO[/]"}[row.held]
        spread = f"{row.ratio:.3g} ({row.low:.3g}–{row.high:.3g})"
        shown.add_row(row.name, f"{row.ours:.3g}", f"{row.bare:.3g}", row.unit, spread, goal, held)
    return shown


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    made = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    made.add_argument("--backbone", default="mobilenetv2_100", help="in timm's naming; weights are random")
    made.add_argument("--images", type=int, default=2, help="images of a training step")
    made.add_argument("--crops", type=int, default=8, help="crops of an image in that step")
    made.add_argument("--side", type=int, default=224, help="side of a crop in pixels")
    made.add_argument("--turns", type=int, default=9, help="how often each pair is measured")
    made.add_argument("--photographs", type=Path, default=_livec(), help="folder of images; drawn ones without it")
    made.add_argument("--files", type=int, default=64, help="how many of them")
    made.add_argument("--size", type=int, default=500, help="side of drawn images in pixels")
    made.add_argument("--few", type=int, default=1_000, help="images of the small set for the loader's memory")
    made.add_argument("--many", type=int, default=10_000, help="images of the large set")
    made.add_argument("--scored", type=int, default=500, help="files of the folder that is scored by a whole program")
    made.add_argument("--only", nargs="+", choices=PARTS, help="measure these, and write nothing unless --output says where")
    made.add_argument("--output", type=Path, help=f"where the figures go (default: {RESULTS})")
    return made


def main(words: list[str] | None = None) -> None:
    """Measure, print, write.

    Args:
        words: Command line; none takes the process's own.
    """
    settings = parser().parse_args(words)
    facts = {**machine(), "keeps_freed_memory": keep_freed_memory()}
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on worker counts and the like, which is what is measured here
        load = Load(settings.backbone, settings.images, settings.crops, settings.side)
        rows = measure(settings, load)
        parts = [] if settings.only else shares(load, settings.turns, settings.size)
    shown: dict[str, Any] = {
        name: value for name, value in vars(settings).items() if name not in ("output", "only", "photographs")
    }
    shown["photographs"] = "drawn, 1/f spectrum, JPEG" if settings.photographs is None else settings.photographs.name
    content = {
        **facts,
        "seconds": round(time.perf_counter() - start),
        "settings": shown,
        "measurements": [row.to_json() for row in rows],
        "shares": [part._asdict() for part in parts],
    }
    output = settings.output or (None if settings.only else RESULTS)
    if output is not None:
        write_json(output, content)
    Console(width=150).print(table(rows))
    missed = [row.name for row in rows if row.held is False]
    print(f"goals missed: {'; '.join(missed)}" if missed else "all goals held")
    print("wrote nothing" if output is None else f"wrote {output}")
    if output == RESULTS:
        write_document()


def _livec() -> Path | None:
    """LIVEC's images, where SDSIQA_DATA has them."""
    folder = Path(os.environ.get("SDSIQA_DATA", "data")) / "ChallengeDB_release" / "Images"
    return folder if folder.is_dir() else None


if __name__ == "__main__":
    main()
