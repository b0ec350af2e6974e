"""Scores of files of every kind, from a checkpoint that carries all it needs."""

import json
import pickle  # noqa: TID251 - to make a file that would run code
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from fakes import scene
from matplotlib.figure import Figure

import sdsiqa
from sdsiqa import plots
from sdsiqa.cli import main
from sdsiqa.errors import CheckpointError, ImageError
from sdsiqa.images import read_image, write_image
from sdsiqa.inference.scorer import Scorer

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files that people have: seven good ones and four broken ones."""
    photos = tmp_path / "photos"
    image = scene(1, 120, 90)
    for name in ("plain.png", "deep/photo.JPG", "bitmap.bmp"):
        write_image(photos / name, image)
    write_image(photos / "grey.png", image[..., 0])
    write_image(photos / "sixteen.png", image[..., 0].astype(np.uint16) * 257)  # type: ignore[arg-type]
    alpha = np.dstack([image[..., ::-1], np.full(image.shape[:2], 128, np.uint8)])
    cv2.imwrite(str(photos / "alpha.png"), alpha)
    write_image(photos / "wide.png", scene(2, 40, 700))
    (photos / "cut.jpg").write_bytes((photos / "deep/photo.JPG").read_bytes()[:-900])
    (photos / "text.png").write_text("not an image")
    (photos / "empty.jpg").touch()
    write_image(photos / "tiny.png", scene(3, 8, 8))
    (photos / "notes.txt").write_text("passed over")
    return photos


BROKEN = {"cut.jpg": "truncated", "text.png": "not an image", "empty.jpg": "empty", "tiny.png": "is 8×8 pixels; expected 32"}


def test_a_mixed_folder_is_scored_and_its_broken_files_are_named(
    folder: Path, checkpoint: Path, scorer: Scorer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(folder), "--checkpoint", str(checkpoint), "--scale", "0-1", "--format", "json"]) == 1
    out, err = capsys.readouterr()
    rows = {Path(row["image"]).name: row["score"] for row in json.loads(out)}
    assert set(rows) == {"plain.png", "photo.JPG", "bitmap.bmp", "grey.png", "sixteen.png", "alpha.png", "wide.png"}
    assert "4 of 11 files could not be scored" in err
    for name, reason in BROKEN.items():
        assert any(name in line and reason in line for line in err.splitlines()), name
    for file in folder.rglob("*"):
        if file.name in rows:
            assert rows[file.name] == scorer(file)[0]
    assert rows["grey.png"] == rows["sixteen.png"]
    assert rows["plain.png"] == rows["bitmap.bmp"]


def test_styles_scales_patterns_and_maps(folder: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(folder / "p*.png"), "--checkpoint", str(checkpoint)]
    assert main(["score", *words, "--format", "csv", "--map", str(folder / "maps")]) == 0
    table = pd.read_csv(pd.io.common.StringIO(capsys.readouterr().out))
    assert read_image(Path(table["map"][0])).shape[2] == 3
    assert table["scale"].tolist() == ["0-100"]
    assert main(["score", *words, "--scale", "mos"]) == 0
    assert float(capsys.readouterr().out.split()[0]) == pytest.approx(table["score"][0], abs=1e-3)  # LIVEC's scale is 0-100
    assert main(["score", str(folder / "nothing*"), "--checkpoint", str(checkpoint)]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_maps_mirror_the_folders_and_say_the_printed_score(
    folder: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, str] = {}

    def keep(figure: Figure, path: Path) -> None:
        drawn[str(path)] = "\n".join(text.get_text() for text in figure.texts)

    monkeypatch.setattr(plots, "save", keep)
    (folder / "deep" / "plain.png").write_bytes((folder / "plain.png").read_bytes())
    maps = folder / "maps"
    for scale, name in (("0-100", "0 to 100, higher is better"), ("mos", "the scale of LIVE In the Wild, higher is better")):
        drawn.clear()
        main(["score", str(folder), "--checkpoint", str(checkpoint), "--map", str(maps), "--scale", scale])
        out, err = capsys.readouterr()
        assert f"scores on {name}" in err
        printed = {file: score for score, file in (line.split(maxsplit=1) for line in out.splitlines())}
        mirrored = {str(maps / f"{Path(file).relative_to(folder)}.png"): score for file, score in printed.items()}
        assert set(drawn) == set(mirrored)
        assert {str(maps / "deep" / "plain.png.png"), str(maps / "plain.png.png")} < set(drawn)
        for file, score in mirrored.items():
            assert f"score {score} ({name})" in drawn[file]


def test_maps_of_two_folders_do_not_meet_and_are_not_scored_themselves(
    folder: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = folder.parent / "one", folder.parent / "two"
    for place in (one, two):
        place.mkdir()
        (place / "a.png").write_bytes((folder / "plain.png").read_bytes())
    words = [
        "score",
        str(one),
        str(two / "a.png"),
        "--checkpoint",
        str(checkpoint),
        "--format",
        "json",
        "--map",
        str(one / "maps"),
    ]
    for _ in range(2):
        assert main(words) == 0
        rows = json.loads(capsys.readouterr().out)
        assert [row["map"] for row in rows] == [str(one / "maps" / name / "a.png.png") for name in ("one", "two")]
        assert all(Path(row["map"]).is_file() for row in rows)


def test_without_a_checkpoint_the_newest_is_taken(folder: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(folder / "plain.png"), "--runs", str(run.parent)]) == 0
    assert str(run.name) in capsys.readouterr().err
    assert main(["score", str(folder / "plain.png"), "--runs", str(folder)]) == 1
    assert "name one with --checkpoint" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_named(folder: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    maps = folder / "never"
    words = ["score", str(folder / "plain.png"), "--checkpoint", str(checkpoint), "--map", str(maps), "--device"]
    for device in ("gpuu", "cuda:99"):
        assert main([*words, device]) == 2
        error = capsys.readouterr().err
        assert f"sdsiqa score: device is {device!r} (" in error
        assert error.count("\n") == 1
    assert not maps.exists()


def test_a_scorer_says_what_it_is(scorer: Scorer) -> None:
    assert repr(scorer) == "Scorer(SDSIQA trained on LIVE In the Wild, 2 × 2 crops, on cpu)"


def test_a_score_depends_on_its_image_alone(folder: Path, scorer: Scorer) -> None:
    files = [folder / "plain.png", folder / "wide.png", folder / "alpha.png"]
    together = scorer(files)
    assert together.dtype == np.float64
    assert scorer(files[::-1]).tolist() == together.tolist()[::-1]
    assert [scorer(read_image(file))[0] for file in files] == together.tolist()


def test_scores_equal_those_of_the_test(run: Path, scorer: Scorer) -> None:
    table = pd.read_csv(run / "scores" / "livec-test.csv")
    root = run.parent.parent / "data" / "livec" / "ChallengeDB_release"
    assert scorer([root / name for name in table["image"]]) == pytest.approx(table["score"].to_numpy(), abs=1e-6)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((40, 40, 3), np.float32), "round"),
        (np.zeros((40, 40), np.uint8), "numpy.repeat"),
        (np.zeros((3, 40, 40), np.uint8), "expected RGB"),
    ],
)
def test_other_arrays_are_refused_with_the_remedy(scorer: Scorer, image: np.ndarray, words: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ImageError, match=words):
        scorer(image)


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.target,)


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    file, target = tmp_path / "bomb.ckpt", tmp_path / "exploded"
    file.write_bytes(pickle.dumps(Bomb(target)))
    with pytest.raises(CheckpointError, match="is no checkpoint of plain weights"):
        sdsiqa.load(file)
    torch.save({"state_dict": {}, "bomb": Bomb(target)}, file)
    with pytest.raises(CheckpointError, match="is no checkpoint of plain weights"):
        sdsiqa.load(file)
    assert not target.exists()


def test_other_checkpoints_are_refused_by_name(tmp_path: Path, checkpoint: Path) -> None:
    def changed(**recipe: object) -> Path:
        content = torch.load(checkpoint, weights_only=True)  # noqa: TID251
        content["sdsiqa"] = json.dumps({**json.loads(content["sdsiqa"]), **recipe})
        torch.save(content, tmp_path / "changed.ckpt")
        return tmp_path / "changed.ckpt"

    with pytest.raises(CheckpointError, match=r"there is no such checkpoint; name a .*train one"):
        sdsiqa.load(tmp_path / "none.ckpt")
    (tmp_path / "empty.ckpt").touch()
    with pytest.raises(CheckpointError, match="is no checkpoint of plain weights"):
        sdsiqa.load(tmp_path / "empty.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match="was not made by `sdsiqa fit`"):
        sdsiqa.load(tmp_path / "other.ckpt")
    torch.save([1], tmp_path / "list.ckpt")
    with pytest.raises(CheckpointError, match="holds no `state_dict`"):
        sdsiqa.load(tmp_path / "list.ckpt")
    with pytest.raises(CheckpointError, match="its recipe has version 99, and this sdsiqa reads 1"):
        sdsiqa.load(changed(version=99))
    with pytest.raises(CheckpointError, match=r"wants 'os\.system' to be built, and only classes of sdsiqa are"):
        sdsiqa.load(changed(network={"class_path": "os.system", "init_args": {}}))
    small = {"class_path": "sdsiqa.models.SDSIQA", "init_args": {"backbone": "test_resnet"}}
    with pytest.raises(CheckpointError, match=r"'QualityNetwork\.init_args\.backbone'.*use the sdsiqa that made it"):
        sdsiqa.load(changed(network=small))
