"""An image is looked at while the network works on the one before; scores stay those of one image at a time."""

import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor, nn

from sdsiqa.errors import ImageError
from sdsiqa.inference.recipe import Recipe
from sdsiqa.inference.scorer import Scorer
from sdsiqa.models.base import QualityNetwork
from sdsiqa.saliency import SDSP, SaliencyProvider

IMAGES = list(np.random.default_rng(0).integers(0, 256, (4, 40, 40, 3), np.uint8))


class Signalling(SDSP):
    """Says how many maps it has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = [threading.Event() for _ in IMAGES]

    def _map(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
        next(event for event in self.begun if not event.is_set()).set()
        return super()._map(image, name)


class Slow(Signalling):
    """A source that works as long as a network does."""

    slow = True


class Mean(QualityNetwork):
    """The mean of image and map, which waits until the next map is begun."""

    inputs = ("image", "saliency")

    def __init__(self, begun: list[threading.Event] | None = None) -> None:
        super().__init__()
        self.waits = iter([] if begun is None else begun[1:])

    def forward(self, image: Tensor, saliency: Tensor) -> Tensor:
        event = next(self.waits, None)
        assert event is None or event.wait(60), "the next image is not looked at"
        return image.mean((1, 2, 3)) + saliency.mean((1, 2, 3))

    def pretrained_parts(self) -> list[nn.Module]:
        return []


class Brightness(QualityNetwork):
    """The mean of the image alone."""

    inputs = ("image",)

    def forward(self, image: Tensor) -> Tensor:
        return image.mean((1, 2, 3))

    def pretrained_parts(self) -> list[nn.Module]:
        return []


def scorer(network: QualityNetwork, saliency: SaliencyProvider) -> Scorer:
    nothing: Any = {}
    return Scorer(network, saliency, Recipe(nothing, nothing, "whole", (1, 1), 32, None, "none", (0.0, 1.0), True))


def test_the_next_image_is_looked_at_while_the_network_works() -> None:
    source = Signalling()
    scores = scorer(Mean(source.begun), source)(IMAGES)
    alone = scorer(Mean(), SDSP())
    assert scores.tolist() == [alone.score(image) for image in IMAGES]


def test_a_source_that_is_a_network_itself_waits_for_its_turn() -> None:
    source = Slow()
    looks = scorer(Mean(), source).looks(IMAGES)
    next(looks)()
    assert [event.is_set() for event in source.begun] == [True, False, False, False]


def test_a_broken_image_is_told_in_its_place() -> None:
    broken = [IMAGES[0], np.zeros((8, 8, 3), np.uint8), IMAGES[2]]
    one = scorer(Mean(), SDSP())
    with pytest.raises(ImageError, match="is 8×8 pixels"):
        one(broken)
    looks = one.looks(broken)
    assert np.array_equal(next(looks)()[0], IMAGES[0])
    with pytest.raises(ImageError, match="is 8×8 pixels"):
        next(looks)()
    assert np.array_equal(next(looks)()[0], IMAGES[2])


def test_a_network_without_saliency_costs_no_map() -> None:
    source = Signalling()
    one = scorer(Brightness(), source)
    assert one(IMAGES) == pytest.approx([image.mean() / 255 for image in IMAGES], abs=1e-6)
    assert not source.begun[0].is_set()
    assert one.look(IMAGES[0])[1].shape == (40, 40)  # who asks for a map gets one
