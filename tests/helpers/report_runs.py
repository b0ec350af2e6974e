"""Run folders with scores drawn at random, written by the code that writes real ones: for reports of many runs."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from fakes import distorted, scene

from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.benchmarks.splits import make_split
from sdsiqa.files import write_bytes
from sdsiqa.images import write_image
from sdsiqa.report.build import tables_of
from sdsiqa.report.read import read_results
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.table import Table
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.scores import score_table, write_scores

KINDS = ("FF", "GB", "JP2K", "JPEG", "WN")


@cache
def labels(benchmark: str, contents: int = 20, levels: int = 4) -> pd.DataFrame:
    """A table of a benchmark: five distortions of each content where the benchmark has any, else one image a content."""
    rng = np.random.default_rng(len(benchmark))
    kind = BENCHMARKS[benchmark]
    low, high = kind.mos_range
    rows = []
    for content in range(contents):
        for distortion in ("",) if benchmark in ("livec", "koniq10k") else KINDS:
            for level in range(1, levels + 1) if distortion else (-1,):
                strength = level if distortion else rng.uniform(1, levels)
                quality = float(np.clip(0.95 - 0.17 * strength + 0.08 * rng.normal(), 0, 1))
                name = f"{distortion or 'photos'}/c{content:03d}-{level}.png"
                facts = {"image": name, "quality": quality, "content": f"c{content:03d}"}
                rows.append({**facts, "distortion": distortion, "level": level})
    table = pd.DataFrame(rows)
    table["mos"] = low + (high - low) * (table["quality"] if kind.higher_is_better else 1 - table["quality"])
    return table.assign(reference="", split="", mos_std=5.0 if benchmark == "live" else np.nan, training_only=False)


def draw_images(benchmark: str, root: Path, height: int = 60, width: int = 80) -> Path:
    """Draw the images of a table, small, where a report looks for them."""
    for number, image in enumerate(labels(benchmark)["image"]):
        write_image(root / image, distorted(scene(number % 7, height, width), number % 4))
    for name in BENCHMARKS[benchmark].label_files[:1]:
        write_bytes(root / name, b"")
    return root


def make_run(
    runs: Path,
    benchmark: str = "live",
    *,
    method: str | None = "sdsiqa",
    ablation: str = "full",
    split: int = 0,
    seed: int = 0,
    noise: float = 0.05,
    tested: Sequence[str] = (),
    root: Path | str = "/nowhere",
    contents: int = 20,
) -> Path:
    """Write a finished run: configuration, record, split, scores of its test part and of all of other benchmarks."""
    folder = RunFolder(runs / f"{benchmark}-{method or 'net'}-{ablation}-{split}-{seed}-{abs(hash((noise, root))) % 16**8:08x}")
    table = labels(benchmark, contents)
    parts = make_split(benchmark, table, split)
    settings = {"name": benchmark} | ({"method": method, "ablation": ablation} if method else {})
    kind = f"sdsiqa.benchmarks.{BENCHMARKS[benchmark].__name__}"
    config = {
        "seed_everything": seed,
        "data": {"benchmark": {"class_path": kind, "init_args": {"root": str(root)}}, "split": split},
        "run": settings,
    }
    write_bytes(folder.path / "config.yaml", yaml.safe_dump(config).encode())
    folder.write("split.json", parts.to_json(table))
    folder.update(id=folder.path.name, state="finished", chosen_by="val/srcc", cost={"training_hours": 0.1 + 0.01 * split})
    for name, rows in ((f"{benchmark}-test", parts.test), *((f"{other}-all", None) for other in tested)):
        own = labels(name.rsplit("-", 1)[0], contents)
        index = np.array(rows if rows is not None else range(len(own)), np.int64)
        rng = np.random.default_rng([split, seed, len(ablation), int(1000 * noise)])
        shared = np.random.default_rng(len(name)).normal(size=len(own))[index]  # methods err on the same images
        score = own["quality"].to_numpy()[index] + 0.06 * shared + noise * rng.normal(size=len(index))
        write_scores(folder.path / "scores" / f"{name}.csv", score_table(own, index, score))
    return folder.path


def tables(runs: Path, baseline: str | None = None, published: Path | None = None, resamples: int = 200) -> dict[str, Table]:
    found = tables_of(read_results([runs]), Evidence(resamples), baseline, published)
    return {table.name: table for table in found}


def column(table: Table, name: str) -> list[str]:
    return [cells[list(table.head).index(name)] for cells in table.cells]
