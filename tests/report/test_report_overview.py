"""What `sdsiqa report` prints for a person: one small table, and where all else is."""

import io
import re
from pathlib import Path

import pytest
from report_runs import draw_images, make_run

from sdsiqa.cli import main
from sdsiqa.report.overview import COLUMNS, overview, show
from sdsiqa.report.read import read_results
from sdsiqa.report.statistics import Evidence


def printed(runs: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    file = io.StringIO()
    show(read_results([runs]), Evidence(200), {}, file)
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue()).splitlines()]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for split in range(3):
        for ablation in ("full", "no_guidance_of_any_kind"):
            make_run(tmp_path / "runs", method="qualitymap", ablation=ablation, split=split, tested=("livec",))
    return tmp_path / "runs"


def test_one_small_table_has_a_row_per_method_on_each_benchmark(runs: Path) -> None:
    results = read_results([runs])
    tables, notes = overview(results, evidence := Evidence(200))
    assert list(tables) == ["LIVE, live-test", "LIVE In the Wild, livec-all"]
    row = dict(zip(COLUMNS, tables["LIVE, live-test"][0], strict=True))
    own = [result for result in results if result.group == "live-test" and result.ablation == "full"]
    assert row["method"] == "qualitymap"
    assert row["SRCC"].startswith(f"{evidence.mean(own, 'srcc'):.3f} ± ")
    assert row["runs"] == "3 splits"
    assert tables["LIVE In the Wild, livec-all"][0][0] == "qualitymap, trained on live"
    assert "PLCC is raw" in notes[-1]


def test_a_dash_in_place_of_an_interval_has_its_reason(tmp_path: Path) -> None:
    make_run(tmp_path, contents=10)
    tables, notes = overview(read_results([tmp_path]), Evidence(200))
    assert tables["LIVE, live-test"][0][COLUMNS.index("95 %")] == "–"
    assert notes[-1] == "No interval: 2 contents are too few for one; 5 at least are drawn from."


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal_and_numbers_stay_whole(runs: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    lines = printed(runs, monkeypatch, width)
    assert max(map(len, lines)) <= width
    rows = [line for line in lines if "±" in line and "[0" in line]
    assert len(rows) == 4
    assert all(line.endswith("3 splits") for line in rows)


def test_the_default_is_short_and_full_is_everything(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(runs)]) == 0
    short = capsys.readouterr().out
    assert "|" not in short
    assert len(short.splitlines()) < 20
    assert "--full prints every table" in short
    assert main(["report", str(runs), "--full"]) == 0
    full = capsys.readouterr().out
    assert main(["report", str(runs), "--format", "md"]) == 0
    assert capsys.readouterr().out == full
    assert full.startswith("# Report\n\n### LIVE, live-test")
    assert main(["report", str(runs), "--baseline", "qualitymap"]) == 0  # which only the whole tables can show
    assert "Δ to qualitymap" in capsys.readouterr().out


def test_what_comparisons_came_to_is_said_with_what_the_design_can_see(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(runs), "--out", str(runs.parent / "out")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    heading = said.index("Ablations of qualitymap: LIVE, live-test What this design can see: a true difference of ")
    assert heading < said.index("Found, by SRCC: no_guidance_of_any_kind (") < said.index("page ")
    written = " ".join((runs.parent / "out" / "report.md").read_text().replace("\\", "").split())
    assert said[said.index("Found, by SRCC") : said.index(" page ")].strip() in written


def test_it_ends_with_where_page_and_figures_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path / "runs", "livec", root=draw_images("livec", tmp_path / "livec"))
    out = tmp_path / "out"
    assert main(["report", str(tmp_path / "runs"), "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    page = next(line for line in lines if line.startswith("page"))
    assert page.split() == ["page", str(out / "report.html")]
    figures = [line.split()[-1] for line in lines[lines.index(page) :] if line.endswith(".png")]
    assert figures
    assert all(Path(figure).is_file() for figure in figures)
