"""Distorted: any folder of pristine photographs, distorted at levels, for first stages of training."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from filelock import FileLock
from numpy.typing import NDArray

from sdsiqa.benchmarks.base import Benchmark
from sdsiqa.benchmarks.distortions.live_types import distort
from sdsiqa.benchmarks.distortions.sets import SETS
from sdsiqa.benchmarks.proxy import gmsd, proxy
from sdsiqa.errors import BenchmarkMismatchError, BenchmarkNotFoundError
from sdsiqa.files import user_path, write_bytes
from sdsiqa.images import read_image, resize_short_side, write_image
from sdsiqa.runs.image_search import SUFFIXES, find_images
from sdsiqa.runs.process import thread_pool
from sdsiqa.runs.progress import track
from sdsiqa.runs.ranges import check_counts
from sdsiqa.runs.records import read_record

VERSION = 2
"""Increased when images or labels change: what an older version made is then made again."""

SECONDS = 0.15
"""Time that a core takes for a distorted version of a photograph of 512×768 pixels, with its label."""

FACTS = ("image", "mos", "content", "reference", "distortion", "level")
"""Columns of its table."""


class Distorted(Benchmark):
    """Pristine photographs of a folder, distorted at levels and labelled by a **proxy** (GMSD): no person rated them.

    It is generated on first use, photograph by photograph; if that is interrupted, the next use resumes. Photographs must not
    be references of a benchmark that is tested: the references of TID2013 and some of LIVE are Kodak's.

    Args:
        root: Folder to make it in, and to find it in afterwards.
        photographs: Folder of pristine photographs, with all its subfolders.
        distortions: Which set: LIVE's five, DB-CNN's nine, or RankIQA's of TID2013 (`sdsiqa.benchmarks.distortions.sets`).
        longest: Photographs with a short side above it are shrunk to it, which also removes noise and artefacts of their own.
        short_side: As for every benchmark; `None` keeps the size.
    """

    name = "distorted"
    title = "Distorted photographs (proxy labels)"
    listed = False  # what it is depends on a folder of photographs
    mos_range = (0.0, 100.0)
    opinion = "proxy"
    opinion_in_words = "quality by GMSD, a proxy"
    size = None
    url = "nowhere: it is made on first use"

    def __init__(
        self,
        root: Path,
        photographs: Path,
        distortions: Literal["live", "dbcnn", "tid"] = "dbcnn",
        longest: int = 512,
        short_side: int | None = None,
    ) -> None:
        super().__init__(root, short_side)
        check_counts(longest=longest)
        self.photographs, self.distortions, self.longest = user_path(photographs), distortions, longest

    @cached_property
    def root(self) -> Path:
        """The folder, filled."""
        self._build()
        return self.given

    @property
    def remedy(self) -> str:
        """The end of an error message."""
        return f"remove {self.given}, and it is made again"

    def read(self) -> pd.DataFrame:
        """Read the labels that were written with the images."""
        return pd.read_csv(self.root / "proxy.csv", dtype={"content": str}, keep_default_na=False)

    def sources(self) -> dict[str, Path]:
        """Photographs by content: their path without its suffix.

        Raises:
            BenchmarkNotFoundError: There are none.
            BenchmarkMismatchError: Two differ in nothing but their suffix or letter case.
        """
        found: dict[str, Path] = {}
        for file in find_images(self.photographs) if self.photographs.is_dir() else ():
            content = "--".join(file.relative_to(self.photographs).with_suffix("").parts).lower()
            if content in found:
                raise BenchmarkMismatchError(f"{found[content]} and {file} would have one name; rename one of them")
            found[content] = file
        if not found:
            raise BenchmarkNotFoundError(
                f"no photographs in {self.photographs}; expected a folder of {', '.join(sorted(SUFFIXES))}"
            )
        return found

    def _build(self) -> None:
        """Make what is not there yet; several processes may ask at once, and one that was killed has left whole photographs."""
        facts_file, table_file = self.given / "distorted.json", self.given / "proxy.csv"
        if table_file.exists() and not self.photographs.is_dir():  # made elsewhere
            if (version := read_record(facts_file).get("version")) != VERSION:
                raise BenchmarkMismatchError(
                    f"{self.given} was made by another version of sdsiqa (labels of version {version}, expected {VERSION}); "
                    f"it is made again from the photographs, which are not in {self.photographs}: give their folder"
                )
            return
        self.given.mkdir(parents=True, exist_ok=True)
        with FileLock(self.given / ".lock"):
            sources = self.sources()
            sizes = {content: file.stat().st_size for content, file in sources.items()}
            facts = {"version": VERSION, "distortions": self.distortions, "longest": self.longest, "photographs": sizes}
            if facts_file.exists() and (found := read_record(facts_file)) != facts:
                if found | {"version": VERSION} != facts:
                    raise BenchmarkMismatchError(
                        f"{self.given} was made from other photographs or with other settings; give another root, or remove it"
                    )
                table_file.unlink(missing_ok=True)  # the table first: without it nothing here counts as made
                shutil.rmtree(self.given / "rows", ignore_errors=True)
            write_bytes(facts_file, json.dumps(facts, indent=1).encode())
            if table_file.exists():
                return
            rows = [row for some in self._made(sources) for row in some]
            write_bytes(table_file, pd.DataFrame(rows).to_csv(index=False, lineterminator="\n").encode())

    def _made(self, sources: dict[str, Path]) -> Iterator[list[dict[str, Any]]]:
        """Give the rows of each photograph."""
        with thread_pool(os.cpu_count()) as pool:  # OpenCV works outside the interpreter's lock
            made, each = pool.map(self._distort, sources, sources.values()), SECONDS * len(self._levels()) / (os.cpu_count() or 1)
            yield from track(made, f"distorting {self.photographs} into {self.given}", len(sources), "photographs", each)

    def _distort(self, content: str, file: Path) -> list[dict[str, Any]]:
        """Write one photograph and its distorted versions, and last its rows, which say that all is there."""
        done = self.given / "rows" / f"{content}.json"
        if done.exists():
            with contextlib.suppress(ValueError, TypeError, KeyError):  # one that is damaged is made again
                return [{name: row[name] for name in FACTS} for row in json.loads(done.read_bytes())]
        pixels = read_image(file)
        if min(pixels.shape[:2]) > self.longest:
            pixels = resize_short_side(pixels, self.longest)
        reference = f"references/{content}.png"
        write_image(self.given / reference, pixels)
        rows = [self._row(content, reference, pixels, name, level) for name, level in self._levels()]
        write_bytes(done, json.dumps(rows).encode())
        return rows

    def _levels(self) -> list[tuple[str, int]]:
        return [(name, level + 1) for name, kind in SETS[self.distortions].items() for level in range(len(kind.strengths))]

    def _row(self, content: str, reference: str, pixels: NDArray[np.uint8], name: str, level: int) -> dict[str, Any]:
        seed = int.from_bytes(content.encode()[-6:])
        image = distort(pixels, name, level, seed, SETS[self.distortions])
        file = f"{name}/{content}-{level}.png"
        write_image(self.given / file, image)
        return dict(zip(FACTS, (file, proxy(gmsd(pixels, image)), content, reference, name, level), strict=True))
