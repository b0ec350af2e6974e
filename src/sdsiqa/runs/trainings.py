"""What the weights of a checkpoint have learned from, and the rule that nothing of it is scored."""

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from sdsiqa.errors import CheckpointError, SplitLeakError

KEY = "sdsiqa_trainings"
"""Name under which a checkpoint holds the trainings of its weights, as JSON."""

VERSION = 1


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Some images of a benchmark, by what they show and by their bytes.

    Args:
        contents: Contents in lower case, as the benchmark names them.
        files: Content hashes of the image files (`sdsiqa.benchmarks.digests`).
    """

    contents: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()

    def __or__(self, other: "Pictures") -> "Pictures":
        """Join two sets."""
        return Pictures(self.contents | other.contents, self.files | other.files)


@dataclasses.dataclass(frozen=True)
class Training:
    """One training that shaped some weights; a training in two stages is two of them.

    Args:
        run: Name of its run folder.
        hash: Fingerprint of its configuration.
        benchmark: Name of the benchmark.
        data_version: Version of that benchmark's labels.
        split: Name of its split.
        split_hash: Hash of that split.
        trained: What its steps have seen: the training part, with `fit_on: train+val` the validation part too.
        chose: What chose its epoch: the validation part.
    """

    run: str
    hash: str
    benchmark: str
    data_version: str
    split: str
    split_hash: str
    trained: Pictures = Pictures()
    chose: Pictures = Pictures()

    @property
    def identity(self) -> tuple[str, str, str]:
        """Two trainings with the same values are one, such as a run and itself after a stop."""
        return self.hash, self.benchmark, self.split_hash


@dataclasses.dataclass(frozen=True)
class Asked:
    """Images that a verb is about to score.

    Args:
        benchmark: Name of the benchmark.
        part: Which part of it.
        split: Name of the split.
        split_hash: Hash of that split.
        contents: Content of each image in lower case, by path.
        files: Content hash of each image, by path.
        twins: Contents that the release itself has twice, in lower case.
    """

    benchmark: str
    part: Literal["val", "test", "all"]
    split: str
    split_hash: str
    contents: Mapping[str, str]
    files: Mapping[str, str]
    twins: Collection[str] = frozenset()


def refuse_seen(trainings: Sequence[Training], asked: Asked) -> None:
    """Refuse to score an image that stood in the training or validation part of the weights.

    On the benchmark of a training nothing but the parts of its own split is scored: the test part, and with `validate` the
    validation part, unless that was trained on. On every other benchmark no image may be a file that the weights have seen.

    Args:
        trainings: All trainings of the weights.
        asked: What is to be scored.

    Raises:
        SplitLeakError: Names the run, how many images it has seen, one of them, and the remedy.
    """
    what = {"all": f"all images of {asked.benchmark}", "val": "the validation part", "test": "the test part"}[asked.part]
    if asked.part != "all":
        what += f" of split {asked.split} of {asked.benchmark}"
    for training in trainings:
        is_own = training.benchmark == asked.benchmark and training.split_hash == asked.split_hash and asked.part != "all"
        is_other = training.benchmark == asked.benchmark and not is_own
        seen = training.trained if is_own and asked.part == "val" else training.trained | training.chose
        if not (seen.contents or seen.files):
            continue  # nothing was learned
        found = [
            image
            for image, content in asked.contents.items()
            if (training.benchmark == asked.benchmark and content in seen.contents)
            or (asked.files[image] in seen.files and not (is_own and content in asked.twins))
        ]
        if not (found or is_other):
            continue
        told = (
            f"{len(found)} of {len(asked.contents)} images stood in its training or validation part, such as {min(found)!r}"
            if found
            else f"it promised the test part of split {training.split} and no other"
        )
        own = (
            f"leave data.split at {training.split} and data.test_on at test" if is_other else "score images that it has not seen"
        )
        if is_own and asked.part == "val":
            own = "with data.fit_on train+val there is no validation part to score; use `sdsiqa test`"
        raise SplitLeakError(
            f"the weights were trained by {training.run} on split {training.split} of {training.benchmark}, and this scores "
            f"{what}: {told}. {own[0].upper()}{own[1:]}, or test on another benchmark"
        )


def to_json(trainings: Sequence[Training]) -> str:
    """Write trainings as a checkpoint holds them.

    Args:
        trainings: In any order; the run's own comes first.
    """
    listed = [
        {
            **{name: getattr(training, name) for name in ("run", "hash", "benchmark", "data_version", "split", "split_hash")},
            **{
                name: {"contents": sorted(part.contents), "files": "".join(sorted(part.files))}
                for name, part in (("trained", training.trained), ("chose", training.chose))
            },
        }
        for training in trainings
    ]
    return json.dumps({"version": VERSION, "trainings": listed}, ensure_ascii=False)


def from_json(text: object, name: str) -> list[Training]:
    """Read what `to_json` wrote.

    Args:
        text: The JSON, or whatever a checkpoint holds in its place.
        name: What errors call the checkpoint.

    Raises:
        CheckpointError: It says nothing of the kind, so nobody knows what its weights have seen.
    """
    try:
        if not isinstance(text, str):
            raise TypeError("it is not there")
        content = json.loads(text)
        if content["version"] != VERSION:
            raise ValueError(f"version {content['version']!r}, and this sdsiqa reads {VERSION}")
        return [
            Training(**{**values, **{part: _pictures(values[part]) for part in ("trained", "chose")}})
            for values in content["trainings"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{name}: carries no list of the images that its weights have seen ({type(error).__name__}: {error}), so no part of "
            "a benchmark can be tested with it; train again, or score files with `sdsiqa score`"
        ) from error


def _pictures(values: Mapping[str, object]) -> Pictures:
    files = str(values["files"])
    contents = values["contents"]
    if not isinstance(contents, list):
        raise TypeError(f"contents is {type(contents).__name__}")
    return Pictures(frozenset(map(str, contents)), frozenset(files[at : at + 16] for at in range(0, len(files), 16)))
