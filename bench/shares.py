"""What the rows of the benchmark are made of: milliseconds of each part, for the page that says what bounds them."""

import statistics
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

import cv2
import numpy as np
import torch
from torch import nn

from bench.compute import Backbones, Load, two_branches
from bench.measure import timed
from bench.pictures import drawn
from sdsiqa.data.crops import RandomCrops
from sdsiqa.data.datamodule import to_float
from sdsiqa.images import coded
from sdsiqa.models.components.gates import LevelFusion
from sdsiqa.saliency import SDSP


class Share(NamedTuple):
    """A part of what a row measures.

    Attributes:
        of: The row, or rows.
        part: What takes the time.
        milliseconds: Median of its repetitions, with nothing beside it.
    """

    of: str
    part: str
    milliseconds: float


def shares(load: Load, turns: int, size: int) -> list[Share]:
    """Measure the parts of a training step, of loading and of scoring.

    Args:
        load: Network and batch.
        turns: Repetitions.
        size: Side of a picture in pixels.
    """
    return [*_of_a_step(load, turns), *_of_an_image(load, turns, size)]


def _of_a_step(load: Load, turns: int) -> list[Share]:
    network, bodies = two_branches(load.backbone).train(), Backbones(load.backbone).train()
    batch = to_float(load.batch())
    image, saliency = (batch[name].flatten(0, 1) for name in ("image", "saliency"))
    optimizer = torch.optim.AdamW(network.parameters())
    first = cast(LevelFusion, network.fusion.levels[0])
    # what it sees there: a quarter of the side
    joined = torch.rand(len(image), first.projection.in_channels, load.side // 4, load.side // 4, requires_grad=True)

    def step() -> None:
        network.zero_grad()
        network(image, saliency).mean().backward()

    parts = {
        "forward and backward of the bare backbones": lambda: bodies.step(image),
        "forward and backward of the network": step,
        "of that the projection of the first level": lambda: first(joined).mean().backward(),
        "clipping": lambda: nn.utils.clip_grad_norm_(network.parameters(), 1.0),
        "AdamW": optimizer.step,
    }
    return _measured("training step", parts, turns)


def _of_an_image(load: Load, turns: int, size: int) -> list[Share]:
    picture, cut, saliency = drawn(size, 0), RandomCrops(load.side, 1), SDSP()
    file = np.frombuffer(coded(".jpg", picture), np.uint8)
    network = two_branches(load.backbone).eval()
    whole = torch.from_numpy(picture[None]).permute(0, 3, 1, 2).float().div_(255)
    flat = torch.ones(1, 1, size, size)
    loading: dict[str, Callable[[], object]] = {
        "decoding": lambda: cv2.imdecode(file, cv2.IMREAD_COLOR_RGB),
        "a crop, seeded": lambda: cut({"image": picture}, 0),
        "a map by SDSP": lambda: saliency.seen(picture, "drawn"),
    }
    with torch.inference_mode():
        scoring = _measured("scoring a whole picture", {"the network": lambda: network(whole, flat)}, turns)
    return [*_measured("an image", loading, 10 * turns), *scoring]


def _measured(of: str, parts: Mapping[str, Callable[[], object]], turns: int) -> list[Share]:
    found = []
    for part, work in parts.items():
        once = timed(work)
        once()
        found.append(Share(of, part, float(f"{1000 * statistics.median(once() for _ in range(turns)):.3g}")))
    return found
