"""Reading label files and checking the rows that come out of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sdsiqa.errors import BenchmarkMismatchError, SdsiqaError

COLUMNS: dict[str, Any] = {
    "image": None,
    "mos": None,
    "quality": None,
    "content": None,
    "reference": "",
    "distortion": "",
    "level": -1,
    "split": "",
    "mos_std": np.nan,
    "training_only": False,
}
"""Columns of a table in order, each with the value that stands where a benchmark has nothing to say; None: required."""

TOLERANCE = 1e-3
"""By how much a score may leave the documented range: label files are rounded."""

SPREAD = 0.1
"""Share of the scale that scores of a release cover at least; those of all benchmarks here cover 77 % and more."""

NEAR = 0.05
"""By how much the mean quality of a whole release may differ from the known one: KonIQ-10k ships two sets that differ by .047."""


@contextmanager
def reading(title: str, root: Path, remedy: str) -> Iterator[None]:
    """Turn what a parser says about a damaged or foreign label file into a sentence that names the benchmark.

    Args:
        title: The benchmark.
        root: Its folder.
        remedy: End of the message.

    Raises:
        BenchmarkMismatchError: Anything went wrong inside that is not yet a message for a person.
    """
    try:
        yield
    except SdsiqaError:
        raise
    except Exception as error:  # the readers of MAT, XLS, XLSX and CSV each raise a dozen types of their own
        reason = f"column {error} is missing" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        message = f"{title}: the label files in {root} cannot be read ({reason}); {remedy}"
        raise BenchmarkMismatchError(message) from error


def read_mat(path: Path, *names: str) -> dict[str, NDArray[Any]]:
    """Read variables of a MATLAB file.

    Args:
        path: The file.
        names: Variables it must hold.

    Returns:
        Each variable, flattened; cells of text as strings.
    """
    from scipy.io import loadmat  # a second of import that most verbs need not spend

    found = loadmat(path)
    arrays = {name: np.ravel(found[name]) for name in names}
    return {
        name: np.array([str(np.ravel(cell)[0]) for cell in array], object) if array.dtype == object else array
        for name, array in arrays.items()
    }


def check_rows(table: pd.DataFrame, scale: tuple[float, float], title: str, remedy: str) -> None:
    """Refuse rows without a score, with one off the scale, and images that are listed twice.

    Args:
        table: Columns `image` and `mos`, with a RangeIndex.
        scale: Lowest and highest possible score.
        title: The benchmark, for errors.
        remedy: End of an error message.

    Raises:
        BenchmarkMismatchError: Names the first such row, what was found and what was expected.
    """
    mos, (low, high) = table["mos"], scale
    outside = (mos < low - TOLERANCE) | (mos > high + TOLERANCE)
    for bad, expected in (
        (~np.isfinite(mos), "score is {mos!r}; expected a finite number"),
        (outside, f"score is {{mos!r}}; expected {low:g} … {high:g}"),
        (table["image"].str.lower().duplicated(), "is listed a second time; expected each image once"),
    ):
        rows = np.flatnonzero(bad)
        if rows.size:
            told = expected.format(mos=float(mos.iloc[rows[0]]))
            more = f" ({rows.size - 1} more rows like it)" if rows.size > 1 else ""
            name = table["image"].iloc[rows[0]]
            raise BenchmarkMismatchError(f"{title}: row {rows[0] + 1} ({name!r}): {told}{more}; {remedy}")


def check_scores(table: pd.DataFrame, scale: tuple[float, float], mean: float | None, title: str, remedy: str) -> None:
    """Refuse scores that cannot be a release's: all equal, of another scale, reversed.

    Args:
        table: Columns `image`, `mos`, `quality`, `distortion` and `level`, with a RangeIndex.
        scale: Lowest and highest possible score.
        mean: Mean quality of the whole release; `None` where it is not known.
        title: The benchmark, for errors.
        remedy: End of an error message.

    Raises:
        BenchmarkMismatchError: Says what was found, in which rows, and what was expected.
    """
    mos, (low, high) = table["mos"], scale
    least, most = (f"{mos.iloc[row]:g} (row {row + 1}, {table['image'].iloc[row]!r})" for row in (mos.argmin(), mos.argmax()))
    if mos.max() - mos.min() < SPREAD * (high - low):
        raise BenchmarkMismatchError(
            f"{title}: scores are {least} to {most}; expected them to differ, over most of {low:g} … {high:g}; {remedy}"
        )
    falls = falling(table)
    rising = [kind for kind, fall in falls.items() if not fall]
    if falls and 2 * len(rising) >= len(falls):
        row = int(np.flatnonzero(table["distortion"] == rising[0])[0])
        raise BenchmarkMismatchError(
            f"{title}: quality rises with the level of distortion in {len(rising)} of {len(falls)} types, from row {row + 1} "
            f"({rising[0]!r}) on; expected it to fall: the scores are reversed; {remedy}"
        )
    found = float(table["quality"].mean())
    if mean is not None and abs(found - mean) > NEAR:
        turned = ": the scores are reversed" if abs(1 - found - mean) <= NEAR else ""
        raise BenchmarkMismatchError(
            f"{title}: mean quality is {found:.3f}, from {least} to {most}; expected {mean:.3f} on the scale {low:g} … {high:g}"
            f"{turned}; {remedy}"
        )


def falling(table: pd.DataFrame) -> dict[str, bool]:
    """Say for each type of distortion with levels whether mean quality is lower at the highest than at the lowest.

    Args:
        table: A benchmark's labels.
    """
    found = {}
    for kind, rows in table[table["level"] >= 0].groupby("distortion", sort=False):
        means = rows.groupby("level")["quality"].mean()
        if len(means) > 1:
            found[str(kind)] = bool(means.iloc[-1] < means.iloc[0])
    return found


def parse_names(names: "pd.Series[str]", pattern: str, example: str, title: str, remedy: str) -> pd.DataFrame:
    """Take the parts of file names that say content, type and level.

    Args:
        names: File names, with a RangeIndex.
        pattern: Regular expression with a named group per part.
        example: A name that fits.
        title: The benchmark, for errors.
        remedy: End of an error message.

    Raises:
        BenchmarkMismatchError: Names the first row whose name does not fit.
    """
    parts = names.astype(str).str.extract(pattern)
    rows = np.flatnonzero(parts.isna().any(axis=1))
    if rows.size:
        more = f" ({rows.size - 1} more rows like it)" if rows.size > 1 else ""
        found = names.iloc[rows[0]]
        raise BenchmarkMismatchError(
            f"{title}: row {rows[0] + 1}: file is {found!r}; expected a name such as {example!r}{more}; {remedy}"
        )
    return parts


def type_of(number: str, types: Sequence[str]) -> str:
    """Give the name of a type of distortion by its number in a file name.

    Args:
        number: From 1 on.
        types: Their names.

    Raises:
        ValueError: There is no such type.
    """
    if not 1 <= int(number) <= len(types):
        raise ValueError(f"there is a type {number} of distortion; expected 01 … {len(types)}")
    return types[int(number) - 1]
