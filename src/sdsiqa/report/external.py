"""Scores of methods from elsewhere, added to a report as a score table alone.

To add a method, take a score table of one of our runs, put the method's scores into its column `score`, and
save it beside the runs, as `<method>/scores.csv` or `<method>/<any name>.csv` for several splits. Benchmark and split
are recognised by the images.
"""

from collections.abc import Sequence
from pathlib import Path

from sdsiqa.errors import RunMismatchError
from sdsiqa.report.result import FULL, Result
from sdsiqa.runs.scores import read_scores


def foreign_files(run: Path) -> list[Path]:
    """Find score tables that belong to no run folder.

    Args:
        run: A folder of one method, which has `scores.csv`; or a folder of methods and runs.
    """
    if (run / "run.json").exists():
        return []
    if (run / "scores.csv").exists():
        return sorted(run.glob("*.csv"))
    folders = [folder for folder in sorted(run.glob("*")) if folder.is_dir() and not (folder / "run.json").exists()]
    return [file for folder in folders if (folder / "scores.csv").exists() for file in sorted(folder.glob("*.csv"))]


def read_foreign(file: Path, known: Sequence[Result]) -> Result:
    """Read a table that was dropped in; find out by its images where it belongs.

    Args:
        file: A score table; its folder (or its own name, if that is not `scores.csv`) is the method's name.
        known: Results of runs.

    Raises:
        RunMismatchError: No run has scored just these images.
    """
    table = read_scores(file, allow_nan=True).sort_values("image", kind="stable").reset_index(drop=True)
    images = set(table["image"])
    twin = next((result for result in known if set(result.table["image"]) == images), None)
    if twin is None:
        raise RunMismatchError(f"{file} has scores of {len(images)} images, {_nearest(images, known)}")
    return Result(
        file=file,
        method=file.parent.name if (file.parent / "scores.csv").exists() else file.stem,
        ablation=FULL,
        trained_on="" if twin.part == "all" else twin.trained_on,
        benchmark=twin.benchmark,
        part=twin.part,
        split="" if twin.part == "all" else twin.split,
        seed="",
        table=table,
        test_per_train=twin.test_per_train,
        seen=twin.seen,
        tested=twin.tested,
        is_foreign=True,
    )


def _nearest(images: set[str], known: Sequence[Result]) -> str:
    if not known:
        return "and there is no run to say what they are of; name the runs to compare it with too"
    near = max(known, key=lambda result: len(images & set(result.table["image"])))
    theirs = set(near.table["image"])
    missing, extra = sorted(theirs - images), sorted(images - theirs)
    what = f"lacks {len(missing)} of them, such as {missing[0]!r}" if missing else f"has {len(extra)} more, such as {extra[0]!r}"
    return (
        f"and no run has scored just these: next to {near.file} ({len(theirs)} images) it {what}; "
        "score the same images, or leave it out"
    )
