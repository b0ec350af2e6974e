"""Public names have an example in their docstring, and the examples run as they stand."""

import doctest
import inspect
import shutil
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
import torch
from fakes import distorted, scene

import sdsiqa
from sdsiqa import metrics
from sdsiqa.images import write_image

NAMED = [name for name in dir(sdsiqa) if callable(getattr(sdsiqa, name))]
MEASURES = [name for name in metrics.__all__ if inspect.isfunction(getattr(metrics, name))]
EXAMPLES = [
    *(("sdsiqa", name) for name in ("", *NAMED)),
    *(("sdsiqa.metrics", name) for name in ("", *MEASURES)),
    ("sdsiqa.benchmarks", "Folder"),
]


@pytest.fixture
def place(tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten pictures with their scores and a checkpoint, where the examples look for them."""
    monkeypatch.chdir(tmp_path)
    names = [f"{number}.png" for number in range(10)]
    for number, name in enumerate(names):
        write_image(tmp_path / "pictures" / name, distorted(scene(number), number % 5))
    pd.DataFrame({"image": names, "score": [5 - number % 5 for number in range(10)]}).to_csv("pictures/scores.csv")
    shutil.copy(run / "checkpoints" / "best.ckpt", "best.ckpt")
    torch.manual_seed(0)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(("package", "name"), EXAMPLES, ids=lambda word: word or "module")
def test_the_example_runs(package: str, name: str) -> None:
    item = import_module(package) if not name else getattr(import_module(package), name)
    names = vars(import_module(item.__module__ if name else package)) | {"sdsiqa": sdsiqa}
    found = [
        test for test in doctest.DocTestFinder(recurse=False).find(item, name or package, globs=dict(names)) if test.examples
    ]
    assert found, f"{package}.{name} has no example"
    for test in found:
        said: list[str] = []
        result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=said.append)
        assert result.attempted > 0
        assert result.failed == 0, "".join(said)
