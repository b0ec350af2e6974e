"""Maps computed once and kept on disk."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sdsiqa.files import user_path
from sdsiqa.images import PNG, is_whole, write_image
from sdsiqa.saliency.base import Parts, SaliencyProvider, to_uint8


class CachedMaps(SaliencyProvider):
    """The maps of another provider, computed once and kept in a folder that several processes may share.

    A file is named by a hash of the decoded pixels and of the provider's fingerprint: a changed image, setting or
    model never meets an old map. Maps are rounded to 8 bits, also those that were just computed: what a network sees
    does not depend on whether the folder was empty.

    Args:
        provider: Computes the maps that are not there yet.
        folder: Where they are kept, as `<provider>-<fingerprint>/<2 digits>/<key>.png`; created if missing.
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

    def within(self, parts: Parts) -> "CachedMaps":
        """Keep the maps that the wrapped provider gives within a split."""
        return CachedMaps(self.provider.within(parts), self.folder)

    def path(self, image: NDArray[np.uint8], name: str) -> Path:
        """Say where the map of an image is kept.

        Args:
            image: RGB pixels, `(H, W, 3)` uint8.
            name: Path of the image below its root; counts only where the provider looks at it.
        """
        known = f"{image.shape} {self.fingerprint()} {name if self.provider.uses_name else ''}"
        key = hashlib.sha256(known.encode())
        key.update(np.ascontiguousarray(image).data)
        digest = key.hexdigest()
        provider = f"{type(self.provider).__name__.lower()}-{self.fingerprint()[:8]}"
        return self.folder / provider / digest[:2] / f"{digest}.png"

    def _map(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
        path = self.path(image, name)
        kept = _read_whole(path)
        if kept is None or kept.shape != image.shape[:2]:
            kept = to_uint8(self.provider(image, name))
            write_image(path, kept)
        return kept.astype(np.float32) / np.float32(255)


def _read_whole(path: Path) -> NDArray[np.uint8] | None:
    """Read a grey PNG, `(H, W)` uint8; `None` where it is missing or damaged, so that it is made again."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    if data[:4] != PNG or not is_whole(data):
        return None
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return np.asarray(pixels) if pixels is not None and pixels.ndim == 2 and pixels.dtype == np.uint8 else None
