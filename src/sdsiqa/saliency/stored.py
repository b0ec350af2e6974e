"""Maps on disk, one per image."""

import hashlib
import json
import logging
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdsiqa.errors import ImageError, MapNotFoundError
from sdsiqa.files import read_file, user_path
from sdsiqa.images import PNG, is_whole
from sdsiqa.runs.image_search import MAP_SETTINGS, SUFFIXES
from sdsiqa.saliency.base import ROUNDING, SaliencyProvider

_LOG = logging.getLogger(__name__)


class Stored(SaliencyProvider):
    """Maps from a folder: the file at the image's relative path, with the suffix `.png` or `.npy` in place of its own.

    PNG files are grey with 8 or 16 bits, `.npy` files `(H, W)` numbers in any range. A map of another size than its
    image is resized.

    Args:
        root: Folder of maps, as `sdsiqa saliency` or another tool writes them.
    """

    uses_name = True

    def __init__(self, root: Path) -> None:
        self.root = user_path(root)
        self._resizes = False

    def fingerprint(self) -> str:
        """Identify the maps by relative path, size and time of change of every file in the folder.

        Their content is not read: there may be thousands, and every start asks. A map that was added or replaced
        changes the answer; moving the folder does not.

        Raises:
            MapNotFoundError: The folder is missing or holds no map.
        """
        return fingerprint_of_files(self, self.root)

    def _map(self, image: NDArray[np.uint8], name: str) -> NDArray[np.floating]:
        stem = map_stem(name)
        found = [path for path in (self.root / f"{stem}.png", self.root / f"{stem}.npy") if path.is_file()]
        if not found:
            raise missing_map(self.root, name)
        values = read_map(found[0])
        if values.shape != image.shape[:2] and not self._resizes:
            self._resizes = True  # said once, not for each of ten thousand
            if (self.root / MAP_SETTINGS).is_file():  # maps of `sdsiqa saliency` have the size at which they are computed
                return values
            sizes = f"{values.shape[1]}×{values.shape[0]}, its image {image.shape[1]}×{image.shape[0]}"
            _LOG.warning("%s: the map is %s; such maps are resized", found[0], sizes)
        return values


def map_stem(name: str) -> str:
    """Say where an image's map lies below the root of maps, without the map's suffix.

    Args:
        name: Path of the image below its own root, with `/`.

    Returns:
        The path without the suffix of an image format: `a/1600.AWGN.1.png` becomes `a/1600.AWGN.1`.

    Raises:
        MapNotFoundError: `name` is absolute or leads out of the root, so it cannot tell which map is meant.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise MapNotFoundError(f"got the image name {name!r}; stored maps need its path below the root of images")
    return str(path.with_suffix("")) if path.suffix.lower() in SUFFIXES else str(path)


def read_map(path: Path) -> NDArray[np.floating]:
    """Read a map file.

    Args:
        path: A grey PNG with 8 or 16 bits, or an `.npy` file of numbers.

    Returns:
        `(H, W)` float32: in [0, 1] from PNG, as stored from `.npy`.

    Raises:
        ImageError: The file is damaged or holds no map.
    """
    if path.suffix == ".npy":
        try:
            values = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ImageError(f"{path}: is no readable .npy file ({error}); make the map again") from error
        if values.ndim != 2 or not values.size or values.dtype.kind not in "fiub":
            raise ImageError(f"{path}: holds {values.dtype} {values.shape}; expected numbers of shape (H, W)")
        return np.asarray(values, np.float32)
    data = read_file(path)
    whole = data[:4] == PNG and is_whole(data)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if whole else None
    if pixels is None:
        raise ImageError(f"{path}: is no readable PNG file; make the map again")
    if pixels.ndim == 3 and (pixels[..., :3] == pixels[..., :1]).all():
        pixels = pixels[..., 0]  # grey written as RGB, as plotting tools do
    if pixels.ndim != 2:
        raise ImageError(f"{path}: is a colour picture; expected a grey map of shape (H, W)")
    return np.asarray(pixels, np.float32) / np.float32(65535 if pixels.dtype == np.uint16 else 255)


def list_maps(root: Path) -> dict[str, Path]:
    """List the maps below a folder by stem, sorted; `.png` goes before `.npy`, as in `Stored`."""
    if not root.is_dir():
        raise MapNotFoundError(f"{root}: no such folder; fill it with `sdsiqa saliency IMAGES --out {root}`")
    maps: dict[str, Path] = {}
    for suffix in (".npy", ".png"):
        maps |= {path.relative_to(root).with_suffix("").as_posix(): path for path in root.rglob(f"*{suffix}")}
    return dict(sorted(maps.items()))


def fingerprint_of_files(provider: SaliencyProvider, root: Path, *settings: Any) -> str:
    """Hash class, version, settings and the listing of a folder of maps."""
    files = [(stem, path.suffix, (stat := path.stat()).st_size, stat.st_mtime_ns) for stem, path in list_maps(root).items()]
    if not files:
        raise MapNotFoundError(f"{root}: holds no map; fill it with `sdsiqa saliency IMAGES --out {root}`")
    text = json.dumps([type(provider).__name__, provider.version, ROUNDING, *settings, files])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def missing_map(root: Path, name: str) -> MapNotFoundError:
    """Say that an image has no map, and how to make it."""
    return MapNotFoundError(
        f"{root}: no map {map_stem(name)}.png or .npy for the image {name!r}; make it with `sdsiqa saliency IMAGES --out {root}`"
    )
