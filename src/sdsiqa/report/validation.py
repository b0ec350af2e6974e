"""What runs that tested nothing found on their validation parts: a search of settings chooses by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import TextIO

import pandas as pd

from sdsiqa.errors import RunMismatchError
from sdsiqa.files import write_bytes
from sdsiqa.report.overview import console_of, print_tables
from sdsiqa.report.read import config_of, is_untested
from sdsiqa.report.result import RECONSTRUCTIONS, label_of, title
from sdsiqa.report.table import Table, csv, markdown, number
from sdsiqa.runs.class_paths import class_name
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.found import LeftOut, check_paths, run_folders, why_unfinished

NOTES = (
    "Of the validation part, which chose each epoch: figures to choose settings by, not results.",
    "In bold: the highest mean SRCC of a method whose settings ran on the same splits and seeds. A choice among several is "
    "flattered by their number.",
)


@dataclass(frozen=True)
class Validated:
    """What one run found on its validation part.

    Args:
        method: Name of the method.
        ablation: What was changed in it.
        is_reconstruction: Whether it is not the authors' own network.
        benchmark: Name of the benchmark.
        split: Number or name.
        seed: As the run has it.
        epoch: The chosen one, from 1; 0 is the start.
        srcc: Of that epoch.
        plcc: Raw, of that epoch.
        minutes: That the run took; NaN if unknown.
    """

    method: str
    ablation: str
    is_reconstruction: bool
    benchmark: str
    split: str
    seed: str
    epoch: int
    srcc: float
    plcc: float
    minutes: float


def read_validated(runs: Sequence[Path]) -> list[Validated]:
    """Read what finished runs found on their validation parts, where none of them has tested anything.

    Args:
        runs: Run folders, or folders that hold them.

    Returns:
        One for each run; empty where one has scores, or was to test, or none has validated. Runs that are not finished are
        left out, with a line on standard error each.

    Raises:
        RunMismatchError: A path does not exist, or a run's files cannot be read.
    """
    check_paths(runs)
    left_out = LeftOut("report")
    every = [run_folders(run) for run in runs]
    if not all(every) or any((folder / "scores").is_dir() for some in every for folder in some):
        return []  # the usual case, known before a file is read
    folders = {folder: why_unfinished(folder) for some in every for folder in some}
    if not all(is_untested(folder) for folder, reason in folders.items() if not reason):
        return []
    found = []
    for folder, reason in folders.items():
        own = None if reason else _read(folder)
        if own is None:
            left_out.add(folder, reason or "has validated nothing")
        else:
            found.append(own)
    if found:
        left_out.tell(True, "")
    return found


def _read(folder: Path) -> Validated | None:
    """Read a run; none where it has validated nothing."""
    record = RunFolder(folder).record
    row = _chosen(folder / "metrics.csv", str(record.get("chosen_by") or ""))
    if row is None:
        return None
    config = config_of(folder)
    run, data = config.get("run") or {}, config.get("data") or {}
    network = str(((config.get("model") or {}).get("network") or {}).get("class_path", ""))
    source = str((data.get("benchmark") or {}).get("class_path", ""))
    return Validated(
        method=str(run.get("method") or folder.name),
        ablation=str(run.get("ablation") or ""),
        is_reconstruction=class_name(network) in RECONSTRUCTIONS,
        benchmark=class_name(source).lower(),
        split=str(data.get("split", "")),
        seed=str(config.get("seed_everything", "")),
        epoch=int(row["epoch"]) + 1,
        srcc=row["val/srcc"],
        plcc=row["val/plcc"],
        minutes=60 * float((record.get("cost") or {}).get("wall_hours", float("nan"))),
    )


def _chosen(file: Path, chosen_by: str) -> dict[str, float] | None:
    """Give the row of the epoch whose weights stand: of equal ones the later, without a choice the last one."""
    columns = ["epoch", "val/srcc", "val/plcc"]
    try:
        curve = pd.read_csv(file)
        if "val/srcc" not in curve:
            return None
        chosen_by = chosen_by if chosen_by in curve else "epoch"
        curve = curve[list(dict.fromkeys([*columns, chosen_by]))].astype(float)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        raise RunMismatchError(f"{file} cannot be read ({type(error).__name__}); put it back, or leave the run out") from error
    if curve.empty:
        return None
    known = curve[curve["val/srcc"].notna()]
    best = curve.iloc[[-1]] if known.empty else known[known[chosen_by] == known[chosen_by].max()]
    return {name: float(best.iloc[-1][name]) for name in columns}


def validation_tables(found: Sequence[Validated]) -> list[Table]:
    """Make a table per benchmark, a row per method and variant, means over splits and seeds.

    Args:
        found: As `read_validated` gives them.
    """
    benchmarks = dict.fromkeys(sorted(run.benchmark for run in found))
    return [_table(benchmark, [run for run in found if run.benchmark == benchmark]) for benchmark in benchmarks]


def _table(benchmark: str, found: Sequence[Validated]) -> Table:
    rows: dict[tuple[str, str], list[Validated]] = {}
    for run in found:
        rows.setdefault((run.method, run.ablation), []).append(run)
    # a NaN among the runs makes NaN of the mean: leaving it out would flatter the setting
    means = {name: fmean(run.srcc for run in some) for name, some in rows.items()}
    cells, strong = [], set[tuple[int, int]]()
    for place, (name, some) in enumerate(rows.items()):
        others = [other for other in rows if other[0] == name[0] and other != name]
        is_fair = all(_runs(rows[other]) == _runs(some) for other in others)
        highest = max((means[other] for other in others if means[other] == means[other]), default=-2.0)
        if others and is_fair and means[name] > highest:
            strong.add((place, 1))
        minutes = fmean(run.minutes for run in some)
        cells.append(
            [
                label_of(*name, some[0].is_reconstruction),
                number(means[name]) + (f" ± {number(stdev(run.srcc for run in some))}" if len(some) > 1 else ""),
                number(fmean(run.plcc for run in some)),
                ", ".join(map(str, sorted({run.epoch for run in some}))),
                str(len(some)),
                "" if minutes != minutes else number(minutes, 1),
                ", ".join(dict.fromkeys(run.split for run in some)),
            ]
        )
    head = ["method", "SRCC", "PLCC", "epoch", "runs", "minutes", "split"]
    heading = f"{title(benchmark)}, validation part"
    frame = pd.DataFrame(found)
    return Table(f"validation-{benchmark}", heading, head, cells, NOTES, frozenset(strong), frame, last_texts=1)


def _runs(found: Sequence[Validated]) -> set[tuple[str, str]]:
    """Say which splits and seeds ran."""
    return {(run.split, run.seed) for run in found}


def show_validation(tables: Sequence[Table], file: TextIO | None = None) -> None:
    """Print the tables; the best of a method's variants has a star, for a terminal may show no bold.

    Args:
        tables: As `validation_tables` gives them.
        file: Where to print; None takes standard output.
    """
    rows = {
        table.title: [
            [f"{cell} *" if (row, column) in table.strong else cell for column, cell in enumerate(cells)]
            for row, cells in enumerate(table.cells)
        ]
        for table in tables
    }
    print_tables(console_of(file), tables[0].head, rows, [NOTES[0], NOTES[1].replace("In bold", "With *")])


def write_validation(tables: Sequence[Table], out: Path) -> list[Path]:
    """Write the tables as `validation.md`, and the figures of each run in full precision as CSV.

    Args:
        tables: As `validation_tables` gives them.
        out: Folder.

    Returns:
        The files.
    """
    files = [out / "validation.md", *(out / f"{table.name}.csv" for table in tables)]
    texts = ["\n\n".join(["# Validation", *map(markdown, tables)]) + "\n", *map(csv, tables)]
    for file, text in zip(files, texts, strict=True):
        write_bytes(file, text.encode())
    return files
