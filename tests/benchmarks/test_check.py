import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fakes import FAKES, scene, write_fake
from PIL import Image
from scipy.io import loadmat, savemat

from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.benchmarks.check import check_benchmark, inspect, inspect_all, main
from sdsiqa.images import write_image

LIVEC_ROOT = os.environ.get("SDSIQA_LIVEC")


@pytest.fixture(autouse=True)
def subset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")


def replace(path: Path, data: bytes) -> None:
    """Write a new file in the place of an old one, which may be a hard link to somebody else's."""
    path.unlink()
    path.write_bytes(data)


def change_mos(root: Path, value: float) -> None:
    path = root / "Data" / "AllMOS_release.mat"
    mos = loadmat(path)["AllMOS_release"]
    mos[0, 9] = value
    path.unlink()
    savemat(path, {"AllMOS_release": mos})


def cut(path: Path) -> None:
    replace(path, path.read_bytes()[: path.stat().st_size // 2])


def rename_folder(root: Path) -> None:
    (root / "Images").rename(root / "Pictures")


def lower_case_folder(root: Path) -> None:
    (root / "Images").rename(root / "images")


def wrong_case(root: Path) -> None:
    (root / "Images" / "536.JPG").rename(root / "Images" / "536.jpg")


def half_unpacked(root: Path) -> None:
    for path in sorted((root / "Images").glob("*.JPG")):
        path.unlink()


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing image": (
        lambda root: (root / "Images" / "104.bmp").unlink(),
        "1 of the listed images missing in {images}: '104.bmp'",
    ),
    "truncated JPG": (lambda root: cut(root / "Images" / "534.JPG"), "Images/534.JPG: the file is truncated"),
    "truncated BMP": (lambda root: cut(root / "Images" / "102.bmp"), "Images/102.bmp: the file is truncated"),
    "empty file": (lambda root: replace(root / "Images" / "106.bmp", b""), "Images/106.bmp: the file is empty"),
    "text as image": (
        lambda root: replace(root / "Images" / "535.JPG", b"<html>404 Not Found</html>\n" * 40),
        "Images/535.JPG: is not an image",
    ),
    "no label file": (
        lambda root: (root / "Data" / "AllMOS_release.mat").unlink(),
        "'Data/AllMOS_release.mat' not found in",
    ),
    "no labels at all": (lambda root: shutil.rmtree(root / "Data"), "'Data/AllImages_release.mat' not found in"),
    "NaN score": (lambda root: change_mos(root, np.nan), "): score is nan; expected a finite number"),
    "score off the scale": (lambda root: change_mos(root, 123.5), "): score is 123.5; expected 0 … 100"),
    "duplicate": (
        lambda root: replace(root / "Images" / "109.bmp", (root / "Images" / "108.bmp").read_bytes()),
        "the same file under 2 names: 'Images/108.bmp', 'Images/109.bmp'",
    ),
    "renamed folder": (rename_folder, "folder 'Images' not found in {root}, which holds 'Data', 'Pictures'"),
    "folder in lower case": (
        lower_case_folder,
        "have another letter case than the list: 'images' (listed as 'Images')",
    ),
    "name in lower case": (wrong_case, "'Images/536.jpg' (listed as 'Images/536.JPG'); give them back"),
    "half unpacked": (half_unpacked, "of the listed images missing in {images}: '533.JPG', '534.JPG', '535.JPG', …"),
    "cut label file": (
        lambda root: cut(root / "Data" / "AllMOS_release.mat"),
        "the label files in {root} cannot be read",
    ),
}


