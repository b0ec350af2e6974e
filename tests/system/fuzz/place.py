"""A folder with what the commands of a user need: benchmarks, a finished run, photographs, files of settings."""

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import yaml
from fakes import scene, write_fake
from mutations import settings_of

from runs import CONFIGS, TINY, fit, words
from sdsiqa.images import write_image

BENCHMARKS = ("livec", "kadid10k", "csiq", "bid")
EXPERIMENT = """
benchmarks: {{livec: [{configs}/base.yaml, {configs}/data/livec.yaml]}}
methods: {{sdsiqa: tiny.yaml, cnniqa: {configs}/model/cnniqa.yaml}}
splits: [0, 1]
seeds: [0]
settings: {{trainer.max_epochs: 1, data.benchmark.init_args.root: {root}}}
"""


class Place:
    """A folder that can be brought back to what it was.

    Args:
        root: An empty folder; the place lies in it.
    """

    def __init__(self, root: Path) -> None:
        self.path, self._kept = root / "place", root / "kept"
        self.path.mkdir()
        for name in BENCHMARKS:
            write_fake(name, self.path / "data" / name)
        self.run = fit(self.path, epochs=1)
        self.settings = list(settings_of(yaml.safe_load((self.run / "config.yaml").read_text())))
        self._write_photos(self.path / "photos")
        self._write_settings()
        self.fit_words = words(self.path, "livec", "--run.name", "new", epochs=0)
        _copy(self.path, self._kept)

    def restore(self) -> None:
        """Bring everything back to the start."""
        shutil.rmtree(self.path, ignore_errors=True)
        _copy(self._kept, self.path)

    def _write_photos(self, folder: Path) -> None:
        for number, name in enumerate(("a.png", "b.jpg", "c/d.bmp", "c/e.tif")):
            write_image(folder / name, scene(number))

    def _write_settings(self) -> None:
        path = self.path
        root = path / "data" / "livec"
        (path / "tiny.yaml").write_text(TINY)
        settings = {"benchmark": {"class_path": "sdsiqa.benchmarks.LIVEC", "init_args": {"root": str(root)}}, "crop": 64}
        (path / "data.yaml").write_text(yaml.safe_dump({**settings, "saliency": "sdsiqa.saliency.CentrePrior"}))
        (path / "experiment.yaml").write_text(EXPERIMENT.format(configs=CONFIGS, root=root))
        with next((self.run / "scores").glob("*.csv")).open() as file:
            rows = list(csv.DictReader(file))
        with (path / "foreign.csv").open("w") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows({**row, "score": str(np.round(float(row["score"]) + 0.01 * n, 6))} for n, row in enumerate(rows))


def _copy(source: Path, target: Path) -> None:
    """Copy a folder; checkpoints, which are replaced and never changed, become links to the same file."""
    shutil.copytree(source, target, copy_function=lambda a, b: os.link(a, b) if a.endswith(".ckpt") else shutil.copy2(a, b))
