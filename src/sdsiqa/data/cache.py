"""Decoded images and saliency maps in one mapped file, shared by all workers and ranks."""

from __future__ import annotations  # signatures show names, not what they stand for

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from sdsiqa.errors import SdsiqaError, StorageError, in_short
from sdsiqa.files import CANNOT_WRITE, write_bytes
from sdsiqa.runs.process import thread_pool
from sdsiqa.runs.progress import track

Planes = tuple[NDArray[np.uint8], NDArray[np.uint8] | None]
"""One picture: RGB `(H, W, 3)` and its map `(H, W)`, or none where no map is wanted."""


SECONDS = 0.008
"""Time that a core takes to decode an image of 512×384 pixels and to compute its map by a quick provider."""


class DecodedCache:
    """Read-only store of decoded pictures in `<folder>/<key>.bin`.

    The pages of a mapped file are shared by every process that opens it, so memory does not grow with workers or
    ranks, and a crop costs a copy of its own pixels. The object keeps the path and the offsets, never the array: a
    pickled `numpy.memmap` would carry all of its content to every worker.

    Args:
        folder: Where caches live.
        key: What the content depends on, as a file name.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / f"{key}.bin"
        # sorted arrays instead of a dictionary: forked workers share their pages, and objects' reference counts would
        # unshare them, page by page
        self._names: NDArray[np.str_] = np.zeros(0, np.str_)
        self._places: NDArray[np.int64] = np.zeros((0, 4), np.int64)  # start, height, width, whether there is a map
        self._bytes: NDArray[np.uint8] | None = None

    def __getstate__(self) -> dict[str, object]:
        """Drop the mapping: each process opens its own."""
        return {**self.__dict__, "_bytes": None}

    def fill(self, names: Sequence[str], load: Callable[[str], Planes], jobs: int = 1) -> None:
        """Write the file unless it is there; one process writes, the others wait.

        Args:
            names: What to store, each once.
            load: Decodes one name; called once per name.
            jobs: Threads that decode.

        Raises:
            SdsiqaError: The disk has too little room; says how much is needed.
        """
        index = self.path.with_suffix(".json")
        if not index.exists():  # the index is written last, so its presence means that the pixels are complete
            with self._told(), self._lock():
                if not index.exists():
                    self._write(names, load, jobs)
        try:
            entries = dict(json.loads(index.read_text(encoding="utf-8")))
            known, places = np.array(list(entries), np.str_), np.array(list(entries.values()), np.int64).reshape(-1, 4)
            end = np.max(places[:, 0] + places[:, 1] * places[:, 2] * (3 + places[:, 3]), initial=0)
            if end > self.path.stat().st_size or places.min(initial=0) < 0:
                raise ValueError("it names places outside of its file")
        except (ValueError, TypeError, OSError) as error:
            raise SdsiqaError(
                f"{index} is no index of decoded images ({in_short(error, 100)}); remove it and {self.path.name}"
            ) from error
        order = np.argsort(known)
        self._names, self._places = known[order], places[order]

    def _lock(self) -> FileLock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self.path.with_suffix(".lock"))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Name the cache where its folder cannot be written to.

        Raises:
            StorageError: Says why, and what else can be done.
        """
        try:
            yield
        except OSError as error:
            if isinstance(error, SdsiqaError) or error.errno not in CANNOT_WRITE:
                raise
            raise StorageError(
                f"the cache {self.path.parent} could not be written ({error.strerror}); set data.cache to a folder with "
                "room and the right to write, or to null to decode each time"
            ) from error

    def __contains__(self, name: str) -> bool:
        """Say whether a name is stored."""
        return self._find(name) is not None

    def __getitem__(self, name: str) -> Planes:
        """Views of a stored picture and its map; copy before changing."""
        if self._bytes is None:
            self._bytes = np.memmap(self.path, np.uint8, mode="r")
        row = self._find(name)
        if row is None:
            raise KeyError(name)
        start, height, width, has_map = map(int, self._places[row])
        middle = start + 3 * height * width
        image = self._bytes[start:middle].reshape(height, width, 3)
        if not has_map:
            return image, None
        return image, self._bytes[middle : middle + height * width].reshape(height, width)

    def _find(self, name: str) -> int | None:
        """Row of a name; `None` where it is not stored."""
        row = int(np.searchsorted(self._names, name))
        return row if row < len(self._names) and self._names[row] == name else None

    def _write(self, names: Sequence[str], load: Callable[[str], Planes], jobs: int) -> None:
        part = self.path.with_suffix(".part")
        offsets: dict[str, tuple[int, int, int, bool]] = {}
        try:
            with part.open("wb") as file, thread_pool(jobs) as pool:
                for name, (image, saliency) in zip(names, self._watched(pool.map(load, names), len(names), jobs), strict=True):
                    if not offsets:
                        self._check_room(len(names) * (image.nbytes + (0 if saliency is None else saliency.nbytes)))
                    offsets[name] = (file.tell(), *image.shape[:2], saliency is not None)
                    file.write(np.ascontiguousarray(image).data)
                    if saliency is not None:
                        file.write(np.ascontiguousarray(saliency).data)
            part.replace(self.path)
        finally:
            part.unlink(missing_ok=True)
        write_bytes(self.path.with_suffix(".json"), json.dumps(offsets).encode())

    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if needed > free:
            raise SdsiqaError(
                f"the cache {self.path} needs about {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; set "
                "data.cache to another folder, or to null to decode each time"
            )

    def _watched(self, items: Iterable[Planes], total: int, jobs: int) -> Iterable[Planes]:
        title = f"decoding images and computing their saliency maps, once, into {self.path}"
        return track(items, title, total, each=SECONDS / jobs)
