"""Reports: what is written where, and printed in which format."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_runs import draw_images, make_run

from runs import fit
from sdsiqa import metrics
from sdsiqa.cli import main
from sdsiqa.report import write
from sdsiqa.runs.scores import SPREAD, read_scores, write_scores


def test_the_readme_gets_the_runs_between_its_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in range(2):
        make_run(tmp_path / "runs", split=split)
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- results runs -->\nold\n<!-- end -->\nafter\n")
    assert main(["report", str(tmp_path / "runs"), "--readme", str(readme)]) == 0
    text = readme.read_text()
    assert text.startswith("before\n<!-- results runs -->\n\n**sdsiqa on live-test**")
    assert text.endswith("<!-- end -->\nafter\n")
    assert "old" not in text
    assert "| **median** |" in text
    assert "LIVE, live-test\n" in capsys.readouterr().out
    readme.write_text("no marks")
    assert main(["report", str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--readme", str(readme)]) == 1
    assert not (tmp_path / "out").exists()
    assert "has no marks `<!-- results runs -->` or `<!-- summary runs -->`" in capsys.readouterr().err
    readme.write_bytes(b"caf\xe9\n<!-- results runs -->\n<!-- end -->\n")
    assert main(["report", str(tmp_path / "runs"), "--readme", str(readme)]) == 1
    assert f"{readme} is no text in UTF-8 (" in capsys.readouterr().err


def test_a_readme_without_an_end_mark_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path / "runs")
    readme = tmp_path / "README.md"
    readme.write_text("<!-- results runs -->\nold\n\n## Chapter\n<!-- results other -->\nx\n<!-- end -->\n")
    before = readme.read_bytes()
    assert main(["report", str(tmp_path / "runs"), "--readme", str(readme)]) == 1
    assert "has no marks `<!-- results runs -->` or `<!-- summary runs -->` and `<!-- end -->`" in capsys.readouterr().err
    assert readme.read_bytes() == before


def test_a_link_to_a_readme_its_rights_and_its_line_ends_stay(tmp_path: Path) -> None:
    make_run(tmp_path / "runs")
    readme, link = tmp_path / "README.md", tmp_path / "link.md"
    readme.write_bytes(b"before\r\n<!-- results runs -->\r\nold\r\n<!-- end -->\r\nafter\r\n")
    readme.chmod(0o640)
    link.symlink_to(readme)
    assert main(["report", str(tmp_path / "runs"), "--readme", str(link)]) == 0
    assert link.is_symlink()
    assert readme.stat().st_mode & 0o777 == 0o640
    text = readme.read_bytes()
    assert b"**sdsiqa on live-test**" in text
    assert text.count(b"\n") == text.count(b"\r\n") > 8


def test_a_readme_gets_a_row_per_method_and_another_file_every_run(tmp_path: Path) -> None:
    for split in range(2):
        make_run(tmp_path / "runs", split=split)
    short, long = tmp_path / "README.md", tmp_path / "results.md"
    short.write_text("# A\n<!-- summary runs -->\n<!-- end -->\n")
    long.write_text("# B\n<!-- results runs -->\n<!-- end -->\n<!-- summary runs -->\nold\n<!-- end -->\n")
    words = ["report", str(tmp_path / "runs"), "--readme", str(short), "--readme", str(long)]
    assert main(words) == 0
    lines = short.read_text().splitlines()
    assert lines[3:6] == ["**LIVE, live-test**", "", "| method | SRCC | 95 % | PLCC | runs |"]
    assert lines[7].startswith("| sdsiqa | 0.")
    assert "±" in lines[7]
    assert lines[-1] == "<!-- end -->"
    assert "| **median** |" in long.read_text()
    assert "old" not in long.read_text()
    assert "\n".join(lines[3:8]) in long.read_text()


def test_formats_on_standard_output(ablated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(next(ablated.glob("live-dbcnn-full-0-*")))
    assert main(["report", run, "--format", "csv"]) == 0
    block = capsys.readouterr().out.split("# ")[1]
    frame = pd.read_csv(io.StringIO(block.split("\n", 1)[1]))
    scores = read_scores(Path(run) / "scores" / "live-test.csv")
    assert frame["srcc_mean"][0] == pytest.approx(metrics.srcc(scores["score"], scores["quality"]), abs=1e-15)
    for format_, said in (("latex", r"\toprule"), ("html", "<!doctype html>"), ("md", "| :--- |")):
        assert main(["report", run, "--format", format_]) == 0
        assert said in capsys.readouterr().out


def test_nothing_to_report_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 1
    assert "holds no scores/*.csv; name a folder that `sdsiqa fit` made" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "runs-*")]) == 1
    assert "runs-* does not exist; name a folder" in capsys.readouterr().err
    run = make_run(tmp_path)
    (run / "config.yaml").unlink()
    assert main(["report", str(run)]) == 1
    assert "config.yaml cannot be read (FileNotFoundError)" in capsys.readouterr().err


@pytest.mark.slow
def test_a_written_report_is_whole(tmp_path: Path) -> None:
    root = draw_images("live", tmp_path / "live")
    for split in range(2):
        make_run(tmp_path / "runs", split=split, root=root, tested=("livec",))
        diverged = make_run(tmp_path / "runs", split=split, root=root, ablation="no_gate") / "scores" / "live-test.csv"
    write_scores(diverged, read_scores(diverged).assign(score=np.nan))
    files = write([tmp_path / "runs"], tmp_path / "out", "sdsiqa", Path("results/quoted.csv"))
    names = {str(file.relative_to(tmp_path / "out")) for file in files}
    assert {"report.md", "report.tex", "report.html", "tables/cross.csv", "tables/quoted.csv"} <= names
    for figure in ("bars-ablation-live-test-sdsiqa", "heat-cross", "box-srcc", "scatter-live-test-sdsiqa"):
        assert {f"figures/{figure}.png", f"figures/{figure}.pdf"} <= names
    assert {"figures/scatter-distortions-live-test-sdsiqa.png", "figures/worst-live-test-sdsiqa.png"} <= names
    assert all(file.exists() for file in files)
    text = (tmp_path / "out" / "report.md").read_text()
    linked = {part.split(")")[0] for part in text.split("](")[1:]}
    assert linked <= names


def test_a_report_to_publish_holds_no_image_of_a_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "runs", "livec", root=draw_images("livec", tmp_path / "livec"))
    (run / "figures").mkdir()
    (run / "figures" / "panel-livec-test.png").write_bytes((tmp_path / "livec" / "photos" / "c000--1.png").read_bytes())
    for more in ([], ["--no-images"]):
        assert main(["report", str(run), "--full", "--out", str(tmp_path / "out"), *more]) == 0
        names = {Path(line).name for line in capsys.readouterr().out.splitlines()}
        shown = (tmp_path / "out" / "report.html").read_text()
        has = not more
        assert any(name.startswith("worst-") for name in names) == has
        assert any(name.startswith("panel-") for name in names) == has
        assert sorted(path.name for path in (tmp_path / "out" / "figures").iterdir()) == sorted(
            name for name in names if name.endswith((".png", ".pdf"))
        )  # the second report took away what the first had and it has not
        assert ("panel-livec-test" in (tmp_path / "out" / "report.md").read_text()) == has
        assert all((f'id="{which}-livec"' in shown) == has for which in ("whole", "parts"))
        (tmp_path / "out" / "report.html").unlink()


def test_the_same_runs_make_the_same_report(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "livec", root=draw_images("livec", tmp_path / "livec"), contents=100)
    one, other = (write([tmp_path / "runs"], tmp_path / name) for name in ("one", "other"))
    assert len(one) > 6
    for first, second in zip(one, other, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_real_runs_are_reported_with_what_the_network_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    run = fit(tmp_path, "--run.figures", "true", benchmark="live", epochs=1)
    assert SPREAD in read_scores(run / "scores" / "live-test.csv")
    names = {file.name for file in write([tmp_path / "runs"], tmp_path / "out")}
    assert {"report.html", "benchmark-live-test.csv"} <= names
    assert any(name.startswith("worst-") for name in names)
    assert list((tmp_path / "out" / "figures").glob("panel-live-test-*.pdf"))
