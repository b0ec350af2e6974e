"""A table of a report is a file in a folder."""

from pathlib import Path

import pytest
from report_runs import make_run

from sdsiqa.report import tables, write
from sdsiqa.report.build import tables_of
from sdsiqa.report.read import read_results
from sdsiqa.report.statistics import Evidence

COUNTED = '''
"""How many images each method has scored."""

from sdsiqa.report.context import ReportContext
from sdsiqa.report.result import by_label
from sdsiqa.report.table import Table

ORDER = 15


def tables(context: ReportContext) -> list[Table]:
    """Count the images of each method."""
    cells = [[label, str(sum(len(run.table) for run in some))] for label, some in by_label(context.results).items()]
    return [Table("counted", "Images", ["method", "images"], cells, [])]
'''


def test_a_new_table_costs_one_file_and_stands_where_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for split in range(2):
        make_run(tmp_path / "runs", split=split)
    results = read_results([tmp_path / "runs"])
    before = [table.name for table in tables_of(results, Evidence(50))]
    assert before[0] == "benchmark-live-test"
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "counted.py").write_text(COUNTED)
    monkeypatch.setattr(tables, "__path__", [*tables.__path__, str(folder)])
    assert [table.name for table in tables_of(results, Evidence(50))] == [before[0], "counted", *before[1:]]
    write([tmp_path / "runs"], tmp_path / "out", with_images=False)
    images = sum(len(result.table) for result in results)
    assert (tmp_path / "out" / "tables" / "counted.csv").exists()
    assert f"{images}" in (tmp_path / "out" / "report.md").read_text().split("Images", 1)[1][:200]
