"""Finds score tables in run folders, and reads method, benchmark and split of each."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.benchmarks.splits import split_hash
from sdsiqa.errors import RunMismatchError
from sdsiqa.metrics.significance import TEST_PER_TRAIN
from sdsiqa.report.checks import check_results
from sdsiqa.report.external import foreign_files, read_foreign
from sdsiqa.report.result import FULL, Result
from sdsiqa.runs.class_paths import class_name
from sdsiqa.runs.entries import Entries
from sdsiqa.runs.fingerprint import decisive
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.found import LeftOut, check_paths, run_folders, why_unfinished
from sdsiqa.runs.records import read_config, read_record
from sdsiqa.runs.scores import read_scores

NAN = float("nan")

_KINDS: Final = (
    *((key, dict, "keys and values") for key in ("run", "data", "data.benchmark", "data.benchmark.init_args")),
    *((key, dict, "keys and values") for key in ("model", "model.network", "trainer")),
    *((key, str, "a text") for key in ("run.method", "run.ablation", "run.remark", "run.tuned_on", "data.benchmark.class_path")),
    *((key, str, "a text") for key in ("data.benchmark.init_args.root", "model.network.class_path", "data.fit_on")),
    ("run.under_trained", bool, "true or false"),
)
"""Keys of a run's configuration that are read here, those that hold others first."""

_PARTS: Final = ("test", "val", "all")
"""What a score table is of, as the end of its name says."""


def read_results(runs: Sequence[Path], remarks: Mapping[str, str] | None = None) -> list[Result]:
    """Read every score table of some runs, and refuse those of which no honest table can be made.

    Runs that are not finished and folders without scores are left out, with a line on standard error each.

    Args:
        runs: Run folders, folders that hold them (one or two levels down), folders of a foreign method, CSV files.
        remarks: What a reader must know of a method, by its name, in place of what its runs say.

    Returns:
        One result per score table.

    Raises:
        RunMismatchError: There is no score table, the tables do not belong together (`check_results`), or a remark is on
            a method that is not among them.
        BenchmarkMismatchError: A table is damaged.
    """
    own: dict[Path, Result] = {}
    dropped: dict[Path, None] = {}
    left_out = LeftOut("report")
    check_paths(runs)
    for run in runs:
        tables, foreign = _tables(run, left_out)
        own |= {file.resolve(): read_result(folder, file) for folder, file in tables if file.resolve() not in own}
        dropped |= dict.fromkeys(foreign)
    left_out.tell(bool(own or dropped), "name a folder that `sdsiqa fit` made, a folder of them, or a score table")
    results = list(own.values())
    results += [read_foreign(file, results) for file in dropped]
    check_results(results)
    methods = sorted({result.method for result in results})
    for name in remarks or {}:
        if name not in methods:
            raise RunMismatchError(f"a remark is on {name!r}, and no run is called so; there are {', '.join(methods)}")
    return [dataclasses.replace(result, remark=(remarks or {}).get(result.method, result.remark)) for result in results]


