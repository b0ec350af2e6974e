"""A run's folder: named by its configuration, held by one process, complete by itself."""

import json
import math
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sdsiqa.errors import RunMismatchError
from sdsiqa.runs.environment import code_version, surroundings
from sdsiqa.runs.fingerprint import fingerprint, short_paths
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.lock import CELL, RunLock


def config(**changes: Any) -> dict[str, Any]:
    ridge = {"class_path": "sdsiqa.training.RidgeStart", "init_args": {"penalties": [1.0], "folder": "/cache"}}
    base: dict[str, Any] = {
        "seed_everything": 0,
        "trainer": {"max_epochs": 3, "devices": 1, "callbacks": None, "precision": "32-true"},
        "data": {
            "benchmark": {"class_path": "sdsiqa.benchmarks.LIVE", "init_args": {"root": "/a", "short_side": None}},
            "saliency": {"class_path": "sdsiqa.saliency.Stored", "init_args": {"root": "/maps"}},
            "split": 0,
            "num_workers": 2,
            "cache": "/tmp/c",
        },
        "model": {"backbone_lr_scale": 0.1, "ridge_start": ridge},
        "run": {"name": "live"},
        "wandb": {"project": "x"},
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = base
        for name in parents:
            place = place[name]
        place[last] = value
    return base


@pytest.mark.parametrize(
    "change",
    [
        {"trainer__devices": 8},
        {"data__num_workers": 0},
        {"data__cache": None},
        {"data__benchmark__init_args__root": "/elsewhere"},
        {"model__ridge_start__init_args__folder": "/elsewhere"},
        {"run__name": "other"},
        {"wandb__project": "other"},
    ],
)
def test_what_decides_nothing_keeps_the_name(change: dict[str, Any]) -> None:
    assert fingerprint(config(**change)) == fingerprint(config())


@pytest.mark.parametrize(
    "change",
    [
        {"seed_everything": 1},
        {"trainer__max_epochs": 4},
        {"trainer__precision": "bf16-mixed"},
        {"data__split": 1},
        {"data__benchmark__init_args__short_side": 384},
        {"data__saliency__init_args__root": "/other-maps"},
        {"model__backbone_lr_scale": 1.0},
        {"model__ridge_start__init_args__penalties": [2.0]},
        {"trainer__callbacks": [{"class_path": "sdsiqa.training.EMA", "init_args": {"decay": 0.9}}]},
    ],
)
def test_what_decides_the_result_changes_the_name(change: dict[str, Any]) -> None:
    assert fingerprint(config(**change)) != fingerprint(config())


def test_a_folder_from_other_data_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.update(hash="a", data_version="1")
    folder.check({"hash": "a", "data_version": "1", "split_hash": "new facts are fine"})
    with pytest.raises(RunMismatchError, match=r"holds a run whose data_version is '1', and this one's is '2'; choose"):
        folder.check({"hash": "a", "data_version": "2"})


def test_two_processes_cannot_share_a_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.lock.acquire()
    code = "import sys, pathlib; from sdsiqa.runs.folder import RunFolder as F; F(pathlib.Path(sys.argv[1])).lock.acquire()"
    second = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"is in use by another process (host {platform.node()}, pid {os.getpid()}, since 20" in second.stderr
    folder.lock.release()
    third = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert third.returncode == 0, third.stderr


def test_the_record_keeps_what_is_there(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert not folder.finished
    assert folder.best is None
    folder.update(started="then")
    folder.update(state="finished")
    assert folder.finished
    assert folder.record["started"] == "then"
    # nothing half-written lies around
    assert sorted(file.name for file in folder.path.iterdir()) == [".manifest.lock", "manifest.json", "run.json"]


def test_metrics_of_several_benchmarks_stand_side_by_side(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.add_metrics("livec-test", {"srcc": 0.1 + 0.2})
    folder.add_metrics("koniq10k-all", {"srcc": math.nan})
    values = json.loads((tmp_path / "metrics.json").read_text())
    assert values == {"livec-test": {"srcc": 0.30000000000000004}, "koniq10k-all": {"srcc": None}}
    assert "SRCC 0.3000" in folder.summary()
    folder.add_metrics("livec-test", {"rmse": 0.1, "of": "quality in [0, 1]"})
    assert "livec-test: RMSE 0.1000  (RMSE: of quality in [0, 1])" in folder.summary()


def test_the_surroundings_name_versions_and_machine() -> None:
    facts = surroundings()
    assert facts["versions"]["torch"]
    assert facts["host"]
    json.dumps(facts)


def test_the_code_has_another_version_when_a_score_can_change_and_not_when_its_words_do(tmp_path: Path) -> None:
    package = tmp_path / "sdsiqa"
    original = Path(code_version.__code__.co_filename).parents[1]
    shutil.copytree(original, package, ignore=shutil.ignore_patterns("__pycache__"))
    first = code_version(package)
    assert first == code_version() == surroundings()["code_version"]
    (package / "plots" / "scatter.py").write_text("another = 1\n")  # a better figure makes no result stale
    assert code_version(package) == first
    file = package / "losses.py"
    source = file.read_text()
    assert source.startswith('"""')
    body = source[source.index('"""', 3) + 3 :]
    worded = '"""Other words."""\n# a comment\n' + body.replace("\n\n\nclass ", "\n\n\n\n\n# of this class\nclass ")
    worded = re.sub(r'"""([A-Z])', r'"""In other words: \1', worded).replace(" -> Tensor:\n", " -> Tensor:  # a map\n")
    assert worded.count("# of this class") > 1
    assert worded.count("In other words") > 5
    file.write_text(worded)
    assert code_version(package) == first
    for changed in (source.replace(".abs()", ".square()", 1), source + "NAME = 1\n", source + 'NAME = "a text"\n'):
        assert changed != source
        file.write_text(changed)
        assert code_version(package) != first
    file.write_text(source)
    assert code_version(package) == first
    (package / "models" / "components" / "new.py").write_text("")  # a file is a name that can be imported
    assert code_version(package) != first


def test_a_record_names_the_command_that_a_person_types(monkeypatch: pytest.MonkeyPatch) -> None:
    for started, name in (
        ("/somewhere/src/sdsiqa/__main__.py", "sdsiqa"),
        ("/somewhere/bin/sdsiqa", "sdsiqa"),
        ("x/own.py", "own.py"),
    ):
        monkeypatch.setattr("sys.argv", [started, "fit", "-c", "run.yaml"])
        assert surroundings()["command"] == [name, "fit", "-c", "run.yaml"]


def test_a_class_has_one_name_wherever_its_file_lies() -> None:
    paths = ("sdsiqa.saliency.SDSP", "sdsiqa.saliency.sdsp.SDSP", "sdsiqa.saliency.else_where.sdsp.SDSP")
    assert {fingerprint({"data": {"saliency": {"class_path": path}}}) for path in paths} == {
        fingerprint({"data": {"saliency": {"class_path": paths[0]}}})
    }
    other = {"network": {"class_path": "mine.models.SDSP"}, "loss": "sdsiqa.losses.L1", "words": ["sdsiqa.models.a.B c"]}
    assert short_paths(other) == other


OWNER = """
import os, pathlib, subprocess, sys, time
from sdsiqa.runs.lock import CELL, RunLock
locks = [RunLock(pathlib.Path(sys.argv[1])), RunLock(pathlib.Path(sys.argv[1]), CELL)]
for lock in locks:
    lock.acquire()
    lock.acquire()  # a process that has it already keeps it
    assert not lock.try_acquire()
worker = os.fork()
if worker == 0:
    time.sleep(60)
    os._exit(0)
handed = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=[locks[1].file])
print(worker, handed.pid, flush=True)
time.sleep(60)
"""


def test_a_lock_ends_with_its_owner_and_with_those_that_got_its_file_but_not_with_forked_workers(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    children = [int(word) for word in owner.stdout.readline().split()]
    owner.stdout.close()
    own, handed = RunLock(tmp_path), RunLock(tmp_path, CELL)
    assert {(lock.owner or {})["pid"] for lock in (own, handed)} == {owner.pid}
    owner.kill()
    owner.wait()
    try:
        assert own.owner is None  # the worker lives
        assert (handed.owner or {})["pid"] == owner.pid
        with pytest.raises(RunMismatchError, match=f"is in use by another process .*pid {owner.pid}"):
            handed.acquire()
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
    handed.acquire(patience=60)
    handed.release()
