"""The notebook of `examples/` runs from its first cell to its last: `make test-docs`."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.filterwarnings("default")
FILE = Path(__file__).parents[3] / "examples" / "own_pictures.ipynb"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Its cells of code after a run in an empty folder."""
    notebook = nbformat.read(FILE, as_version=4)
    nbformat.validate(notebook)
    place = tmp_path_factory.mktemp("notebook")
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(place)}}).execute()
    assert len(list((place / "pictures").glob("*.png"))) == 10
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell: Any, kind: str = "text/plain") -> str:
    """What a cell gives at its end."""
    (result,) = [output for output in cell.outputs if output.output_type == "execute_result"]
    return str(result.data[kind])


def test_every_cell_runs_and_says_what_it_should(cells: list[Any]) -> None:
    found = {line: cell for cell in cells for line in cell.source.splitlines()}
    assert shown(found["data"]) == "QualityDataModule(Own pictures in pictures, split 0, SDSP)"
    assert shown(found["network"]).startswith("SDSIQA(image, saliency): ")
    assert "val/srcc" in shown(cells[-3])
    assert "quality" in shown(cells[-2])


def test_its_figure_is_shown(cells: list[Any]) -> None:
    assert len(shown(cells[-1], "image/png")) > 10_000
