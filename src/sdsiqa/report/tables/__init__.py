"""Tables of a report, a file each; the folder is the list.

A file has `ORDER`, its place in the report, and `tables(context) -> list[Table]`, which is empty where the results have
nothing for it.
"""

from importlib import import_module
from pkgutil import iter_modules

from sdsiqa.report.context import ReportContext
from sdsiqa.report.table import Table


def all_tables(context: ReportContext) -> list[Table]:
    """Make every table that some results have something for, in the order of their files' `ORDER`.

    Args:
        context: What they are made from.
    """
    files = [import_module(f"{__name__}.{entry.name}") for entry in iter_modules(__path__)]
    return [table for file in sorted(files, key=lambda file: (file.ORDER, file.__name__)) for table in file.tables(context)]
