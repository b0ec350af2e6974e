"""The pictures that the page holds, in memory alone, and what the model says of each."""

from __future__ import annotations  # signatures in a notebook show names, not what they stand for

import base64
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sdsiqa import plots
from sdsiqa.benchmarks.distortions.live_types import gaussian_blur, jpeg, white_noise
from sdsiqa.errors import ImageError
from sdsiqa.images import coded, decode_image, open_header, shrunk, webp
from sdsiqa.inference.scorer import Scorer

Pixels = NDArray[np.uint8]

LARGEST_FILE = 32 * 2**20
"""Bytes of a picture's file."""
MOST_PIXELS = 50_000_000
"""Pixels of a picture; a small file may hold very many."""
MOST_PICTURES = 200
"""Pictures that are held at a time."""
MOST_BYTES = 512 * 2**20
"""Bytes of all files that are held at a time."""

THUMBNAIL, WHOLE, PART = 96, 900, 320
"""Longest side in pixels of a picture in the table and in its view; side of the part that is shown pixel by pixel."""
QUALITY = 92
"""Of the WebP files that the page shows: with loss that is hardly seen."""
KEPT = 3
"""Decoded or distorted pictures that are kept, the newest: the slider asks for score, view and part of one after the other."""


@dataclass(frozen=True)
class Slider:
    """A distortion whose strength a person chooses.

    Args:
        label: What the strength is.
        apply: Distorts an image at a strength.
        strengths: Of each step, mild to strong; step 0 is the picture as it is.
    """

    label: str
    apply: Callable[[Pixels, float, np.random.Generator], Pixels]
    strengths: tuple[float, ...]


SLIDERS = {
    "jpeg": Slider("JPEG quality", jpeg, (95, 90, 80, 70, 60, 50, 40, 30, 20, 15, 10, 5)),
    "blur": Slider("blur, σ in pixels", gaussian_blur, (0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)),
    "noise": Slider(
        "noise, σ of 0 to 255", lambda image, sigma, draws: white_noise(image, sigma / 255, draws), (2, 5, 10, 15, 20, 30, 40, 60)
    ),
}


@dataclass(frozen=True)
class Picture:
    """A picture that is held.

    Args:
        name: As its file is called.
        data: Content of the file.
        size: Width and height in pixels.
        score: On 0 to 100, higher is better; not clipped.
        thumbnail: A small WebP file of it.
        scores: Of its distorted versions that were scored, by slider and step.
    """

    name: str
    data: bytes
    size: tuple[int, int]
    score: float
    thumbnail: bytes
    scores: dict[tuple[str, int], float] = field(default_factory=dict)


