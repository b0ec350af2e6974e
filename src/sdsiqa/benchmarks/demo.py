"""Demo: a benchmark that needs no download, labelled by a proxy and not by people."""

import json
import os
import shutil
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock

from sdsiqa.benchmarks.base import Benchmark
from sdsiqa.benchmarks.demo_contents import Picture, pictures
from sdsiqa.benchmarks.distortions.live_types import DISTORTIONS, distort
from sdsiqa.benchmarks.proxy import gmsd
from sdsiqa.files import write_bytes
from sdsiqa.images import write_image
from sdsiqa.runs.progress import track
from sdsiqa.runs.thread_pool import thread_pool

VERSION = 1
"""Raised when the pictures or labels change: an older folder is then made anew."""

SECONDS = 0.6
"""Time that a core takes for a picture with all its distortions and labels."""

WORST = 0.32
"""GMSD that the worst label stands for."""


class Demo(Benchmark):
    """Photographs that Python packages bundle, distorted as LIVE is, labelled by a **proxy**: no person rated them.

    Eight photographs in six views each are split by photograph; grey textures and procedural dead leaves are trained on
    and never tested on. The proxy is GMSD [Xue et al., TIP 2014], which follows opinion well on such distortions, needs
    no weights, and is none of the compared methods (PSNR or SSIM as the label would let that method score 1). It is for
    tutorials, tests and plumbing; no claim rests on it. It is made in the given folder on first use.

    Args:
        root: Folder to make it in, and to find it in afterwards.
        short_side: As for every benchmark; None keeps the size.
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

    def read(self) -> pd.DataFrame:
        """Read the labels that `build` wrote."""
        return pd.read_csv(self.root / "proxy.csv", dtype={"content": str}, keep_default_na=False)


def build(root: Path) -> None:
    """Make the benchmark unless it is there; several processes may ask at once.

    Args:
        root: Where.
    """
    if _version(root) == VERSION:
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(root.with_name(f".{root.name}.lock")):
        if _version(root) == VERSION:
            return
        part = root.with_name(f".{root.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        try:
            sources = list(pictures())
            with thread_pool(os.cpu_count()) as pool:  # OpenCV works outside the interpreter's lock
                made = pool.map(_distort_all, sources, [part] * len(sources))
                title = f"making the Demo benchmark in {root}"
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


def proxy(value: float) -> float:
    """Map GMSD to the label.

    Args:
        value: GMSD; 0 is a perfect image.

    Returns:
        0 (worst) … 100 (equal to its reference), falling with the square root: mild distortions differ more for the eye
        than in GMSD.
    """
    return 100 * (1 - float(np.sqrt(min(value, WORST) / WORST)))


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
    return int(json.loads(file.read_text())["version"]) if file.exists() else None
