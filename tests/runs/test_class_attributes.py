"""A class that lacks what its base asks for is refused when it is made, in one sentence that names all of it."""

from typing import Any

import numpy as np
import pytest

from sdsiqa.benchmarks import Benchmark
from sdsiqa.errors import ClassDefinitionError
from sdsiqa.losses import QualityLoss
from sdsiqa.models.base import Method, QualityNetwork
from sdsiqa.models.objective import Objective
from sdsiqa.saliency import SaliencyProvider


def function(self: Any, *args: Any) -> Any:
    raise NotImplementedError


def make(base: type, **attributes: Any) -> type:
    return type("Own", (base,), {"__module__": "mine", **attributes})


def test_a_benchmark_names_all_that_it_lacks_and_has_defaults_for_the_rest() -> None:
    with pytest.raises(ClassDefinitionError, match=r"^class mine\.Own: it lacks name, mos_range; state .*name = 'garden'"):
        make(Benchmark, read=function)
    own = make(Benchmark, read=function, name="own", mos_range=(0, 1))("nowhere")
    assert (own.title, own.url, own.remedy) == ("Own", "", "compare its files with the authors' release")


def test_a_base_class_of_ones_own_states_nothing_yet() -> None:
    between = make(Benchmark)
    assert make(between, read=function, name="own", mos_range=(0, 1)).title == "Own"
    make(Method)


def test_a_method_names_all_that_it_lacks() -> None:
    with pytest.raises(ClassDefinitionError, match=r"it lacks title, status, paper; .*status = 'published facts'"):
        make(Method, forward=function)


FACTS = {"read": function, "name": "own", "mos_range": (0, 1)}
METHOD = {"forward": function, "title": "Own", "status": "published facts", "paper": "A paper"}


@pytest.mark.parametrize(
    ("base", "stated", "said"),
    [
        (Benchmark, FACTS | {"name": "a/b"}, "name is 'a/b', expected letters"),
        (Benchmark, FACTS | {"name": None}, "name is None"),
        (Benchmark, FACTS | {"mos_range": (5, 1)}, r"mos_range is \(5, 1\), expected the lowest and the highest score"),
        (Benchmark, FACTS | {"mos_range": 5}, "mos_range is 5"),
        (Benchmark, FACTS | {"label_files": "scores.csv"}, "label_files is 'scores.csv', expected a tuple of texts"),
        (Benchmark, FACTS | {"size": "ten"}, "size is 'ten', expected a number of images"),
        (Benchmark, FACTS | {"higher_is_better": "no"}, "higher_is_better is 'no', expected true or false"),
        (Benchmark, FACTS | {"size": 0, "title": ""}, "title is '', expected a text such as 'Garden'; size is 0"),
        (QualityNetwork, {"inputs": "image"}, "inputs is 'image', expected a tuple of some of image, saliency, reference"),
        (QualityNetwork, {"inputs": ("image", "salency")}, "inputs is"),
        (QualityNetwork, {"whole": None}, "whole is None"),
        (Method, METHOD | {"status": "published"}, "status is 'published', expected published facts or family"),
        (Method, METHOD | {"differs": "The loss is L1."}, "differs is 'The loss is L1.', expected a tuple of sentences"),
        (QualityLoss, {"compares": 1}, "compares is 1, expected true or false"),
        (Objective, {"inputs": ("image",)}, r"inputs is \('image',\), expected a tuple of some of reference, saliency"),
        (SaliencyProvider, {"version": "2"}, "version is '2', expected a whole number"),
        (SaliencyProvider, {"slow": 0}, "slow is 0"),
    ],
)
def test_a_wrong_attribute_is_refused_with_an_example(base: type, stated: dict[str, Any], said: str) -> None:
    with pytest.raises(ClassDefinitionError, match=said):
        make(base, **stated)


def test_a_provider_stores_what_it_was_given() -> None:
    class Forgetful(SaliencyProvider):
        def __init__(self, width: int = 3, height: int = 4) -> None:
            self.height = height

        def _map(self, image: Any, name: str) -> Any:
            return np.zeros((2, 2))

    with pytest.raises(ClassDefinitionError, match=r"its constructor does not store width; write self\.width = width"):
        Forgetful().fingerprint()
