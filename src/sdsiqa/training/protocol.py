"""The protocol as a run meets it: what its weights see, what a verb scores, and the settings that would leave images out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd
from lightning.pytorch.utilities import rank_zero_warn

from sdsiqa.benchmarks.digests import digests
from sdsiqa.benchmarks.splits import check_bytes
from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.errors import RunMismatchError, SettingError
from sdsiqa.inference.checkpoint import read_checkpoint
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.trainings import KEY, Asked, Pictures, Training, from_json, refuse_seen

Verb = Literal["fit", "validate", "test", "predict"]

LIMITS: Final = {
    "fit": "limit_test_batches",
    "validate": "limit_val_batches",
    "test": "limit_test_batches",
    "predict": "limit_predict_batches",
}
"""Setting of the trainer that would leave images out of what a verb writes."""


def check_whole(plain: Mapping[str, Any], verb: str) -> None:
    """Refuse settings with which a verb would score some images of a part and write metrics as if of all.

    Args:
        plain: The configuration as plain values.
        verb: `fit`, `validate`, `test` or `predict`.

    Raises:
        SettingError: A limit is set, or there is no validation part to score.
    """
    trainer, name = plain["trainer"], LIMITS[verb]
    limit = trainer.get(name)
    is_trial = bool(trainer.get("fast_dev_run")) or (verb == "fit" and not plain["run"]["test"])
    if not is_trial and limit is not None and not (isinstance(limit, float) and limit == 1):
        raise SettingError(
            f"trainer.{name} is {limit!r}, and metrics of some images of a part are none of the part; leave it out, or set "
            "trainer.fast_dev_run, which tries one batch and writes no metrics"
        )
    if verb == "validate" and plain["data"]["fit_on"] == "train+val":
        raise SettingError("data.fit_on is train+val: the validation part is trained on, so there is nothing to validate")


def trainings_of_fit(
    data: QualityDataModule, run: RunFolder, fingerprint: str, learns: bool, sources: Sequence[Path]
) -> list[Training]:
    """Say what the weights of a run will have seen, and refuse a run that would test any of it.

    Args:
        data: What it trains on and tests.
        run: Its folder.
        fingerprint: Hash of its configuration.
        learns: Whether labels shape the weights; a formula sees nothing.
        sources: Checkpoints that it starts from.

    Returns:
        Its own training, then those behind the checkpoints.

    Raises:
        SplitLeakError: The same file is on two sides of the split, or weights have seen images that are to be tested.
        CheckpointError: A checkpoint does not say what it has seen.
    """
    split, table = data.make_split(), data.benchmark.table()
    files = digests(data.benchmark.root, table["image"], data.cache_folder)
    for line in check_bytes(split, table, files, data.benchmark.twins):
        rank_zero_warn(line)
    trained, chose = (_pictures(table.loc[list(rows)], files) for rows in (split.train, split.val))
    if data.fit_on == "train+val":
        trained, chose = trained | chose, Pictures()
    own = Training(
        run=run.path.name,
        hash=fingerprint,
        benchmark=data.benchmark.name,
        data_version=data.benchmark.data_version(),
        split=split.name,
        split_hash=split.sha256,
        **({"trained": trained, "chose": chose} if learns else {}),
    )
    behind = {training.identity: training for source in sources for training in trainings_of(source)}
    behind.pop(own.identity, None)
    refuse_seen([own, *behind.values()], _asked(data, "test", files))
    return [own, *behind.values()]


def refuse_seen_by(checkpoint: Path, data: QualityDataModule, verb: str, run: RunFolder) -> None:
    """Refuse to score what the weights of a checkpoint have seen, or to write scores of one run into the folder of another.

    Args:
        checkpoint: Its file.
        data: What is scored.
        verb: `validate`, `test` or `predict`.
        run: Where scores are written.

    Raises:
        SplitLeakError: An image stood in the training or validation part of the weights.
        RunMismatchError: The folder is of another run.
        CheckpointError: The checkpoint does not say what it has seen.
    """
    trainings = trainings_of(checkpoint)
    asked = _asked(data, "val" if verb == "validate" else "test")
    refuse_seen(trainings, asked)
    holds = run.record.get("hash")
    if holds is not None and trainings and trainings[0].hash != holds:
        raise RunMismatchError(
            f"{checkpoint} is of the run {trainings[0].run} ({trainings[0].hash}), and {run.path} holds the run {holds}: its "
            "scores would stand under another run's name; use the config.yaml of the checkpoint's own run, or give a new "
            "folder as --run.folder"
        )


def trainings_of(checkpoint: Path) -> list[Training]:
    """Read what the weights of a checkpoint have seen.

    Args:
        checkpoint: Its file.

    Raises:
        CheckpointError: It is no checkpoint, or does not say.
    """
    return from_json(read_checkpoint(checkpoint).get(KEY), str(checkpoint))


def _asked(data: QualityDataModule, part: Literal["val", "test"], files: Mapping[str, str] | None = None) -> Asked:
    """Describe the images of a part as the rule asks for them."""
    rows, split = data.rows(part), data.make_split()
    return Asked(
        benchmark=data.benchmark.name,
        part="all" if part == "test" and data.test_on == "all" else part,
        split=split.name,
        split_hash=split.sha256,
        contents=dict(zip(rows["image"], rows["content"].str.lower(), strict=True)),
        files=digests(data.benchmark.root, rows["image"], data.cache_folder) if files is None else files,
        twins={content.lower() for pair in data.benchmark.twins for content in pair},
    )


def _pictures(rows: pd.DataFrame, files: Mapping[str, str]) -> Pictures:
    return Pictures(frozenset(rows["content"].str.lower()), frozenset(files[image] for image in rows["image"]))
