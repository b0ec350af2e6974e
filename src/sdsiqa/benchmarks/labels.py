"""Reading label files and checking the rows that come out of them."""

from collections.abc import Iterator
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
