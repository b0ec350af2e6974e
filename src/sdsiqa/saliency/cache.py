"""Maps computed once and kept on disk."""

from __future__ import annotations  # signatures show names, not what they stand for

import re
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_hexdigest, xxh3_128

from sdsiqa.files import user_path, write_bytes
from sdsiqa.images import PNG, is_whole, write_image
from sdsiqa.saliency.base import OwnMap, Parts, SaliencyProvider

_LARGEST = 256 * 256
"""Pixels up to which a map is kept as it is: reading it costs less than a tenth of unpacking a PNG file."""

_HEADER = re.compile(rb"P5\n# ([0-9a-f]{16})\n(\d+) (\d+)\n(255|65535)\n")
"""Of a PGM file, with the checksum of its pixels as a comment; width, height, highest value."""


class CachedMaps(SaliencyProvider):
    """The maps of another provider, computed once and kept in a folder that several processes may share.

    A file is named by a hash of the decoded pixels and of the provider's fingerprint: a changed image, setting or
    model never meets an old map. It holds the map at the size at which the provider computes it: up to 256 × 256 as
    PGM, larger ones as PNG.

    Args:
        provider: Computes the maps that are not there yet.
        folder: Where they are kept, as `<provider>-<fingerprint>/<2 digits>/<key>.pgm`; created if missing.
    """

    def __init__(self, provider: SaliencyProvider, folder: Path) -> None:
        self.provider = provider
        self.folder = user_path(folder)
        self._fingerprint: str | None = None

    def fingerprint(self) -> str:
        """Identify the maps: as the wrapped provider does, read once."""
        if self._fingerprint is None:
            self._fingerprint = self.provider.fingerprint()
        return self._fingerprint

    def within(self, parts: Parts) -> CachedMaps:
        """Keep the maps that the wrapped provider gives within a split."""
        return CachedMaps(self.provider.within(parts), self.folder)

    def path(self, image: NDArray[np.uint8], name: str) -> Path:
        """Say where the map of an image is kept; a large one has the suffix `.png` in place of this one.

        Args:
            image: RGB pixels, `(H, W, 3)` uint8.
            name: Path of the image below its root; counts only where the provider looks at it.
        """
        known = f"{image.shape} {self.fingerprint()} {name if self.provider.uses_name else ''}"
        key = xxh3_128(known.encode(errors="surrogateescape"))  # ten times as quick as SHA-256, and nobody forges pictures here
        key.update(np.ascontiguousarray(image).data)
        digest = key.hexdigest()
        provider = f"{type(self.provider).__name__.lower()}-{self.fingerprint()[:8]}"
        return self.folder / provider / digest[:2] / f"{digest}.pgm"

    def own(self, image: NDArray[np.uint8], name: str) -> OwnMap:
        """Read the map, or compute and keep it.

        Args:
            image: RGB pixels, `(H, W, 3)` uint8.
            name: Path of the image below its root.

        Returns:
            As the provider's.
        """
        path = self.path(image, name)
        kept = _read(path)
        if kept is None or (kept.dtype == np.uint8 and kept.shape != image.shape[:2]):
            kept = self.provider.own(image, name)
            _write(path, kept)
        return kept

    def _map(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
        own = self.own(image, name)
        return own.astype(np.float32) / np.float32(np.iinfo(own.dtype).max)


def _write(path: Path, own: OwnMap) -> None:
    if own.size > _LARGEST:
        write_image(path.with_suffix(".png"), own)
        return
    pixels = own.astype(own.dtype.newbyteorder(">")).tobytes()
    header = f"P5\n# {xxh3_64_hexdigest(pixels)}\n{own.shape[1]} {own.shape[0]}\n{np.iinfo(own.dtype).max}\n"
    write_bytes(path, header.encode() + pixels)


def _read(path: Path) -> OwnMap | None:
    """Read a map; `None` where it is missing or damaged, so that it is made again."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return _read_png(path.with_suffix(".png"))
    header = _HEADER.match(data)
    if header is None or xxh3_64_hexdigest(data[header.end() :]) != header[1].decode():
        return None
    width, height, highest = map(int, header.groups()[1:])
    pixels = np.frombuffer(data, np.uint8 if highest == 255 else ">u2", offset=header.end())
    if pixels.size != height * width or not pixels.size:
        return None
    own = pixels.reshape(height, width)
    return own.astype(np.uint8) if highest == 255 else own.astype(np.uint16)


def _read_png(path: Path) -> OwnMap | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    if data[:4] != PNG or not is_whole(data):
        return None
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    is_map = pixels is not None and pixels.ndim == 2 and pixels.dtype in (np.uint8, np.uint16)
    return cast(OwnMap, pixels) if is_map else None
