"""BID [Ciancio et al., TIP 2011]: 586 photographs with real blur."""

import pandas as pd

from sdsiqa.benchmarks.base import Benchmark


class BID(Benchmark):
    """BID: grades of 0 to 5, higher is better; of the numbers 1 to 590, four do not exist.

    Expected files: `DatabaseGrades.xls` or `.xlsx` (Image Number, Average Subjective Grade, …);
    `DatabaseImage0001.JPG` …, beside it or in `ImageDatabase/`.

    Args:
        root: The folder with the grades, or the one that holds it.
        short_side: Resize every image so that its short side has this many pixels; 512 is usual, None keeps all.
    """

    name = "bid"
    title = "BID"
    mos_range = (0.0, 5.0)
    size = 586
    mean_quality = 0.5905
    url = "http://www02.smt.ufrj.br/~eduardo/ImageDatabase.htm"
    label_files = ("DatabaseGrades.xls", "DatabaseGrades.xlsx")

    def read(self) -> pd.DataFrame:
        """Read the average grades from the old or the new kind of workbook."""
        path = self.file(*self.label_files)
        if path.suffix == ".xlsx":
            labels = pd.read_excel(path)
        else:
            from xlrd import open_workbook  # pandas deprecates its own use of it

            header, *rows = open_workbook(path).sheet_by_index(0).get_rows()
            labels = pd.DataFrame([[cell.value for cell in row] for row in rows], columns=[c.value for c in header])
        folder = "ImageDatabase/" if "ImageDatabase" in self.tree.names() else ""
        files = labels["Image Number"].map(lambda number: f"DatabaseImage{int(number):04d}.JPG")
        return pd.DataFrame({"image": folder + files, "mos": labels["Average Subjective Grade"], "content": files})
