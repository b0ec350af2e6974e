"""Reports: tables, figures and one page from the score tables of runs.

`sdsiqa report` prints or writes them; `write` is the same as a function, which a grid calls at its end.
"""

from sdsiqa.report.build import write
from sdsiqa.report.cli import main
from sdsiqa.report.result import Blank
from sdsiqa.report.validation import read_validated, show_validation, validation_tables, write_validation

__all__ = ["Blank", "main", "read_validated", "show_validation", "validation_tables", "write", "write_validation"]


def __dir__() -> list[str]:
    """Name what is listed here, and not the files that it comes from."""
    return __all__
