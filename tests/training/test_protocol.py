"""Nothing that the weights have seen is scored, a part is scored whole, and its first test stands."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from fakes import write_fake

from runs import CONFIGS, fit, words
from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.benchmarks.splits import make_split
from sdsiqa.cli import main
from sdsiqa.errors import CheckpointError
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.trainings import KEY, from_json

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module", autouse=True)
def _environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDSIQA_TEST_SUBSET", "1")
        patch.setenv("WANDB_MODE", "disabled")
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs on fake LIVEC: of split 0, of split 1, of split 0 with another seed, and of split 0 that trains on train+val."""
    tmp = tmp_path_factory.mktemp("made")
    return {
        "zero": fit(tmp, "--run.name", "zero", epochs=0),
        "one": fit(tmp, "--run.name", "one", "--data.split", "1", epochs=0),
        "seed": fit(tmp, "--run.name", "seed", "--seed_everything", "7", epochs=1),
        "both": fit(tmp, "--run.name", "both", "--data.fit_on", "train+val", epochs=0),
    }


@pytest.fixture
def run(made: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of the run of split 0 that writes into itself."""
    folder = Path(shutil.copytree(made["zero"], tmp_path / "zero"))
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["run"]["folder"] = str(folder)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def refused(capsys: pytest.CaptureFixture[str], *args: str, status: int = 1) -> str:
    """Run a verb that refuses; give what it says, which is one line."""
    capsys.readouterr()
    assert main(list(args)) == status
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sdsiqa ")]
    assert len(said) == 1
    return said[0]


@pytest.mark.parametrize(
    ("verb", "more", "said"),
    [
        ("test", "--data.split 1", "the test part of split 1 of livec"),
        ("predict", "--data.split 1", "the test part of split 1 of livec"),
        ("validate", "--data.split 1", "the validation part of split 1 of livec"),
        ("test", "--data.split 1 --seed_everything 9", "the test part of split 1 of livec"),
        ("test", "--data.split 1 --data.fit_on train+val", "the test part of split 1 of livec"),
        ("test", "--data.test_on all", "all images of livec"),
        ("predict", "--data.test_on all", "all images of livec"),
        ("test", "--data.split 1 --run.folder elsewhere", "the test part of split 1 of livec"),
        (
            "test",
            "--data.split 1 --data.benchmark.class_path again.Again --data.benchmark.init_args.root {root}",
            "the test part of split 1 of again",
        ),
        (
            "test",
            "--data.test_on all --data.benchmark.class_path again.Again --data.benchmark.init_args.root {root}",
            "all images of again",
        ),
    ],
)
def test_what_the_weights_have_seen_is_not_scored(
    run: Path,
    verb: str,
    more: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "again.py").write_text(
        "from sdsiqa.benchmarks import LIVEC\n\n\nclass Again(LIVEC):\n    name = 'again'\n"  # the same files by another name
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    root = yaml.safe_load((run / "config.yaml").read_text())["data"]["benchmark"]["init_args"]["root"]
    before = content(run)
    checkpoint = str(run / "checkpoints" / "last.ckpt")
    told = refused(capsys, verb, "-c", str(run / "config.yaml"), "--ckpt_path", checkpoint, *more.format(root=root).split())
    assert "the weights were trained by zero-" in told
    assert said in told
    assert "stood in its training or validation part, such as 'Images/" in told
    assert content(run) == before
    assert not (tmp_path / "elsewhere").exists()


def test_pictures_are_recognised_by_their_bytes_in_another_benchmark(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_fake("bid", tmp_path / "bid")
    config = yaml.safe_load((run / "config.yaml").read_text())
    livec = BENCHMARKS["livec"](Path(config["data"]["benchmark"]["init_args"]["root"]))
    trained = livec.table()["image"].iloc[make_split("livec", livec.table(), 0).train[0]]
    more = ["--data.benchmark.class_path", "sdsiqa.benchmarks.BID", "--data.benchmark.init_args.root", str(root)]
    test = ["test", "-c", str(run / "config.yaml"), *more, "--data.test_on", "all"]
    assert main(test) == 0  # no picture in common
    shutil.copy(livec.root / trained, root / "ImageDatabase" / "DatabaseImage0007.JPG")
    told = refused(capsys, *test)
    assert "all images of bid: 1 of 20 images stood in its training or validation part, such as 'ImageDatabase/" in told
    assert "DatabaseImage0007.JPG" in told
    assert "or test on another benchmark" in told


def test_the_checkpoint_says_what_it_has_seen_and_not_the_folder(
    made: dict[str, Path], run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, before = ["-c", str(run / "config.yaml")], content(run)
    other = str(made["one"] / "checkpoints" / "last.ckpt")
    assert "trained by one-" in refused(capsys, "test", *config, "--ckpt_path", other)
    same = str(made["seed"] / "checkpoints" / "last.ckpt")  # the same split, so nothing leaks; the scores are of another run
    assert "its scores would stand under another run's name" in refused(capsys, "test", *config, "--ckpt_path", same)
    bare = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)  # noqa: TID251
    del bare[KEY]
    torch.save(bare, tmp_path / "bare.ckpt")
    told = refused(capsys, "test", *config, "--ckpt_path", str(tmp_path / "bare.ckpt"))
    assert "carries no list of the images that its weights have seen" in told
    assert content(run) == before


def test_a_training_does_not_start_from_weights_that_have_seen_its_test_part(
    made: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = yaml.safe_load((made["one"] / "config.yaml").read_text())["data"]["benchmark"]["init_args"]["root"]
    start = ["fit", *words(tmp_path), "--data.benchmark.init_args.root", root]
    told = refused(capsys, *start, "--ckpt_path", str(made["one"] / "checkpoints" / "last.ckpt"))
    assert "trained by one-" in told
    told = refused(capsys, *start, "--data.test_on", "all")
    assert "all images of livec" in told
    assert not (tmp_path / "runs").exists()
    more = ["--ckpt_path", str(made["zero"] / "checkpoints" / "last.ckpt"), "--trainer.max_epochs", "2", "--run.folder"]
    assert main([*start, *more, str(tmp_path / "longer")]) == 0  # of the same split: it trains longer
    text = torch.load(tmp_path / "longer" / "checkpoints" / "last.ckpt", weights_only=True)[KEY]  # noqa: TID251
    assert [training.run.partition("-")[0] for training in from_json(text, "longer")] == ["longer", "zero"]


def test_a_validation_part_that_was_trained_on_is_not_validated(
    made: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    config = ["-c", str(made["both"] / "config.yaml")]
    assert "nothing to validate" in refused(capsys, "validate", *config, status=2)
    told = refused(capsys, "validate", *config, "--data.fit_on", "train")
    assert "there is no validation part to score" in told
    curve = (made["seed"] / "metrics.csv").read_bytes()
    assert main(["validate", "-c", str(made["seed"] / "config.yaml")]) == 0  # where it chose the epoch it may be looked at
    assert (made["seed"] / "metrics.csv").read_bytes() == curve


def test_a_formula_has_seen_nothing(tmp_path: Path) -> None:
    folder = fit(tmp_path, "--model", str(CONFIGS / "model" / "psnr.yaml"), "--data.view", "whole", benchmark="kadid10k")
    assert main(["test", "-c", str(folder / "config.yaml"), "--data.test_on", "all"]) == 0
    assert set(json.loads((folder / "metrics.json").read_text())) == {"kadid10k-test", "kadid10k-all"}


def test_an_unfinished_run_is_not_tested(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RunFolder(run).update(state="started")
    before = content(run)
    for verb in ("test", "predict"):
        assert "is not finished, and its test part is read once, at its end" in refused(
            capsys, verb, "-c", str(run / "config.yaml")
        )
    assert content(run) == before


@pytest.mark.parametrize(
    ("verb", "setting"),
    [
        ("test", "--trainer.limit_test_batches=5"),
        ("test", "--trainer.limit_test_batches=0.5"),
        ("test", "--trainer.limit_test_batches=1"),
        ("predict", "--trainer.limit_predict_batches=5"),
        ("validate", "--trainer.limit_val_batches=1"),
        ("fit", "--trainer.limit_test_batches=5"),
    ],
)
def test_a_part_is_scored_whole(run: Path, tmp_path: Path, verb: str, setting: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(run)
    args = words(tmp_path) if verb == "fit" else ["-c", str(run / "config.yaml")]
    told = refused(capsys, verb, *args, setting, status=2)
    assert told.startswith(
        f"sdsiqa {verb}: trainer.{setting[10:].partition('=')[0]} is {setting.partition('=')[2]}, and metrics of"
    )
    assert content(run) == before
    assert not (tmp_path / "runs").exists()


def test_a_trial_of_one_batch_writes_no_metrics(run: Path) -> None:
    before = content(run)
    for verb in ("test", "validate", "predict"):
        assert main([verb, "-c", str(run / "config.yaml"), "--trainer.fast_dev_run", "true"]) == 0
    assert content(run) == before


def test_a_limit_on_validation_leaves_the_check_of_the_test_on(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sdsiqa.training.scores import Agreement, Scores

    whole = Agreement.scores

    def fewer(self: Agreement) -> Scores:
        scores = whole(self)
        return Scores(scores.index[:-1], scores.score[:-1], scores.quality[:-1])

    monkeypatch.setattr(Agreement, "scores", fewer)
    told = refused(capsys, "test", "-c", str(run / "config.yaml"), "--trainer.limit_val_batches", "1")
    assert "3 images were scored and the test part has 4" in told


def test_the_first_test_stands(run: Path) -> None:
    test = ["test", "-c", str(run / "config.yaml")]
    before = content(run)
    assert main(test) == 0
    assert content(run) == before  # the same test again: the same bytes
    assert main([*test, "--data.crop", "48", "--data.view", "grid", "--run.figures", "true"]) == 0
    after = content(run)
    assert {name for name in before if name not in ("metrics.json", "tests.json", "manifest.json")} <= {
        name for name in before if after[name] == before[name]
    }
    (name,) = set(json.loads(after["metrics.json"])) - {"livec-test"}
    metrics = json.loads(after["metrics.json"])
    assert metrics["livec-test"] == json.loads(before["metrics.json"])["livec-test"]
    assert name.startswith("livec-test.")
    assert "crop: 64 → 48" in metrics[name]["differs"]
    assert f"scores/{name}.csv" in after
    assert f"figures/scatter-{name}.png" in after
    assert main([*test, "--data.crop", "48", "--data.view", "grid", "--run.figures", "true"]) == 0
    assert content(run) == after
    assert [line.partition(":")[0] for line in RunFolder(run).manifest.problems()] == ["config.yaml"]  # this test moved the run


def test_scores_of_another_machine_do_not_replace_the_first(run: Path) -> None:
    folder, file = RunFolder(run), run / "scores" / "livec-test.csv"
    before = content(run)
    lines = file.read_text().splitlines()
    cells = lines[1].split(",")
    place = lines[0].split(",").index("score")
    cells[place] = repr(float(cells[place]) + 1e-7)
    changed = "\n".join([lines[0], ",".join(cells), *lines[2:], ""]).encode()
    folder.manifest.write(file, changed)  # as another processor would have written it
    assert main(["test", "-c", str(run / "config.yaml")]) == 0
    assert file.read_bytes() == changed
    file.write_bytes(before["scores/livec-test.csv"][:-9])  # damaged, which is no first test
    assert main(["test", "-c", str(run / "config.yaml")]) == 0
    assert file.read_bytes() == before["scores/livec-test.csv"]


@pytest.mark.parametrize("sides", [("train", "test"), ("val", "test"), ("train", "val")])
def test_one_file_on_two_sides_of_a_split_is_not_trained_on(
    tmp_path: Path, sides: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    livec = BENCHMARKS["livec"](write_fake("livec", tmp_path / "data" / "livec"))
    table = livec.table()
    split = make_split("livec", table, 0)
    one, other = (table["image"].iloc[split.rows(side)[0]] for side in sides)
    shutil.copy(livec.root / one, livec.root / other)
    told = refused(capsys, "fit", *words(tmp_path))
    assert f"split '0' of livec: {one!r} in {sides[0]} and {other!r} in {sides[1]} are the same file; unpack" in told
    assert not (tmp_path / "runs").exists()


def test_a_damaged_list_of_trainings_is_named() -> None:
    for text in (None, "{}", "[]", '{"version": 2}', '{"version": 1, "trainings": [{}]}', b"x"):
        with pytest.raises(CheckpointError, match=r"^a\.ckpt: carries no list of the images"):
            from_json(text, "a.ckpt")
