"""Scores of images from a checkpoint."""

from __future__ import annotations  # signatures in a notebook show names, not what they stand for

import math
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from sdsiqa.data.cache import Planes
from sdsiqa.data.crops import Fields, GridCrops, WholeImage
from sdsiqa.errors import CheckpointError, ImageError, SettingError, in_short
from sdsiqa.images import resize_short_side
from sdsiqa.inference.checkpoint import check_weights, read_checkpoint
from sdsiqa.inference.checkpoint_paths import SHIPPED_SUFFIX, shipped_model
from sdsiqa.inference.onnx_file import SUFFIX, OnnxNetwork, read_onnx
from sdsiqa.inference.pixels import Image, as_list, name_of, rgb_of
from sdsiqa.inference.recipe import Recipe
from sdsiqa.inference.shipped import read_shipped
from sdsiqa.models.base import QualityNetwork
from sdsiqa.runs.process import thread_pool
from sdsiqa.saliency.base import SaliencyProvider, memory_explained

SMALLEST_SIDE = 32
"""Images with a shorter side are refused: they hold less than one step of the deepest features."""


class Scorer:
    """Scores images as the run that made the checkpoint scored its test part.

    A score depends on the image alone: not on other images, order or chance.

    Example:
        >>> scorer = sdsiqa.load("best.ckpt")
        >>> quality = scorer(["pictures/0.png", "pictures/1.png"])
        >>> quality.shape, quality.dtype
        ((2,), dtype('float64'))
        >>> bool(scorer.score("pictures/1.png") == quality[1])
        True

    Args:
        network: With its weights.
        saliency: Source of saliency maps.
        recipe: Size, crops and grid of images.
        device: Where to compute.

    Raises:
        CheckpointError: The network compares with references.
    """

    def __init__(
        self, network: QualityNetwork, saliency: SaliencyProvider, recipe: Recipe, device: str | torch.device = "cpu"
    ) -> None:
        if "reference" in network.inputs:
            raise CheckpointError(f"{type(network).__name__} compares with references, so a single image has no score")
        self.network, self.saliency, self.recipe = network.to(device).eval(), saliency, recipe
        self.device = torch.device(device)
        self.is_whole = recipe.view == "whole" or network.whole
        self._cut = WholeImage() if self.is_whole else GridCrops(recipe.crop, *recipe.grid)

    def __repr__(self) -> str:
        """Say what scores, what it learnt from, and where it computes."""
        view = "whole images" if self.is_whole else f"{self.recipe.grid[0]} × {self.recipe.grid[1]} crops"
        by = "by onnxruntime " if isinstance(self.network, OnnxNetwork) else ""
        return f"Scorer({self.name} trained on {self.recipe.benchmark}, {view}, {by}on {self.device})"

    @property
    def name(self) -> str:
        """Name of the network's class."""
        return str(self.recipe.network["class_path"]).rpartition(".")[2]

    def __call__(self, images: Image | Iterable[Image]) -> NDArray[np.float64]:
        """Score images.

        Args:
            images: Paths, RGB arrays `(H, W, 3)` uint8, tensors `(3, H, W)` (uint8, or floats in [0, 1]), or images of
                Pillow; one or several.

        Returns:
            Quality `(n,)`, higher is better; 0 and 1 are the ends of the benchmark's scale, and scores may lie outside.

        Raises:
            ImageError: An image cannot be read, has another form, or needs more memory than there is; or its score is not
                finite. Says which and why.
        """
        given = as_list(images)
        scores = [self.score_planes(*look(), name_of(image)) for image, look in zip(given, self.looks(given), strict=True)]
        return np.array(scores, dtype=np.float64)

    def score(self, image: Image) -> float:
        """Score one image; as calling with one."""
        return self.score_planes(*self._look(image, "saliency" in self.network.inputs), name_of(image))

    @torch.inference_mode()
    def score_planes(self, image: NDArray[np.uint8], saliency: NDArray[np.uint8] | None, name: str = "image") -> float:
        """Score what `look` gave.

        Args:
            image: RGB `(H, W, 3)` uint8.
            saliency: Map `(H, W)` uint8; may be `None` for a network that takes none.
            name: What errors call it.

        Raises:
            ImageError: Its score is not finite, or it needs more memory than there is.
        """
        with memory_explained(name):
            score = float(self.network(*self.inputs(image, saliency)).float().mean())
        if not math.isfinite(score):
            raise ImageError(
                f"{name}: its score is {score}, because weights or activations of the network are not finite; "
                "use another checkpoint"
            )
        return score

    def to_mos(self, quality: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give scores on the scale of the benchmark that the network learnt from.

        Args:
            quality: Scores of this object.
        """
        low, high = self.recipe.mos_range
        return low + quality * (high - low) if self.recipe.higher_is_better else high - quality * (high - low)

    def look(self, image: Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Give the whole image and its map as the network will see them.

        Args:
            image: As in calling.

        Returns:
            RGB `(H, W, 3)` and map `(H, W)`, both uint8.

        Raises:
            ImageError: As in calling.
        """
        pixels, saliency = self._look(image, with_map=True)
        return pixels, cast(NDArray[np.uint8], saliency)

    def looks(self, images: Iterable[Image], with_maps: bool = False) -> Generator[Callable[[], Planes]]:
        """Look at images one after the other, each while the network works on the one before.

        Args:
            images: As in calling.
            with_maps: Whether a map is wanted where the network takes none.

        Yields:
            For each image what gives its pixels and its map, or raises why there are none, to be called before the next one is
            asked for; `None` for a map that is not wanted.
        """
        with_map = with_maps or "saliency" in self.network.inputs
        if self.saliency.slow and self.device.type == "cpu":  # a network of its own, whose threads would stand in the other's way
            yield from (partial(self._look, image, with_map) for image in images)
            return
        with thread_pool(1) as pool:
            before = None
            for image in images:
                now = pool.submit(self._look, image, with_map)
                if before is not None:
                    yield before.result
                before = now
            if before is not None:
                yield before.result

    def _look(self, image: Image, with_map: bool) -> Planes:
        """Give the whole image, and its map if it is wanted."""
        name, pixels = name_of(image), rgb_of(image)
        if min(pixels.shape[:2]) < SMALLEST_SIDE:
            raise ImageError(
                f"{name}: is {pixels.shape[1]}×{pixels.shape[0]} pixels; expected {SMALLEST_SIDE} or more on each side"
            )
        if self.recipe.short_side is not None:
            pixels = resize_short_side(pixels, self.recipe.short_side)
        if not with_map:
            return pixels, None
        with memory_explained(name):
            return pixels, self.saliency.seen(pixels, name)

    @torch.inference_mode()
    def guides(self, image: NDArray[np.uint8], saliency: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Give the spatial attention of each level over the whole image.

        Args:
            image: RGB `(H, W, 3)` uint8.
            saliency: Map `(H, W)` uint8.

        Returns:
            `(h, w)` in (0, 1) per level; empty for a network without attention.
        """
        pictures = [_to_tensor(planes[None]).to(self.device).float().div_(255) for planes in (image, saliency)]
        guides, _ = self.network.explain(*pictures)
        return [guide[0, 0].float().cpu().numpy() for guide in guides]

    def inputs(self, image: NDArray[np.uint8], saliency: NDArray[np.uint8] | None) -> list[torch.Tensor]:
        """Cut and scale what `look` gave.

        Args:
            image: RGB `(H, W, 3)` uint8.
            saliency: Map `(H, W)` uint8; may be `None` for a network that takes none.

        Returns:
            Inputs of the network, `(P, C, h, w)` float32 in [0, 1].
        """
        fields: Fields = {"image": image} if saliency is None else {"image": image, "saliency": saliency}
        crops = self._cut({name: fields[name] for name in self.network.inputs})
        stacked = [np.stack([crop[name] for crop in crops]) for name in self.network.inputs]
        return [_to_tensor(planes).to(self.device).float().div_(255) for planes in stacked]


def load(checkpoint: str | Path | None = None, device: str | torch.device = "cpu", trusted: Sequence[str] = ()) -> Scorer:
    """Open a checkpoint, which carries all that scoring needs.

    Example:
        >>> sdsiqa.load("best.ckpt")
        Scorer(SDSIQA trained on LIVE In the Wild, 2 × 2 crops, on cpu)

    Args:
        checkpoint: File that `sdsiqa fit` wrote, or ONNX file that `sdsiqa export` wrote; `None`: the model that ships with
            sdsiqa, which is said on stderr.
        device: Where to compute; ONNX files are computed on the CPU.
        trusted: Packages besides sdsiqa whose classes the checkpoint may name.

    Raises:
        CheckpointError: The file is missing, broken, not of sdsiqa, or wants to run code; or none is named, and none ships.
        SettingError: The device is not there.
        MissingExtraError: An ONNX file is named, and onnxruntime is not installed.
    """
    if checkpoint is None:
        checkpoint = shipped_model()
        print(f"sdsiqa: scores with the model that ships with it, {checkpoint.name}, since none is named", file=sys.stderr)
    _check_device(device)
    path, name = Path(checkpoint), str(checkpoint)
    if path.suffix.lower() == SUFFIX:
        if torch.device(device).type != "cpu":
            raise SettingError(f"device is {str(device)!r}; expected cpu, where ONNX files are computed: {name}")
        onnx = read_onnx(path)
        recipe = Recipe.from_json(onnx.facts["sdsiqa"], name)
        return Scorer(onnx, recipe.build_saliency(trusted, name), recipe)
    if path.suffix.lower() == SHIPPED_SUFFIX:
        state, facts = read_shipped(path)
        recipe = Recipe.from_json(facts["sdsiqa"], name)
    else:
        content = read_checkpoint(path)
        recipe = Recipe.from_json(content.get("sdsiqa"), name)
        prefix = "network."
        state = {key[len(prefix) :]: value for key, value in content["state_dict"].items() if str(key).startswith(prefix)}
    network = recipe.build_network(trusted, name)
    check_weights(network.state_dict(), state, name)
    network.load_state_dict(state)
    return Scorer(network, recipe.build_saliency(trusted, name), recipe, device)


def score(images: Image | Iterable[Image], checkpoint: str | Path | None = None) -> NDArray[np.float64]:
    """Score images with a checkpoint; `load` once instead to score again and again.

    Example:
        >>> sdsiqa.score("pictures/0.png", "best.ckpt").shape
        (1,)

    Args:
        images: As `Scorer` takes them.
        checkpoint: As `load` takes it.

    Returns:
        As `Scorer`.
    """
    return load(checkpoint)(images)


def _to_tensor(planes: NDArray[np.uint8]) -> torch.Tensor:
    """Bring `(P, h, w[, 3])` to `(P, C, h, w)`, channels last in memory."""
    tensor = torch.from_numpy(np.ascontiguousarray(planes))
    return tensor.permute(0, 3, 1, 2) if tensor.dim() == 4 else tensor[:, None]


def _check_device(device: str | torch.device) -> None:
    """Put something small on a device, so that a wrong one is named before a network is built."""
    try:
        torch.zeros(1, device=device).cpu()  # there and back: `meta` holds no values
    except (RuntimeError, AssertionError, ImportError, ValueError) as error:  # no such word, or no such device on this machine
        reason = in_short(error, 100)
        raise SettingError(f"device is {str(device)!r} ({reason}); expected cpu, or cuda where there is a GPU") from error