def printed(report: str) -> str:
    return " ".join(report.split())


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_is_named_and_nothing_else(damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_fake("livec", tmp_path) / "ChallengeDB_release"
    harm, expected = DAMAGES[damage]
    harm(root)
    assert main(["livec", "--root", str(root), "--jobs", "1"]) == 1
    problems = check_benchmark(BENCHMARKS["livec"](root), jobs=1).problems
    assert len(problems) == 1
    assert expected.format(root=root, images=root / "Images") in problems[0]
    out = printed(capsys.readouterr().out)
    assert "1 problem" in out
    assert "1. " in out


@pytest.mark.skipif(LIVEC_ROOT is None, reason="SDSIQA_LIVEC does not name the unpacked LIVE In the Wild")
@pytest.mark.parametrize("damage", [None, *DAMAGES])
def test_each_damage_of_the_real_set_is_named(damage: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SDSIQA_TEST_SUBSET")
    base = BENCHMARKS["livec"](Path(str(LIVEC_ROOT))).root
    root = tmp_path / base.name
    shutil.copytree(base, root, copy_function=os.link)
    if damage is None:
        report = check_benchmark(BENCHMARKS["livec"](root), jobs=2)
        assert report.problems == []
        assert report.facts["images"] == "1162 listed, 1162 readable, 0 missing, 0 broken"
        return
    DAMAGES[damage][0](root)
    problems = check_benchmark(BENCHMARKS["livec"](root), jobs=2).problems
    assert len(problems) == 1
    assert DAMAGES[damage][1].format(root=root, images=root / "Images") in problems[0]


@pytest.mark.parametrize("name", [kind.name for kind in FAKES])
def test_every_drawn_benchmark_is_sound(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_fake(name, tmp_path)
    assert main([name, "--root", str(root), "--jobs", "1"]) == 0
    out = printed(capsys.readouterr().out)
    kind = BENCHMARKS[name]
    images = len(kind(root).table())
    assert f"{images} listed, {images} readable, 0 missing, 0 broken" in out
    assert kind.title in out
    assert "0 problems" in out


def test_reversed_scores_are_noticed(tmp_path: Path) -> None:
    root = write_fake("kadid10k", tmp_path) / "kadid10k"
    lines = (root / "dmos.csv").read_text().splitlines()
    turned = [lines[0]]
    for line in lines[1:]:
        image, reference, mos, var = line.split(",")
        turned.append(f"{image},{reference},{6 - float(mos)},{var}")
    (root / "dmos.csv").write_text("\n".join(turned))
    (problem,) = check_benchmark(BENCHMARKS["kadid10k"](root), jobs=1).problems
    assert problem.startswith(
        "KADID-10k: quality rises with the level of distortion in 2 of 2 types, from row 1 ('Gaussian blur')"
    )


def test_a_missing_reference_and_case_repairs_are_told(tmp_path: Path) -> None:
    root = write_fake("tid2013", tmp_path)
    (root / "reference_images" / "I03.BMP").unlink()
    report = check_benchmark(BENCHMARKS["tid2013"](root), jobs=1)
    assert ["'I03.BMP'" in problem for problem in report.problems] == [True]
    assert report.facts["references"].startswith("5 of 6 readable")
    assert report.facts["letter case"] == "5 names differ from the list"


def test_modes_and_turned_images_are_counted(tmp_path: Path) -> None:
    root = write_fake("koniq10k", tmp_path)
    names = sorted(path.name for path in (root / "1024x768").iterdir())
    grey = Image.fromarray(scene(1)).convert("L")
    grey.save(root / "1024x768" / names[0])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(scene(2)).save(root / "1024x768" / names[1], exif=exif)
    Image.fromarray(scene(3)).convert("CMYK").save(root / "1024x768" / names[2])
    report = check_benchmark(BENCHMARKS["koniq10k"](root), jobs=1)
    assert report.problems == []
    assert "L 1 (converted to RGB)" in report.facts["colour modes"]
    assert "CMYK 1 (converted to RGB)" in report.facts["colour modes"]
    assert report.facts["turned by EXIF"] == "1"
    assert "80×96 (1)" in report.facts["sizes"]


def test_many_problems_are_cut_short_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_fake("spaq", tmp_path)
    for path in sorted((root / "TestImage").iterdir())[:13]:
        path.write_bytes(b"")
    assert main(["spaq", "--root", str(root), "--jobs", "1"]) == 1
    out = printed(capsys.readouterr().out)
    assert "13 problems" in out
    assert "… and 3 more" in out


def test_several_processes_find_what_one_finds(tmp_path: Path) -> None:
    for number in range(100):
        write_image(tmp_path / f"{number}.png", scene(number % 7, 64, 64))
    (tmp_path / "5.png").write_bytes(b"no image")
    paths = [f"{number}.png" for number in range(100)]
    assert inspect_all(tmp_path, paths, jobs=2) == {path: inspect(tmp_path, path) for path in paths}


@pytest.mark.parametrize("folder", ["livec", "ChallengeDB_release"])
def test_the_default_root_is_below_sdsiqa_data(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    write_fake("livec", tmp_path / folder)
    monkeypatch.setenv("SDSIQA_DATA", str(tmp_path))
    assert main(["livec", "--jobs", "1"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["konic10k"], "no benchmark is called 'konic10k'; did you mean 'koniq10k'?"),
        (["bid", "--jobs", "0"], "--jobs: '0' is not possible; expected a whole number, at least 1"),
        (["bid", "--short-side", "0"], "--short-side: '0' is not possible"),
        ([], "the following arguments are required: BENCHMARK"),
    ],
)
def test_wrong_usage_exits_with_2(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert message in printed(capsys.readouterr().err)


def test_a_root_that_is_not_there_is_one_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "--root", str(tmp_path / "nowhere")]) == 1
    out = printed(capsys.readouterr().out)
    assert "nowhere does not exist; looked there for 'dmos_realigned.mat'" in out
    assert "https://live.ece.utexas.edu" in out


def test_the_check_needs_no_torch() -> None:
    program = "import sys, sdsiqa.benchmarks.check; print([name for name in ('torch', 'lightning') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
