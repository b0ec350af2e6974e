"""The authors' real label files, where this machine has them: `SDSIQA_SHARED`, or the folder beside the repository."""

import os
import shutil
from pathlib import Path

import pytest

from sdsiqa.benchmarks import BENCHMARKS, Benchmark

BESIDE = Path(__file__).parents[3] / "shared" / "data" / "annotations"
ANNOTATIONS = Path(os.environ.get("SDSIQA_SHARED", BESIDE))
needs_real_labels = pytest.mark.skipif(not ANNOTATIONS.is_dir(), reason="SDSIQA_SHARED does not name the real label files")

REAL = [name for name in BENCHMARKS if name != "demo"]


def real_benchmark(name: str, scratch: Path) -> Benchmark:
    """Return a benchmark on the real label files, without images."""
    root = ANNOTATIONS / name
    if name == "livec":  # its label files lie beside its images, in one folder
        root = scratch / "ChallengeDB_release"
        (root / "Data").mkdir(parents=True)
        for path in (ANNOTATIONS.parent / "livec").glob("All*_release.mat"):
            shutil.copy(path, root / "Data")
    return BENCHMARKS[name](root)
