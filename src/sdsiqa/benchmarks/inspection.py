"""Decoding every image of a benchmark, strictly, in several processes."""

import hashlib
import io
import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from sdsiqa.errors import ImageError
from sdsiqa.images import decode_image
from sdsiqa.runs.progress import track

SECONDS = 0.03
"""Time that a core takes to decode an image of a megapixel twice."""

ORIENTATION = 0x0112
"""The EXIF tag that turns a picture; 1 or absent means upright."""


@dataclass(frozen=True)
class Finding:
    """What one file turned out to be.

    Args:
        error: Why it cannot be used; empty if it can.
        digest: SHA-256 of its bytes.
        size: Width and height in pixels, upright.
        mode: Pillow's name of its colours: RGB, L, P, RGBA, CMYK …
        is_turned: Whether EXIF asks for a rotation.
    """

    error: str = ""
    digest: str = ""
    size: tuple[int, int] = (0, 0)
    mode: str = ""
    is_turned: bool = False


def inspect(root: Path, path: str) -> Finding:
    """Decode a file twice: as all of the project does, and with Pillow, which refuses what OpenCV patches up.

    Args:
        root: Folder of the benchmark.
        path: Path of the file below it.
    """
    try:
        data = (root / path).read_bytes()
        pixels = decode_image(data, path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures and odd tags, which are no damage
            with Image.open(io.BytesIO(data)) as image:
                mode, is_turned = image.mode, image.getexif().get(ORIENTATION, 1) not in (0, 1)
                image.load()
    except ImageError as error:
        return Finding(error=str(error))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Finding(error=f"{path}: cannot be decoded ({reason}); copy or unpack it again")
    height, width = pixels.shape[:2]
    return Finding("", hashlib.sha256(data).hexdigest(), (width, height), mode, is_turned)


def inspect_all(root: Path, paths: list[str], jobs: int) -> dict[str, Finding]:
    """Decode many files, showing progress.

    Args:
        root: Folder of the benchmark.
        paths: Files below it.
        jobs: Number of processes; with 1, this one.

    Returns:
        A finding per path, in the order given.
    """
    work = partial(inspect, root)
    title = f"decoding every image of {root}"
    if jobs == 1 or len(paths) < 100:
        return {path: work(path) for path in track(paths, title, each=SECONDS)}
    # spawn, not fork: the caller may hold threads
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = pool.map(work, paths, chunksize=16)
        return dict(zip(paths, track(results, title, len(paths), each=SECONDS / jobs), strict=True))
