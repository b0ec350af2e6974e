"""The model that ships: half precision, no pickle, used where nothing else is named."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import cv2
import pytest
import skimage.data
import torch
from checkpoints import branches, recipe, write_checkpoint
from fakes import scene
from packaging.requirements import Requirement
from safetensors import safe_open
from safetensors.torch import save_file

import sdsiqa
from sdsiqa.cli import main
from sdsiqa.errors import CheckpointError
from sdsiqa.images import write_image
from sdsiqa.inference import checkpoint_paths, score, shipped
from sdsiqa.inference.shipped import to_safetensors
from tools import pretrained

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models that ship, here an empty one."""
    folder = tmp_path / "pretrained"
    folder.mkdir()
    monkeypatch.setattr(checkpoint_paths, "SHIPPED", folder)
    monkeypatch.setattr(score, "SHIPPED", folder)
    return folder


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    write_image(tmp_path / "photo.png", scene(1, 120, 90))
    return tmp_path / "photo.png"


def test_a_run_becomes_a_file_with_a_card_that_scores_alike(
    run: Path, shelf: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = shelf / "sdsiqa-livec.safetensors"
    pretrained.main([str(run), "--out", str(file)])
    assert "half precision moves no score by more than" in capsys.readouterr().out
    assert [path.name for path in shelf.iterdir()] == [file.name]
    with safe_open(file, framework="pt") as content:
        card = content.metadata()
        kinds = {content.get_tensor(name).dtype for name in content.keys() if content.get_tensor(name).dim() > 1}  # noqa: SIM118
    record = json.loads((run / "run.json").read_text())
    assert kinds == {torch.float16}
    assert card["data"] == "LIVE In the Wild"
    assert (card["split"], card["seed"], card["run"]) == ("0", str(record["seed"]), record["id"])
    assert card["commit"].startswith(record["git"].get("commit", "unknown"))
    assert json.loads(card["metrics"]) == json.loads((run / "metrics.json").read_text())
    assert json.loads(card["sdsiqa"])["network"]["class_path"].startswith("sdsiqa.models.")
    expected = sdsiqa.load(run / "checkpoints" / "best.ckpt")(photo)
    assert sdsiqa.load(file)(photo) == pytest.approx(expected, abs=2e-3)
    capsys.readouterr()
    scorer = sdsiqa.load()
    assert (
        capsys.readouterr().err
        == "sdsiqa: scores with the model that ships with it, sdsiqa-livec.safetensors, since none is named\n"
    )
    assert scorer(photo).tolist() == sdsiqa.score(photo).tolist() == sdsiqa.load(file)(photo).tolist()
    capsys.readouterr()
    assert main(["score", str(photo), "--scale", "0-1", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)[0]["score"] == scorer(photo)[0]
    assert (
        err.splitlines()[0]
        == f"{file}: scores on 0 to 1, higher is better; the model that ships with sdsiqa, since none is named"
    )


def test_without_a_model_one_sentence_says_what_to_do(
    shelf: Path, photo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shelf)
    assert main(["score", str(photo)]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert (
        "no checkpoint is named, and this sdsiqa ships without a model; name a file or the folder of a run with --checkpoint"
        in err
    )
    with pytest.raises(CheckpointError, match="ships without a model"):
        sdsiqa.load()
    shutil.rmtree(shelf)
    with pytest.raises(CheckpointError, match="ships without a model"):
        sdsiqa.load()


def test_a_file_that_does_not_fit_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    for data in (b"", b"not weights", to_safetensors({"a": torch.ones(9, 9)}, recipe("CNNIQA"), {})[:-50]):
        file.write_bytes(data)
        with pytest.raises(CheckpointError, match=r"other\.safetensors: is no \.safetensors file, or is cut \("):
            sdsiqa.load(file)
    save_file({"a": torch.ones(2)}, file)
    with pytest.raises(CheckpointError, match=r"holds weights without the recipe of sdsiqa, such as those of a backbone"):
        sdsiqa.load(file)
    save_file({"a": torch.ones(2)}, file, metadata={"sdsiqa": "{}", "format": "7"})
    with pytest.raises(CheckpointError, match="has format '7', and this sdsiqa reads 1"):
        sdsiqa.load(file)
    file.write_bytes(to_safetensors({"a": torch.ones(2)}, recipe("CNNIQA"), {}))
    with pytest.raises(CheckpointError, match="its weights do not fit the network"):
        sdsiqa.load(file)
    with pytest.raises(CheckpointError, match="there is no such file"):
        sdsiqa.load(tmp_path / "none.safetensors")


def test_what_is_too_large_or_not_finite_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match="the weight a is not finite in half precision"):
        to_safetensors({"a": torch.full((2, 2), 1e6)}, recipe("CNNIQA"), {})
    monkeypatch.setattr(shipped, "LARGEST", 1000)
    with pytest.raises(CheckpointError, match="in half precision; at most 0 MiB ship"):
        to_safetensors({"a": torch.ones(40, 40)}, recipe("CNNIQA"), {})
    with pytest.raises(SystemExit, match="is no finished run with a checkpoint"):
        pretrained.main([str(tmp_path), "--out", str(tmp_path / "a.safetensors")])
    assert not list(tmp_path.iterdir())


def test_places_of_weights_stay_at_home(tmp_path: Path) -> None:
    arguments = branches("test_resnet")
    arguments["image_branch"] = {"backbone": "test_resnet", "weights": "/home/me/weights.safetensors"}
    checkpoint = write_checkpoint(tmp_path / "best.ckpt", "SDSIQA", **arguments)
    scorer = sdsiqa.load(checkpoint)
    assert "/home/me" in scorer.recipe.to_json()
    assert b"/home/me" not in to_safetensors(scorer.network.state_dict(), scorer.recipe, {})


def test_the_model_that_ships_scores_three_photographs_as_it_did() -> None:
    pictures = [getattr(skimage.data, name)() for name in ("astronaut", "coffee", "chelsea")]
    scorer = sdsiqa.load()
    assert scorer(pictures) == pytest.approx([0.6686, 0.7709, 0.7028], abs=2e-3)
    blurred = [cv2.GaussianBlur(picture, (0, 0), 4) for picture in pictures]
    assert (scorer(blurred) < scorer(pictures) - 0.4).all()


def link_what_it_requires(wheel: Path, site: Path) -> None:
    """Make a folder of packages that has what a wheel requires, and what that requires, and nothing else.

    The packages are those of this environment: installing torch once more would take minutes.
    """
    (facts,) = wheel.glob("sdsiqa-*.dist-info")
    seen, waiting = set[tuple[str, str]](), [(line, "") for line in Distribution.at(facts).requires or []]
    site.mkdir()
    while waiting:
        text, extra = waiting.pop()
        needed = Requirement(text)
        if needed.marker is not None and not needed.marker.evaluate({"extra": extra}):
            continue
        for more in {"", *needed.extras} - {more for name, more in seen if name == needed.name}:
            seen.add((needed.name, more))
            found = distribution(needed.name)
            waiting += [(line, more) for line in found.requires or []]
            for top in {file.parts[0] for file in found.files or [] if file.parts[0] not in ("..", "__pycache__")}:
                if not (site / top).exists():
                    (site / top).symlink_to(Path(str(found.locate_file(top))))


@pytest.mark.slow
def test_the_wheel_scores_as_the_checkout_does(photo: Path, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "dist")]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        content.extractall(tmp_path / "installed")
    link_what_it_requires(tmp_path / "installed", tmp_path / "site")
    assert (tmp_path / "site" / "torch").is_dir()
    assert not (tmp_path / "site" / "pytest").exists()
    # -P, -S and the path: the packages are the wheel's and what it requires, and not the checkout's
    command = [sys.executable, "-P", "-S", "-m", "sdsiqa", "score", str(photo), "--scale", "0-1", "--format", "json"]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path / 'installed'}{os.pathsep}{tmp_path / 'site'}"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path / 'installed' / 'sdsiqa' / 'pretrained' / 'sdsiqa-livec.safetensors'}: scores on" in done.stderr
    assert json.loads(done.stdout)[0]["score"] == pytest.approx(sdsiqa.load()(photo)[0], abs=1e-6)
