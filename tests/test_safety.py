"""Files from elsewhere run no code; files that do not fit say what to do; a run's files can be verified."""

import json
import pickle  # noqa: TID251 - to make what must not be opened
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sdsiqa
from runs import fit, words
from sdsiqa.benchmarks import LIVEC
from sdsiqa.benchmarks.published_splits import read_published_split
from sdsiqa.cli import main
from sdsiqa.data.cache import DecodedCache
from sdsiqa.errors import BenchmarkMismatchError, CheckpointError, SdsiqaError
from sdsiqa.inference.recipe_classes import check_classes
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.manifest import Manifest
from sdsiqa.saliency import Dino

pytestmark = pytest.mark.filterwarnings("default")


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")


@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_a_bomb_as_a_checkpoint_is_refused_by_name(
    tmp_path: Path, run: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mark, bomb = tmp_path / "exploded", tmp_path / "bomb.ckpt"
    if form == "pickle":
        bomb.write_bytes(pickle.dumps({"state_dict": Bomb(mark)}))
    else:
        torch.save({"state_dict": {}, "bomb": Bomb(mark)}, bomb)
    photo = next((run.parents[1] / "data").rglob("*.bmp"), None) or next((run.parents[1] / "data").rglob("*.jpg"))
    commands = [
        ["score", str(photo), "--checkpoint", str(bomb)],
        ["test", "-c", str(run / "config.yaml"), "--ckpt_path", str(bomb)],
        ["fit", *words(tmp_path), "--ckpt_path", str(bomb)],
    ]
    for command in commands:
        assert main(command) == 1, command[0]
        assert f"{bomb}: is no checkpoint of plain weights" in capsys.readouterr().err, command[0]
        assert not mark.exists(), command[0]


def test_a_bomb_as_a_cache_is_refused_by_name(tmp_path: Path) -> None:
    mark = tmp_path / "exploded"
    cache = DecodedCache(tmp_path, "pictures")
    for content in (pickle.dumps(Bomb(mark)), b'{"a.png": [0, 4000, 4000, 1]}'):
        (tmp_path / "pictures.json").write_bytes(content)
        (tmp_path / "pictures.bin").write_bytes(content)
        with pytest.raises(SdsiqaError, match=r"pictures\.json is no index of decoded images .*; remove it and pictures\.bin"):
            cache.fill(["a.png"], lambda name: (np.zeros((2, 2, 3), np.uint8), None))
    assert not mark.exists()


def test_a_bomb_as_a_split_is_refused_by_name(tmp_path: Path, run: Path) -> None:
    table = LIVEC(run.parents[1] / "data" / "livec").table()
    mark = tmp_path / "exploded"
    for part in ("train", "val", "test"):
        np.save(tmp_path / f"{part}.npy", np.array([Bomb(mark)], dtype=object), allow_pickle=True)
    with pytest.raises(BenchmarkMismatchError, match=r"train\.npy is no array of row numbers"):
        read_published_split(tmp_path, 0, "livec", table)
    assert not mark.exists()


def test_a_bomb_as_weights_of_a_saliency_model_is_refused_by_name(tmp_path: Path) -> None:
    mark, file = tmp_path / "exploded", tmp_path / "dino.pth"
    torch.save({"state_dict": Bomb(mark)}, file)
    with pytest.raises(CheckpointError, match=r"dino\.pth: timm cannot build"):
        Dino("test_vit", weights=file)(np.zeros((64, 64, 3), np.uint8), "a")
    assert not mark.exists()


BOMB = {"class_path": "bomb_of_a_recipe.Bomb", "init_args": {}}
PLACES = {
    "network": ("network", {"probe": BOMB}, r"wants 'bomb_of_a_recipe\.Bomb' to be built, and only classes of sdsiqa are"),
    "saliency": ("saliency", {"probe": BOMB}, r"wants 'bomb_of_a_recipe\.Bomb' to be built"),
    "in a list": ("network", {"probe": [BOMB]}, r"wants 'bomb_of_a_recipe\.Bomb' to be built"),
    "torch": ("network", {"probe": {"class_path": "torch.nn.ReLU"}}, r"wants 'torch\.nn\.ReLU' to be built"),
    "text": (
        "network",
        {"probe": "bomb_of_a_recipe.Bomb"},
        "probe as 'bomb_of_a_recipe.Bomb'; expected class path and arguments",
    ),
    "text of a part": ("network", {"fusion": "bomb_of_a_recipe.Bomb"}, "gives fusion as 'bomb_of_a_recipe.Bomb'"),
    "YAML": ("network", {"probe": "{class_path: bomb_of_a_recipe.Bomb}"}, "gives probe as '{class_path"),
    "file": ("network", {"probe": "other.yaml"}, "gives probe as 'other.yaml'"),
    "key": ("network", {"probe.class_path": "bomb_of_a_recipe.Bomb"}, "has an argument 'probe.class_path', which is no name"),
}


@pytest.mark.parametrize(("part", "arguments", "said"), PLACES.values(), ids=PLACES)
def test_a_class_that_a_checkpoint_names_anywhere_is_not_even_imported(
    part: str, arguments: dict[str, Any], said: str, tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = _bomb_of_a_recipe(tmp_path, monkeypatch)
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)  # noqa: TID251
    values = json.loads(content["sdsiqa"])[part]
    if part == "network":
        values["class_path"] = "sdsiqa.models.SDSIQA"
    torch.save(_recipe(content, **{part: {**values, "init_args": {**values["init_args"], **arguments}}}), tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match=said):
        sdsiqa.load(tmp_path / "other.ckpt")
    assert not mark.exists()


CLASS = """
import enum, os, pathlib, typing, collections.abc
from sdsiqa.models import CNNIQA
class Kind(enum.Enum):
    one = 1
class Mine(CNNIQA):
    def __init__(self, kind: Kind = Kind.one, place: str | os.PathLike[str] | None = None, folder: pathlib.Path | None = None,
                 names: collections.abc.Sequence[str] = (), how: typing.Literal["a", "b"] = "a",
                 call: typing.Callable[[int], int] | None = None):
        super().__init__()
"""
TEXTS = {"kind": "one", "place": "a/b", "folder": "a/b", "names": ["a.b"], "how": "b"}


def test_texts_are_texts_where_a_trusted_class_takes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_of_a_recipe.py").write_text(CLASS)
    monkeypatch.syspath_prepend(str(tmp_path))
    part = {"class_path": "mine_of_a_recipe.Mine", "init_args": TEXTS}
    check_classes(part, "some.ckpt", ["mine_of_a_recipe"])
    for value in ("os.getcwd", ["os.getcwd"]):
        with pytest.raises(CheckpointError, match=r"some\.ckpt: its recipe gives call as 'os\.getcwd'"):
            check_classes({**part, "init_args": {"call": value}}, "some.ckpt", ["mine_of_a_recipe"])


@pytest.mark.parametrize("key", ["dict_kwargs", "init_args.probe.class_path"])
@pytest.mark.parametrize("part", ["network", "saliency"])
def test_a_part_of_a_recipe_has_nothing_beside_class_path_and_arguments(
    part: str, key: str, tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = _bomb_of_a_recipe(tmp_path, monkeypatch)
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)  # noqa: TID251
    hidden = "bomb_of_a_recipe.Bomb" if "." in key else {"probe": "bomb_of_a_recipe.Bomb"}
    values = json.loads(content["sdsiqa"])
    torch.save(_recipe(content, **{part: {**values[part], key: hidden}}), tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match=f"has '{key}' beside class_path; expected init_args alone"):
        sdsiqa.load(tmp_path / "other.ckpt")
    assert not mark.exists()


def _bomb_of_a_recipe(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a module that leaves a mark when it is imported, and a file that names its class."""
    mark = folder / "exploded"
    (folder / "bomb_of_a_recipe.py").write_text(f"open({str(mark)!r}, 'w').close()\nclass Bomb:\n    pass\n")
    (folder / "other.yaml").write_text("class_path: bomb_of_a_recipe.Bomb\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.chdir(folder)
    monkeypatch.delitem(sys.modules, "bomb_of_a_recipe", raising=False)  # an import leaves its mark once in a process
    return mark


def _recipe(content: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {**content, "sdsiqa": json.dumps({**json.loads(content["sdsiqa"]), **values})}


def _network(content: dict[str, Any], path: str, **arguments: Any) -> dict[str, Any]:
    network = json.loads(content["sdsiqa"])["network"]
    return _recipe(content, network={"class_path": path, "init_args": {**network["init_args"], **arguments}})


def _weights(content: dict[str, Any], change: Callable[[str, torch.Tensor], Any]) -> dict[str, Any]:
    state = content["state_dict"]
    name = next(name for name in state if "head" in name)
    return {**content, "state_dict": {key: change(key, value) if key == name else value for key, value in state.items()}}


MISFITS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "version": (lambda c: _recipe(c, version=99), "its recipe has version 99, and this sdsiqa reads 1; use the sdsiqa that made"),
    "renamed class": (
        lambda c: _network(c, "sdsiqa.models.Gone"),
        "its recipe names a class that is not there ('sdsiqa.models.Gone': there is no 'Gone' in sdsiqa.models); use the sdsiqa",
    ),
    "renamed saliency": (
        lambda c: _recipe(c, saliency={"class_path": "sdsiqa.saliency.SDPS", "init_args": {}}),
        "its recipe names a class that is not there ('sdsiqa.saliency.SDPS': there is no 'SDPS' in sdsiqa.saliency",
    ),
    "broken recipe": (
        lambda c: {**c, "sdsiqa": c["sdsiqa"][:50]},
        "its recipe is damaged (JSONDecodeError); copy",
    ),
    "recipe of another kind": (lambda c: {**c, "sdsiqa": "[]"}, "its recipe is damaged"),
    "recipe without a part": (lambda c: _recipe(c, grid=None), "its recipe is none of this sdsiqa ("),
    "recipe without a network": (lambda c: _recipe(c, network=None), "its recipe is none of this sdsiqa (network is None"),
    "crop of nothing": (lambda c: _recipe(c, crop=0), "its recipe is none of this sdsiqa (crop is 0)"),
    "no recipe": (lambda c: {k: v for k, v in c.items() if k != "sdsiqa"}, "was not made by `sdsiqa fit`; it carries no recipe"),
    "another width": (lambda c: _weights(c, lambda k, v: v[:1].repeat(3, *[1] * (v.dim() - 1))), "has shape [3"),
    "no tensor": (lambda c: _weights(c, lambda k, v: "text"), "is no tensor (str); expected shape"),
    "lacking": (lambda c: {**c, "state_dict": dict(list(c["state_dict"].items())[1:])}, "do not fit the network (1 missing"),
    "no state": (lambda c: {**c, "state_dict": None}, "holds no `state_dict`; expected a checkpoint of `sdsiqa fit`"),
    "a list": (lambda c: [1, 2], "holds no `state_dict`"),
}
EVERYWHERE = ("renamed class", "broken recipe", "another width", "no state")
"""Those that are tried with the verbs that start a trainer too, which takes a second each."""


@pytest.mark.parametrize("kind", MISFITS)
def test_a_checkpoint_that_does_not_fit_is_one_sentence_with_the_remedy_for_every_reader(
    tmp_path: Path, run: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, message = MISFITS[kind]
    file = tmp_path / "other.ckpt"
    torch.save(change(torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)), file)  # noqa: TID251
    with pytest.raises(CheckpointError) as refused:
        sdsiqa.load(file)
    assert str(refused.value).startswith(f"{file}: ")
    assert message in str(refused.value)
    photo = next((run.parents[1] / "data").rglob("*.bmp"))
    commands = [["score", str(photo), "--checkpoint", str(file)]]
    if kind in EVERYWHERE:
        commands += [
            ["test", "-c", str(run / "config.yaml"), "--ckpt_path", str(file)],
            ["fit", *words(run.parents[1], "livec", "--run.root", str(tmp_path / "runs"), "--ckpt_path", str(file))],
        ]
    for command in commands:
        assert main(command) == 1, command[0]
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sdsiqa ")]
        assert line.startswith(f"sdsiqa {command[0]}: {file}: "), line
        assert message in line, command[0]
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no checkpoint of plain weights, or is cut"),
        (b"\x80\x02\x88.", "is no checkpoint of plain weights"),
        (b"0", "is no checkpoint of plain weights"),
        (b"PK\x03\x04" + b"\0" * 50, "is no checkpoint of plain weights"),
        (None, "is a folder; name a .ckpt file"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_named(
    tmp_path: Path, run: Path, content: bytes | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "some.ckpt"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"some\.ckpt: " + re.escape(said)):
        sdsiqa.load(file)
    assert main(["test", "-c", str(run / "config.yaml"), "--ckpt_path", str(file)]) == 1
    assert f"sdsiqa test: {file}: {said}" in capsys.readouterr().err


@pytest.mark.parametrize(("part", "value"), [("optimizer_states", [{"state": 3}]), ("lr_schedulers", [None])])
def test_a_checkpoint_whose_state_is_damaged_is_not_resumed_from(
    tmp_path: Path, run: Path, part: str, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    content, file = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True), tmp_path / "other.ckpt"  # noqa: TID251
    torch.save({**content, part: value}, file)
    more = ("--run.root", str(tmp_path / "runs"), "--ckpt_path", str(file))
    assert main(["fit", *words(run.parents[1], "livec", *more)]) == 1
    assert f"sdsiqa fit: {file}: its state cannot be resumed from (" in capsys.readouterr().err


def test_verify_finds_what_was_changed(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Path(shutil.copytree(run, tmp_path / "runs" / run.name))
    assert main(["verify", str(run)]) == 0
    assert "files, all as they were written" in capsys.readouterr().out
    scores = next((run / "scores").glob("*.csv"))
    scores.write_bytes(scores.read_bytes().replace(b"1", b"2", 1))
    (run / "checkpoints" / "best.ckpt").unlink()
    (run / "figures").mkdir()
    (run / "figures" / "foreign.png").write_bytes(b"")
    assert main(["verify", str(run.parent)]) == 1
    said = capsys.readouterr().out
    assert "scores/livec-test.csv: has changed since it was written (as many bytes, SHA-256" in said
    assert "checkpoints/best.ckpt: is missing" in said
    assert "figures/foreign.png: is not in manifest.json; it came from elsewhere" in said
    manifest = run / "manifest.json"
    entries = json.loads(manifest.read_text())["files"]
    for files in (3, {**entries, "run.json": 3}, {**entries, "run.json": {"sha256": "x"}}, {**entries, "run.json": {"bytes": 1}}):
        manifest.write_text(json.dumps({"version": 1, "files": files}))
        assert main(["verify", str(run.parent)]) == 1
        said = capsys.readouterr()
        assert said.out.startswith(f"{manifest} is no manifest (")
        assert said.err == (
            "sdsiqa verify: 1 folder is not what was written; copy what is named again from where it is good, or remove the "
            "folder and run again\n"
        )
    (empty := tmp_path / "empty").mkdir()
    assert main(["verify", str(empty)]) == 1
    assert "has no manifest.json; name a folder that `sdsiqa fit` made" in capsys.readouterr().err


def test_a_file_that_is_being_replaced_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path)
    manifest.write(tmp_path / "metrics.csv", b"old")
    for new in (b"newer", b"newest"):
        with pytest.raises(KeyboardInterrupt):  # as if killed between the entry and the rename
            manifest.publish(tmp_path / "metrics.csv", lambda part, new=new: _write_and_break(part, new))
        assert manifest.problems() == []
    manifest.write(tmp_path / "metrics.csv", b"last")
    (tmp_path / "metrics.csv").write_bytes(b"old")  # a completed file is its own only
    assert len(manifest.problems()) == 1


def _write_and_break(part: Path, data: bytes) -> None:
    part.write_bytes(data)
    unbroken = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if target.name == "metrics.csv":
            Path.replace = unbroken  # type: ignore[method-assign]
            raise KeyboardInterrupt
        return unbroken(self, target)

    Path.replace = replace  # type: ignore[method-assign,assignment]


def test_a_lock_does_not_outlive_its_owner(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from sdsiqa.runs.lock import RunLock\n"
    code += "RunLock(Path(sys.argv[1])).acquire(); print('held', flush=True); sys.stdin.read()"
    owner = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"held\n"
    folder = RunFolder(tmp_path)
    with pytest.raises(SdsiqaError, match=f"pid {owner.pid}"):
        folder.lock.acquire()
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    folder.lock.acquire()
    folder.lock.release()


def test_a_checkpoint_of_lightning_in_the_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fit(tmp_path, epochs=1)
    RunFolder(folder).update(state="started")
    (folder / "hpc_ckpt_1.ckpt").write_bytes(b"")
    assert main(["fit", *words(tmp_path, epochs=1)]) == 1
    assert "hpc_ckpt_1.ckpt is not of sdsiqa, and on SLURM Lightning would load it unasked; remove it" in capsys.readouterr().err


def test_no_text_is_read_or_written_by_the_locale() -> None:
    for file in sorted((Path(__file__).parents[1] / "src").rglob("*.py")):
        for line in file.read_text(encoding="utf-8").splitlines():
            assert not re.search(r"\.(read_text|write_text)\(", line) or "encoding=" in line, f"{file}: {line.strip()}"
