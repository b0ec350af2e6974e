"""Reports: score tables become tables, figures and a page; nothing else is read but what says whose scores they are.

`sdsiqa report` prints or writes them; `write` is the same for whoever has runs at hand, such as a grid at its end.
"""

from sdsiqa.report.build import write
from sdsiqa.report.cli import main
from sdsiqa.report.result import Blank

__all__ = ["Blank", "main", "write"]
