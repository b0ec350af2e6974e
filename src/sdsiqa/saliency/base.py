"""The base class of saliency sources: one map of the whole image, computed before any crop.

A network sees a map in 8 bits, at the size of its image, whichever way it came: computed now, or kept in a file. So a map is
first rounded at the size at which its source computes it, which is what files hold, and enlarged afterwards.
"""

from __future__ import annotations  # signatures show names, not what they stand for

import hashlib
import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from sdsiqa.errors import ClassDefinitionError, ImageError
from sdsiqa.runs.class_attributes import Attribute, check_attributes, is_count, is_flag
from sdsiqa.runs.process import is_out_of_memory

FLAT = 1e-6
"""Range of values below which a map counts as flat: equally salient everywhere."""

OwnMap = NDArray[np.uint8] | NDArray[np.uint16]
"""A map at the size at which it is computed."""

ROUNDING = 2
"""Increased when maps are rounded or enlarged otherwise: no map that was kept before meets a new one."""

Parts = Callable[[], Mapping[str, Mapping[str, str]]]
"""Gives the images of each part of a split, by name, with the content that each shows."""

_ATTRIBUTES = {
    "slow": Attribute(is_flag, "true or false", "True"),
    "version": Attribute(lambda value: value is not None and is_count(value), "a whole number, at least 1,", "2"),
    "uses_name": Attribute(is_flag, "true or false", "True"),
}


class SaliencyProvider(ABC):
    """A saliency map of the whole image: where people look.

    Constructors only store their arguments, as attributes of the same name; files and models are opened on first use.
    A provider is therefore cheap to build, and only its settings are sent to loader processes.
    """

    slow: ClassVar[bool] = False
    """Whether training refuses to compute these maps in each epoch: cache them (`CachedMaps`) or store them (`Stored`)."""

    version: ClassVar[int] = 1
    """Increased when the maps change."""

    uses_name: ClassVar[bool] = False
    """Whether the map depends on the image's name and not on its pixels alone."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_attributes(cls, _ATTRIBUTES)

    def __call__(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
        """Map a whole image, in full precision.

        Args:
            image: RGB pixels, `(H, W, 3)` uint8 in 0 … 255.
            name: Path of the image below its root, with `/`; identifies it for stored and for random maps.

        Returns:
            `(H, W)` float32 with minimum 0 and maximum 1; ones where the map is flat (range below 1e-6).

        Raises:
            ImageError: `image` is no RGB image, or its map holds values that are not finite.
            MapNotFoundError: A stored map is missing.
        """
        return _stretched(_enlarged(self._values(image, name), image.shape[:2]))

    def own(self, image: NDArray[np.uint8], name: str) -> OwnMap:
        """Map a whole image at the size at which the map is computed: what is kept in files.

        Args:
            image: As in calling.
            name: As in calling.

        Returns:
            `(H, W)` uint8 in 0 … 255 where the map has the size of its image, else `(h, w)` uint16 in 0 … 65535: enlarging mixes
            its values, and 8 bits would show. It reaches both ends, and is the upper one where it is flat.

        Raises:
            ImageError: As in calling, and so is `MapNotFoundError`.
        """
        values = _stretched(self._values(image, name))
        if values.shape == image.shape[:2]:
            return to_uint8(values)
        return np.asarray(np.rint(values * np.float32(65535)), np.uint16)

    def seen(self, image: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
        """Map a whole image as networks see it: `own` at the size of the image.

        Args:
            image: As in calling.
            name: As in calling.

        Returns:
            `(H, W)` uint8 with minimum 0 and maximum 255; 255 where the map is flat.

        Raises:
            ImageError: As in calling, and so is `MapNotFoundError`.
        """
        own = self.own(image, name)
        if own.dtype == np.uint8:
            return np.asarray(own, np.uint8)
        values = _enlarged(own, image.shape[:2])
        lowest, highest, _, _ = cv2.minMaxLoc(values)
        if highest - lowest < 65535 * FLAT:
            return np.full(values.shape, 255, np.uint8)
        scale = 255 / (highest - lowest)
        return np.asarray(cv2.convertScaleAbs(values, alpha=scale, beta=-lowest * scale), np.uint8)

    def _values(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
        """Compute the map, `(h, w)` in any range; refuse what is no image or no map."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ImageError(f"{name}: got {image.dtype} {image.shape}; expected RGB pixels, (H, W, 3) uint8")
        values = np.asarray(self._map(image, name), np.float32)
        if not np.isfinite(values).all():
            raise ImageError(f"{name}: {self!r} gave values that are not finite; check the model or the map file")
        return values

    def within(self, parts: Parts) -> SaliencyProvider:
        """Give this source as the images of a split have to see it: itself, unless it hands images the maps of others.

        Args:
            parts: Called only by a source that does.
        """
        return self

    @abstractmethod
    def _map(self, image: NDArray[np.uint8], name: str) -> NDArray[np.floating]:
        """Compute the map, in any range and size: what calls it resizes and normalises it."""

    def settings(self) -> dict[str, Any]:
        """List the constructor's arguments and their values.

        Raises:
            ClassDefinitionError: The constructor does not store its arguments under their own names.
        """
        arguments = list(inspect.signature(type(self)).parameters)
        missing = [name for name in arguments if not hasattr(self, name)]
        if missing:
            raise ClassDefinitionError(
                f"class {type(self).__module__}.{type(self).__qualname__}: its constructor does not store {', '.join(missing)}; "
                f"write self.{missing[0]} = {missing[0]}, for settings identify maps and travel to loader processes"
            )
        return {name: getattr(self, name) for name in arguments}

    def fingerprint(self) -> str:
        """Identify the maps: 16 hexadecimal digits of a SHA-256 over class name, versions and settings.

        A setting that is a file counts with its content, not with its path: a model may move, but not change unseen.

        Raises:
            FileNotFoundError: A file among the settings is missing.
        """
        settings = {key: _identity(value) for key, value in self.settings().items()}
        text = json.dumps([type(self).__name__, self.version, ROUNDING, settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        values = ", ".join(f"{key}={str(v) if isinstance(v, Path) else v!r}" for key, v in self.settings().items())
        return f"{type(self).__name__}({values})"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[()]]:
        # an opened model stays behind: a worker opens its own
        return partial(type(self), **self.settings()), ()


@contextmanager
def memory_explained(name: str) -> Iterator[None]:
    """Say which image was too large for the memory.

    Args:
        name: What errors call the image.

    Raises:
        ImageError: Python, OpenCV or PyTorch got no memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError, cv2.error) as error:
        if not is_out_of_memory(error):
            raise
        raise ImageError(f"{name}: needs more memory than there is; shrink it") from error


def to_uint8(saliency: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Round a map to 8 bits.

    Args:
        saliency: `(H, W)` in [0, 1].

    Returns:
        `(H, W)` uint8 in 0 … 255; 0 and 1 are kept exactly.
    """
    return np.asarray(np.rint(saliency * np.float32(255)), np.uint8)


def _enlarged(values: NDArray[Any], size: tuple[int, ...]) -> NDArray[Any]:
    """Resize a map `(h, w)` to `(H, W)`, bilinearly."""
    if values.shape == size:
        return values
    return np.asarray(cv2.resize(values, (size[1], size[0]), interpolation=cv2.INTER_LINEAR))


def _stretched(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring a map to [0, 1], both of which it reaches; ones where it is flat."""
    values = values - values.min()
    highest = values.max()
    return np.ones_like(values) if highest < FLAT else values / highest


def _identity(value: Any) -> Any:
    """Reduce a setting to what JSON holds."""
    if isinstance(value, Path):
        with value.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return value
