"""Demo: a benchmark that needs no download, labelled by a proxy and not by people."""

from __future__ import annotations  # signatures in a notebook show names, not what they stand for

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from filelock import FileLock
from numpy.typing import NDArray

from sdsiqa.benchmarks.base import Benchmark
from sdsiqa.benchmarks.distortions.live_types import DISTORTIONS, distort
from sdsiqa.benchmarks.proxy import gmsd, proxy
from sdsiqa.errors import BenchmarkMismatchError, MissingExtraError
from sdsiqa.files import write_bytes
from sdsiqa.images import read_image, write_image
from sdsiqa.runs.process import thread_pool
from sdsiqa.runs.progress import track

SIDE = 192
"""Side of every picture in pixels."""

PHOTOGRAPHS = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "cat": ("skimage", "data/chelsea.png"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "coffee": ("skimage", "data/coffee.png"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
}
"""Colour photographs that packages bundle: package and file."""

OTHERS = {
    "brick": ("skimage", "data/brick.png"),
    "camera": ("skimage", "data/camera.png"),
    "coins": ("skimage", "data/coins.png"),
    "galaxies": ("skimage", "data/hubble_deep_field.jpg"),
    "grass": ("skimage", "data/grass.png"),
    "gravel": ("skimage", "data/gravel.png"),
    "moon": ("skimage", "data/moon.png"),
    "retina": ("skimage", "data/retina.jpg"),
    "tissue": ("skimage", "data/ihc.png"),
}
"""Grey photographs, surfaces and scientific pictures, for training alone."""

LEAVES = 40
"""Dead-leaves pictures, for training alone."""


VERSION = 2
"""Increased when the pictures or labels change: an older folder is then made again."""

SECONDS = 0.6
"""Time that a core takes for a picture with all its distortions and labels."""


@dataclass(frozen=True)
class Picture:
    """One undistorted picture.

    Args:
        content: What it shows; all views of a photograph are one content.
        view: Number of the view.
        training_only: Whether it may never be validated or tested on.
        pixels: RGB `(SIDE, SIDE, 3)` uint8.
    """

    content: str
    view: int
    training_only: bool
    pixels: NDArray[np.uint8]


def pictures() -> Iterator[Picture]:
    """Give all pictures, always the same.

    Raises:
        MissingExtraError: A package with photographs is missing.
    """
    for photographs, training_only in ((PHOTOGRAPHS, False), (OTHERS, True)):
        for content, (package, file) in photographs.items():
            image = read_image(_bundled(package, file))
            for view, pixels in enumerate(views(image)):
                yield Picture(content, view, training_only, pixels)
    for number in range(LEAVES):
        yield Picture(f"leaves{number:02}", 0, True, dead_leaves(number))


def views(image: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Cut square views: the middle of the whole photograph, then corners and middle of a larger copy.

    Args:
        image: RGB `(H, W, 3)` uint8.

    Yields:
        RGB `(SIDE, SIDE, 3)` uint8; all of them shrunk, since the photographs are noisy or compressed at full size.
    """
    whole = _shrunk(image, SIDE)
    yield _cut(whole, (whole.shape[0] - SIDE) // 2, (whole.shape[1] - SIDE) // 2)
    large = _shrunk(image, min(round(1.5 * SIDE), min(image.shape[:2])))
    bottom, right = large.shape[0] - SIDE, large.shape[1] - SIDE
    for y, x in ((0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)):
        yield _cut(large, y, x)


def dead_leaves(seed: int) -> NDArray[np.uint8]:
    """Draw a picture of leaves that hide each other, as surfaces do in nature.

    The model [Lee, Mumford and Huang, IJCV 41, 2001]: discs and polygons whose radius has the density `r⁻³`, each with its
    own colour, here with shading and with texture of a 1/f spectrum; drawn at twice the size, then averaged.

    Args:
        seed: Which picture.

    Returns:
        RGB `(SIDE, SIDE, 3)` uint8.
    """
    generator = np.random.default_rng((7, seed))
    side = 2 * SIDE
    # some scenes are crowded, others are mostly sky
    smallest, largest = float(generator.choice([14.0, 30.0, 60.0])), side / 2
    count = int(np.exp(generator.uniform(np.log(20), np.log(500))))
    grey = generator.uniform(20, 235, (6, 1))
    palette = grey + generator.uniform(-60, 60, (6, 3))  # surfaces are rarely saturated
    textures = [_texture(side, generator) for _ in range(4)]
    sky = np.linspace(-40, 40, side)[:, None] * generator.uniform(-1, 1) + textures[0] * generator.choice([0, 2, 6])
    canvas = (palette[0] + sky[..., None]).astype(np.float32)
    for _ in range(count):
        share = generator.random()
        radius = 1 / np.sqrt((1 - share) / smallest**2 + share / largest**2)  # inverse of the distribution of r⁻³
        centre = generator.uniform(0, side, 2)
        corners = int(generator.integers(3, 9)) if generator.random() < 0.5 else 40
        angles = np.sort(generator.uniform(0, 2 * np.pi, corners)) if corners < 40 else np.linspace(0, 2 * np.pi, 40)
        outline = np.stack([np.cos(angles), np.sin(angles)], 1) * radius * generator.uniform(0.6, 1.4, 2) + centre
        left, top, width, height = cv2.boundingRect(np.rint(outline).astype(np.int32))
        x, y = slice(max(left, 0), max(left + width, 0)), slice(max(top, 0), max(top + height, 0))
        window = canvas[y, x]
        mask = np.zeros(window.shape[:2], np.uint8)
        if not mask.size:  # the leaf lies outside
            continue
        cv2.fillPoly(mask, [np.rint(outline - (x.start, y.start)).astype(np.int32)], 1)
        colour = palette[generator.integers(6)] + generator.normal(0, 18, 3)
        down, across = generator.normal(0, 0.15, 2)
        rows = y.start + np.arange(len(mask))[:, None]
        columns = x.start + np.arange(len(mask[0]))
        shade = down * (rows - float(centre[1])) + across * (columns - float(centre[0]))
        shade = shade + textures[generator.integers(4)][y, x] * generator.choice([0, 4, 10, 22])
        np.copyto(window, (colour + shade[..., None]).astype(np.float32), where=mask[..., None].astype(bool))
    return np.asarray(cv2.resize(np.clip(canvas, 0, 255), (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _texture(side: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Noise `(side, side)` with a 1/f amplitude spectrum and standard deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(generator.standard_normal((side, side))) / frequency ** generator.uniform(0.5, 1.3)
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, (side, side))
    return np.asarray(noise / noise.std(), np.float32)


def _shrunk(image: NDArray[np.uint8], short: int) -> NDArray[np.uint8]:
    scale = short / min(image.shape[:2])
    size = [max(short, round(length * scale)) for length in image.shape[1::-1]]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _cut(image: NDArray[np.uint8], y: int, x: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(image[y : y + SIDE, x : x + SIDE])


def _bundled(package: str, file: str) -> Path:
    found = find_spec(package)
    if found is None or found.origin is None:
        raise MissingExtraError(
            f"the Demo benchmark takes photographs from {package}, which is not installed; pip install 'sdsiqa[demo]'"
        )
    return Path(found.origin).parent / file


class Demo(Benchmark):
    """Photographs that Python packages bundle, distorted as LIVE is, labelled by a **proxy**: no person rated them.

    Eight photographs in six views each are split by photograph; grey textures and procedural dead leaves are trained on
    and never tested on. The proxy is GMSD [Xue et al., TIP 2014], which follows opinion well on such distortions, needs
    no weights, and is none of the compared methods (PSNR or SSIM as the label would let that method score 1). It is for
    tutorials, tests and plumbing; no claim rests on it. It is made in the given folder on first use.

    Args:
        root: Folder to make it in, and to find it in afterwards.
        short_side: As for every benchmark; `None` keeps the size.
    """

    name = "demo"
    title = "Demo (proxy labels)"
    mos_range = (0.0, 100.0)
    opinion = "proxy"
    opinion_in_words = "quality by GMSD, a proxy"
    size = None
    url = "nowhere: it is made on first use"

    @cached_property
    def root(self) -> Path:
        """The folder, filled."""
        build(self.given)
        return self.given

    @property
    def remedy(self) -> str:
        """The end of an error message."""
        return f"remove {self.given}, and it is made again"

    def read(self) -> pd.DataFrame:
        """Read the labels that `build` wrote."""
        return pd.read_csv(self.root / "proxy.csv", dtype={"content": str}, keep_default_na=False)


def build(root: Path) -> None:
    """Make the benchmark unless it is there, and again if an older version of sdsiqa made it; several processes may ask at once.

    Args:
        root: Where.

    Raises:
        BenchmarkMismatchError: `root` holds files that are not this benchmark, which making it would remove.
    """
    if _version(root) == VERSION:
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(root.with_name(f".{root.name}.lock")):
        old = _version(root)
        if old == VERSION:
            return
        if old is None and root.exists() and any(root.iterdir()):
            raise BenchmarkMismatchError(
                f"{root} holds files that are not the Demo benchmark's; give a folder that is empty or missing, or remove them"
            )
        part = root.with_name(f".{root.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        try:
            sources = list(pictures())
            with thread_pool(os.cpu_count()) as pool:  # OpenCV works outside the interpreter's lock
                made = pool.map(_distort_all, sources, [part] * len(sources))
                title = f"making the Demo benchmark in {root}" + ("" if old is None else ", whose labels are of an older version")
                rows = [
                    row for some in track(made, title, len(sources), "pictures", SECONDS / (os.cpu_count() or 1)) for row in some
                ]
            write_bytes(part / "proxy.csv", pd.DataFrame(rows).to_csv(index=False, lineterminator="\n").encode())
            facts = {"version": VERSION, "labels": "a proxy (GMSD), not human opinion", "images": len(rows)}
            write_bytes(part / "demo.json", json.dumps(facts).encode())
            shutil.rmtree(root, ignore_errors=True)
            part.replace(root)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _distort_all(picture: Picture, root: Path) -> list[dict[str, object]]:
    """Write one picture and its distorted versions; give their rows."""
    stem = f"{picture.content}-{picture.view}"
    reference = f"references/{stem}.png"
    write_image(root / reference, picture.pixels)
    seed = int.from_bytes(stem.encode()[-6:])
    rows: list[dict[str, object]] = []
    for name, family in DISTORTIONS.items():
        for level in range(1, len(family.strengths) + 1):
            image = distort(picture.pixels, name, level, seed)
            file = f"{name}/{stem}-{level}.png"
            write_image(root / file, image)
            facts = {"image": file, "mos": proxy(gmsd(picture.pixels, image)), "content": picture.content}
            kind = {"reference": reference, "distortion": name, "level": level, "training_only": picture.training_only}
            rows.append({**facts, **kind})
    return rows


def _version(root: Path) -> int | None:
    file = root / "demo.json"
    try:
        return int(json.loads(file.read_bytes())["version"])
    except (OSError, ValueError, KeyError, TypeError):  # what does not say so is of no version
        return None