def read_result(folder: Path, file: Path) -> Result:
    """Read one score table of a run folder.

    Args:
        folder: The run folder.
        file: A table in its `scores/`.
    """
    config, record = config_of(folder), RunFolder(folder).record
    run, data = config.get("run") or {}, config.get("data") or {}
    benchmark, _, part = file.stem.rpartition("-")
    part, _, other = part.partition(".")  # not the first test of that part
    split, seed = str(data.get("split", "")), str(config.get("seed_everything", ""))
    name = re.sub(r"-[0-9a-f]{8}$", "", folder.name).replace(f"-{split}-{seed}", "")
    source = data.get("benchmark") or {}
    if part not in _PARTS:
        raise RunMismatchError(f"{file} is called of the part {part!r}; expected BENCHMARK-{'.csv, BENCHMARK-'.join(_PARTS)}.csv")
    kept = read_record(folder / "split.json")
    trained_on = str(kept.get("benchmark") or class_name(str(source.get("class_path", ""))).lower())
    own = _parts(folder, kept) if kept or benchmark == trained_on else {}
    table = ordered(read_scores(file, allow_nan=True))
    # names of images recur between benchmarks, whose labels then differ; that of a benchmark unknown here may be misspelt
    if benchmark not in {trained_on, *BENCHMARKS} and set(table["image"]) <= {
        image for images in own.values() for image in images
    }:
        raise RunMismatchError(
            f"{file} is called of {benchmark}, and all its images are those of {trained_on}, which the run trained on; give it "
            "its own name back, or remove it"
        )
    parts = own if benchmark == trained_on else {}
    trained = ("train", "val") if data.get("fit_on") == "train+val" else ("train",)
    test, train = len(parts.get("test", ())), sum(len(parts.get(some, ())) for some in trained)
    root = (source.get("init_args") or {}).get("root")
    cost = record.get("cost") or {}
    hours = cost.get("wall_hours", cost.get("training_hours"))
    return Result(
        file=file,
        method=str(run.get("method") or record.get("method") or _network(config) or name),
        ablation=_ablation(str(run.get("ablation") or record.get("ablation") or FULL), folder, file.stem if other else ""),
        trained_on=trained_on,
        benchmark=benchmark,
        part=part,
        split=split,
        seed=seed,
        table=table,
        test_per_train=test / train if test and train else TEST_PER_TRAIN,
        minutes=60 * (NAN if hours is None else hours),
        is_wall_time="wall_hours" in cost,
        tuned_on=str(run.get("tuned_on") or ""),
        under_trained=bool(run.get("under_trained")),
        chosen_by=str(record.get("chosen_by") or ""),
        seen=frozenset(image for some in ("train", "val") for image in parts.get(some, ())),
        tested=frozenset(parts.get("test", ())),
        root=Path(root) if root and benchmark == trained_on else None,
        remark=str(run.get("remark") or ""),
        settings=_flat(decisive({**config, "seed_everything": None, "data": {**data, "split": None}})),
    )


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Put a score table in the order of its images, so that tables of the same images pair row by row.

    Args:
        table: As `read_scores` gives it.
    """
    return table.sort_values("image", kind="stable").reset_index(drop=True)


def _tables(path: Path, left_out: LeftOut) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """Give the score tables at a path, with the run folder of each, and those of methods from elsewhere."""
    if path.is_file():
        folder = path.parent.parent
        if path.suffix != ".csv":
            left_out.add(path, "is no score table: its name does not end in .csv")
        elif not (folder / "run.json").exists():
            return [], [path]
        elif reason := why_unfinished(folder):
            left_out.add(path, f"is of a run that {reason}")
        else:
            return [(folder, path)], []
        return [], []
    tables, folders, foreign = [], run_folders(path), foreign_files(path)
    for folder in folders:
        every = sorted((folder / "scores").glob("*.csv"))
        others = [file for file in every if "." in file.stem.rpartition("-")[2]]
        for file in others:
            left_out.add(file, "is of a further test with other settings, and the first one stands; name this file to report it")
        found = [(folder, file) for file in every if file not in others]
        reason = why_unfinished(folder)
        if reason:
            left_out.add(folder, reason)
        elif found:
            tables += found
        elif folder == path or not is_untested(folder):  # a first stage tests nothing, and is seldom meant
            left_out.add(folder, "holds no scores/*.csv")
    if not folders and not foreign:
        left_out.add(path, "holds no scores/*.csv")
    return tables, foreign


def _ablation(ablation: str, folder: Path, entry: str) -> str:
    """Give what was changed in a method: in its training, and in a test that is not the first of its part."""
    if not entry:
        return ablation
    differs = "; ".join(Entries(RunFolder(folder)).read().get(entry, {}).get("differs") or [entry])
    return differs if ablation == FULL else f"{ablation}; {differs}"


def is_untested(folder: Path) -> bool:
    """Say whether a run was told to test nothing."""
    return (folder / "config.yaml").exists() and (config_of(folder).get("run") or {}).get("test") is False


def config_of(folder: Path) -> dict[str, Any]:
    """Read the configuration of a run folder.

    Args:
        folder: The run folder.

    Raises:
        RunMismatchError: It cannot be read.
    """
    file = folder / "config.yaml"
    remedy = f"so nobody knows what {folder} scored; put the run's config.yaml back, or leave the folder out"
    try:
        config = read_config(folder)
    except RunMismatchError as error:
        raise RunMismatchError(f"{file} cannot be read ({type(error.__cause__).__name__}), {remedy}") from error
    for key, kind, told in _KINDS:
        value: Any = config
        for name in key.split("."):
            value = (value or {}).get(name)
        if value is not None and not isinstance(value, kind):
            raise RunMismatchError(f"{file}: {key} is {str(value)[:60]!r}, expected {told}, {remedy}")
    return config


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Write nested values by dotted key."""
    if not isinstance(value, Mapping):
        return {name: value}
    return {
        key: leaf for part, item in value.items() for key, leaf in _flat(item, f"{name}.{part}" if name else str(part)).items()
    }


def _network(config: dict[str, Any]) -> str:
    """Name the network's class: what a run is called that was made before runs named their method."""
    network = (config.get("model") or {}).get("network") or {}
    return class_name(str(network.get("class_path", ""))).lower()


def _parts(folder: Path, content: dict[str, Any]) -> dict[str, list[str]]:
    """Images of each part, as the content of `split.json` names them.

    Raises:
        RunMismatchError: It is not there, or not that of the run, so nobody knows what the run has seen.
    """
    file = folder / "split.json"
    if not content:
        raise RunMismatchError(
            f"{file} does not exist, so nobody knows which images {folder} has seen; put it back, or leave the run out"
        )
    try:
        parts = {part: [str(image) for image in content[part]["images"]] for part in ("train", "val", "test")}
        found = split_hash(content["benchmark"], content["name"], parts)
    except (KeyError, TypeError, AttributeError) as error:
        raise RunMismatchError(f"{file} is no split: it lacks the images of a part; put it back, or leave the run out") from error
    known = RunFolder(folder).record.get("split_hash") or found
    if known != found:
        raise RunMismatchError(
            f"{file} lists other images than the run has seen (its hash is {found[:12]}…, and run.json says {known[:12]}…); put "
            "the run's own back, or leave the folder out"
        )
    return parts
