"""Every number that a configuration can set has a range, which its constructor names."""

import inspect
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sdsiqa import losses, public_classes
from sdsiqa.benchmarks import LIVEC, Benchmark
from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.components.fusion_head import FusionHead
from sdsiqa.models.components.image_branch import ImageBranch
from sdsiqa.models.components.saliency_branch import SaliencyBranch
from sdsiqa.models.objective import Objective
from sdsiqa.runs.folder import RunSettings
from sdsiqa.saliency import SDSP, SaliencyProvider
from sdsiqa.training.optimisation import EMA
from sdsiqa.training.solvers.closed_form import ClosedForm

WRONG = {int: (-7, 0.5), float: (-7.0, float("nan"), float("inf"))}
FREE = {("AIGQA", "weights"), ("DBCNN", "level"), ("RestorationLoss", "level"), ("Random", "seed")}
"""Numbers that have no range: places in a list, counted from its end too, and what is hashed."""
NEEDED: dict[str, Any] = {
    "root": Path("nowhere"),
    "photographs": Path("nowhere"),
    "path": Path("nowhere.onnx"),
    "weights": [0.5],
    "losses": [losses.L1()],
    "scale": (0.0, 1.0),
}


def settable() -> Iterator[tuple[type, str, type]]:
    """Give classes that a configuration may name, and their arguments that are numbers."""
    bases = (Benchmark, QualityNetwork, Objective, SaliencyProvider, ClosedForm, EMA)
    found = [
        kind for name in ("benchmarks", "models", "saliency", "training") for kind in public_classes(f"sdsiqa.{name}").values()
    ]
    kinds = [kind for kind in found if issubclass(kind, bases)]
    kinds += [kind for kind in vars(losses).values() if isinstance(kind, type) and issubclass(kind, losses.QualityLoss)]
    for kind in [*dict.fromkeys(kinds), FusionHead, ImageBranch, SaliencyBranch, RunSettings]:
        if inspect.isabstract(kind):
            continue
        for name, hint in typing.get_type_hints(kind.__init__).items():
            parts = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
            numbers = [part for part in parts if part in WRONG]
            if numbers and name != "return" and (kind.__name__, name) not in FREE:
                yield kind, name, numbers[0]


@pytest.mark.parametrize(("kind", "name", "number"), list(settable()))
def test_a_number_out_of_range_is_named_by_the_constructor(kind: type, name: str, number: type) -> None:
    needed = {key: NEEDED[key] for key in inspect.signature(kind).parameters if key in NEEDED and key != name}
    needed = {key: value for key, value in needed.items() if inspect.signature(kind).parameters[key].default is inspect._empty}
    for value in WRONG[number]:
        with pytest.raises(ValueError, match=rf"^{name} is {value!r}; expected a"):
            kind(**needed, **{name: value})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"crop": 0}, "crop is 0; expected a whole number, at least 1"),
        ({"patches_per_image": 0}, "patches_per_image is 0; expected a whole number, at least 1"),
        ({"batch_size": -1}, "batch_size is -1; expected a whole number, at least 1"),
        ({"num_workers": -1}, "num_workers is -1; expected a whole number, at least 0"),
        ({"grid": (2, 0)}, r"grid is \[2, 0\]; expected rows and columns"),
        ({"split": -1}, "split is -1; expected a whole number, at least 0"),
    ],
)
def test_numbers_of_the_data_have_ranges(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        QualityDataModule(LIVEC(Path("nowhere")), SDSP(), **settings)
