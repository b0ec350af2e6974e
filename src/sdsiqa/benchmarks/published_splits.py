"""Readers of the splits that ARNIQA and LIQE published, so that tables can be compared image by image.

ARNIQA [Agnolucci et al., WACV 2024; repository miccunifi/ARNIQA] keeps `datasets/<SET>/splits/{train,val,test}.npy`:
arrays `(10, N)` of row numbers, padded with -1 (`(N,)` for FLIVE). Rows count in the label file of the set, which is
our order too, except for CSIQ: there they count in `CSIQ.txt` of repository icbcbicc/IQA-Dataset.

LIQE [Zhang et al., CVPR 2023; repository zwx8981/LIQE] keeps `<SET>/splits2/<1…10>/<set>_{train,val,test}_clip.txt`:
one image a line, its path first, then its score and words that describe it, with tabs between.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sdsiqa.benchmarks.splits import PARTS, Split
from sdsiqa.errors import BenchmarkMismatchError, BenchmarkNotFoundError

LISTS = {"csiq": "CSIQ.txt", "live": "LIVE.txt"}
"""Lists that ARNIQA's row numbers count in; LIVE's has our order, so it may be absent."""

PREFIXES = {"livec": "clive"}
"""Names of benchmarks in the file names of LIQE, where they differ from ours."""


def read_published_split(folder: Path, number: int, benchmark: str, table: pd.DataFrame) -> Split:
    """Read one published split.

    Args:
        folder: The set's folder in ARNIQA's `datasets` or in LIQE's `IQA_Database`, or its `splits` or `splits2`.
        number: As the publisher counts: 0 to 9 for ARNIQA, 1 to 10 for LIQE.
        benchmark: The benchmark's name.
        table: Its table.

    Raises:
        BenchmarkNotFoundError: The folder holds neither kind.
        BenchmarkMismatchError: A file does not fit the benchmark.
        SplitLeakError: The published split shares a content between parts, or has an empty one.
    """
    for home in (folder, folder / "splits", folder / "splits2"):
        if (home / "train.npy").is_file():
            rows = _read_arniqa(home, number, benchmark, table)
            return Split.of(benchmark, f"arniqa-{number}", table, rows)
        if any((home / str(number)).glob("*_train*.txt")):
            return Split.of(benchmark, f"liqe-{number}", table, _read_liqe(home / str(number), benchmark, table))
    raise BenchmarkNotFoundError(
        f"no published split {number} in {folder}; looked for train.npy (ARNIQA) and {number}/*_train*.txt (LIQE) "
        "there, in splits and in splits2; the files are in the repositories miccunifi/ARNIQA and zwx8981/LIQE"
    )


def _read_arniqa(home: Path, number: int, benchmark: str, table: pd.DataFrame) -> dict[str, NDArray[np.int64]]:
    order = _arniqa_order(home, benchmark, table)
    parts = {}
    for part in PARTS:
        path = home / f"{part}.npy"
        if not path.is_file():
            raise BenchmarkNotFoundError(f"{path} does not exist; it belongs to train.npy beside it")
        try:
            numbers = np.atleast_2d(np.load(path, allow_pickle=False))
        except (ValueError, OSError, EOFError) as error:
            raise BenchmarkMismatchError(f"{path} is no array of row numbers ({error})") from error
        if numbers.ndim != 2 or not np.issubdtype(numbers.dtype, np.integer) or number not in range(len(numbers)):
            raise BenchmarkMismatchError(
                f"{path} holds {numbers.dtype} of shape {numbers.shape}; expected integers with split {number} as a row"
            )
        chosen = numbers[number][numbers[number] != -1]  # -1 fills up the shorter splits
        if chosen.size and not (chosen.min() >= 0 and chosen.max() < len(order)):
            raise BenchmarkMismatchError(
                f"{path} counts rows from {chosen.min()} to {chosen.max()}; {benchmark} has 0 to {len(order) - 1}"
            )
        parts[part] = order[chosen]
    return parts


def _arniqa_order(home: Path, benchmark: str, table: pd.DataFrame) -> NDArray[np.int64]:
    name = LISTS.get(benchmark)
    lists = [path for path in (home / name, home.parent / name) if path.is_file()] if name else []
    if lists:
        with _reading(lists[0], "a table with the column dis_img_path, as icbcbicc/IQA-Dataset has it"):
            listed = [str(name) for name in pd.read_csv(lists[0])["dis_img_path"]]
        return _rows_of(listed, lists[0], benchmark, table)
    if benchmark == "csiq":
        raise BenchmarkNotFoundError(
            f"{name} not found in {home} or {home.parent}; the row numbers of CSIQ count in it; "
            "take it from the repository icbcbicc/IQA-Dataset"
        )
    return np.arange(len(table), dtype=np.int64)


def _read_liqe(home: Path, benchmark: str, table: pd.DataFrame) -> dict[str, NDArray[np.int64]]:
    prefix, parts = PREFIXES.get(benchmark, benchmark), {}
    for part in PARTS:
        paths = [home / f"{prefix}_{part}{end}.txt" for end in ("_clip", "")]
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            raise BenchmarkNotFoundError(f"{paths[0]} does not exist; take it from the repository zwx8981/LIQE")
        with _reading(path, "a list of images, as zwx8981/LIQE has it"):
            lines = path.read_text(encoding="utf-8").splitlines()
        listed = [line.split("\t")[0].strip() for line in lines if line.strip()]
        parts[part] = _rows_of(listed, path, benchmark, table)
    return parts


@contextmanager
def _reading(path: Path, expected: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, OSError) as error:
        raise BenchmarkMismatchError(f"{path} cannot be read ({type(error).__name__}: {error}); expected {expected}") from error


def _rows_of(listed: list[str], path: Path, benchmark: str, table: pd.DataFrame) -> NDArray[np.int64]:
    """Find images by file name, and by folder where that is not enough: lists differ in roots and letter case."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for row, image in enumerate(table["image"].str.lower()):
        file = PurePosixPath(image)
        places[file.name].append(row)
        places[f"{file.parent.name}/{file.name}"].append(row)
    rows = []
    for line, name in enumerate(listed, start=1):
        file = PurePosixPath(name.lower())
        found = places[file.name] if len(places[file.name]) == 1 else places[f"{file.parent.name}/{file.name}"]
        if len(found) != 1:
            raise BenchmarkMismatchError(
                f"{path}, image {line}: {name!r} is not in the table of {benchmark}; use the list of this benchmark"
            )
        rows.append(found[0])
    return np.array(rows, dtype=np.int64)