class Pictures:
    """Holds pictures and asks the model about them, one question at a time.

    Args:
        scorer: The model.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.held: dict[str, Picture] = {}
        self._recent: OrderedDict[tuple[str, str, int], Pixels] = OrderedDict()
        self._busy = threading.RLock()  # the model takes all cores

    def add(self, name: str, data: bytes) -> dict[str, Any]:
        """Score a picture and hold it.

        Args:
            name: As its file is called.
            data: Content of the file.

        Returns:
            What `facts` gives.

        Raises:
            ImageError: It is no picture, cannot be scored, or is more than is held; says which and why.
        """
        if len(data) > LARGEST_FILE:
            raise ImageError(f"{name}: has {len(data) / 2**20:.1f} MiB; at most {LARGEST_FILE // 2**20} MiB are taken; shrink it")
        check_size(name, data)
        with self._busy:
            if len(self.held) >= MOST_PICTURES:
                raise ImageError(f"{name}: {MOST_PICTURES} pictures are held, which is the most; clear the table first")
            if sum(len(picture.data) for picture in self.held.values()) + len(data) > MOST_BYTES:
                raise ImageError(f"{name}: the pictures have {MOST_BYTES // 2**20} MiB together, the most; clear the table first")
            pixels = decode_image(data, name)
            score = self._score(pixels, name)
            key = secrets.token_urlsafe(9)
            size = (pixels.shape[1], pixels.shape[0])
            self.held[key] = Picture(name, data, size, score, webp(shrunk(pixels, THUMBNAIL), QUALITY))
            self._keep((key, "", 0), pixels)
            return self.facts(key)

    def facts(self, key: str) -> dict[str, Any]:
        """Say what a row of the table shows.

        Args:
            key: Of the picture.
        """
        picture = self.of(key)
        return {"key": key, "name": picture.name, "size": picture.size, **_score_facts(picture.score)}

    def of(self, key: str) -> Picture:
        """Give a picture that is held.

        Args:
            key: What `add` gave.

        Raises:
            ImageError: It is not held.
        """
        if key not in self.held:
            raise ImageError("this picture is not held any more; drop it again")
        return self.held[key]

    def clear(self) -> None:
        """Forget all pictures."""
        with self._busy:
            self.held.clear()
            self._recent.clear()

    def explained(self, key: str) -> list[dict[str, str]]:
        """Draw the saliency map of a picture and the attention of each level.

        Args:
            key: Of the picture.

        Returns:
            For each map its name, the range of its values in words, and a WebP file as a data URL.
        """
        with self._busy:
            pixels, saliency = self.scorer.look(_named(self._pixels(key, "", 0), self.of(key).name))
            guides = self.scorer.guides(pixels, saliency)
        small = shrunk(pixels, WHOLE // 2)
        maps: list[tuple[str, NDArray[np.floating], Pixels]] = [
            ("saliency", saliency / 255.0, plots.overlay(small, saliency / 255.0))
        ]
        maps += [(f"attention {level}", guide, plots.coloured(guide, small.shape[:2])) for level, guide in enumerate(guides, 1)]
        return [
            {
                "name": name,
                "range": plots.range_of(values),
                "image": f"data:image/webp;base64,{base64.b64encode(webp(drawn, QUALITY)).decode()}",
            }
            for name, values, drawn in maps
        ]

    def score_at(self, key: str, slider: str, step: int) -> dict[str, Any]:
        """Score a picture under a distortion.

        Args:
            key: Of the picture.
            slider: Name of a slider.
            step: 0 for the picture as it is, to the number of strengths.
        """
        picture = self.of(key)
        if step and (slider, step) not in picture.scores:
            with self._busy:
                picture.scores[slider, step] = self._score(self._pixels(key, slider, step), picture.name)
        return _score_facts(picture.scores[slider, step] if step else picture.score)

    def view(self, key: str, slider: str, step: int, part: bool) -> tuple[bytes, str]:
        """Show a picture under a distortion.

        Args:
            key: Of the picture.
            slider: Name of a slider.
            step: As in `score_at`.
            part: Show the middle pixel by pixel, not the whole made smaller.

        Returns:
            Content and media type of a file; the part's is without loss.
        """
        with self._busy:
            pixels = self._pixels(key, slider, step)
        if not part:
            return webp(shrunk(pixels, WHOLE), QUALITY), "image/webp"
        top, left = (max(0, (side - PART) // 2) for side in pixels.shape[:2])
        return coded(".png", pixels[top : top + PART, left : left + PART]), "image/png"

    def _score(self, pixels: Pixels, name: str) -> float:
        return 100 * self.scorer.score(_named(pixels, name))

    def _pixels(self, key: str, slider: str, step: int) -> Pixels:
        """Give a picture as it is, or distorted."""
        place = (key, slider if step else "", step)
        if place not in self._recent:
            picture = self.of(key)
            if step:
                kind, draws = SLIDERS[slider], np.random.default_rng(step)
                pixels = kind.apply(self._pixels(key, "", 0), kind.strengths[step - 1], draws)
            else:
                pixels = decode_image(picture.data, picture.name)
            self._keep(place, pixels)
        self._recent.move_to_end(place)
        return self._recent[place]

    def _keep(self, place: tuple[str, str, int], pixels: Pixels) -> None:
        self._recent[place] = pixels
        while len(self._recent) > KEPT:
            self._recent.popitem(last=False)


def check_size(name: str, data: bytes) -> None:
    """Refuse what is no picture, or has too many pixels, before it is decoded.

    Args:
        name: What errors call it.
        data: Content of the file.

    Raises:
        ImageError: It is one of them.
    """
    if not data:
        raise ImageError(f"{name}: the file is empty")
    header = open_header(data)
    if header is None:  # or of so many pixels that Pillow does not open it either
        raise ImageError(
            f"{name}: is no picture that can be read; expected JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or JPEG 2000 with at most "
            f"{MOST_PIXELS // 10**6} million pixels"
        )
    if header.width * header.height > MOST_PIXELS:
        raise ImageError(
            f"{name}: has {header.width}×{header.height} pixels; at most {MOST_PIXELS // 10**6} million are taken; shrink it"
        )


def _named(pixels: Pixels, name: str) -> Image.Image:
    """Give pixels as an image that errors of the scorer call by its name."""
    image = Image.fromarray(pixels)
    image.filename = name  # type: ignore[attr-defined]
    return image


def _score_facts(score: float) -> dict[str, Any]:
    return {"score": score, "shown": f"{score:.3f}"}  # as `sdsiqa score` prints it
