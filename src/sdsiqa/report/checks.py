"""Checks of score tables before they are compared."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.errors import RunMismatchError
from sdsiqa.metrics.correlation import is_constant
from sdsiqa.report.result import Result

TOLERANCE = 1e-6
"""By how much two files may write the same label differently."""


def check_results(results: Sequence[Result]) -> None:
    """Refuse results that do not belong into one report.

    Args:
        results: As read.

    Raises:
        RunMismatchError: Two runs have one name, split and seed; one name has two configurations; labels point the wrong way or
            differ between files; a run was scored on images it trained on, or not on its test part; methods or splits that
            are compared have other images.
    """
    _check_names(results)
    _check_settings(results)
    for result in results:
        check_labels(result)
        check_part(result)
    _check_same_labels(results)
    _check_same_images(results)


def check_labels(result: Result) -> None:
    """Refuse labels that do not follow from the opinion scores beside them, such as a DMOS that was not inverted.

    Args:
        result: One result.

    Raises:
        RunMismatchError: Quality does not follow from the opinion scores by the constants of the benchmark.
    """
    mos, quality = result.table["mos"].to_numpy(), result.table["quality"].to_numpy()
    if result.benchmark in BENCHMARKS:
        benchmark = BENCHMARKS[result.benchmark](Path())
        low, high = benchmark.scale(mos)
        share = np.clip((mos - low) / (high - low), 0, 1)
        right, wrong = (share, 1 - share) if benchmark.higher_is_better else (1 - share, share)
        if np.abs(quality - right).max() <= TOLERANCE:
            return
        kind = "MOS, higher is better" if benchmark.higher_is_better else "DMOS, lower is better"
        turned = np.abs(quality - wrong).max() <= TOLERANCE
        place = int(np.abs(quality - right).argmax())
        cause = "it was not turned over" if turned else "it is not on the benchmark's scale"
        raise RunMismatchError(
            f"{result.file}: quality of {result.table['image'][place]!r} is {float(quality[place])!r} beside an opinion score of "
            f"{float(mos[place])!r}; {result.benchmark} has {kind}, so {float(right[place])!r} was expected: {cause}; write the "
            "table again with `sdsiqa test`"
        )
    if not (is_constant(mos) or is_constant(quality)):
        line = np.polyfit(mos, quality, 1)
        if np.abs(np.polyval(line, mos) - quality).max() > 1e-3:  # a benchmark of one's own may clip its ends a little
            raise RunMismatchError(
                f"{result.file}: quality does not follow from mos by fixed constants; write the table again with `sdsiqa test`"
            )


def check_part(result: Result) -> None:
    """Refuse scores of images that the run trained on or chose its epoch by, and a test part that is not the split's.

    Args:
        result: One result.

    Raises:
        RunMismatchError: Images of the table trained the network, or are not those of its test part.
    """
    images = set(result.table["image"])
    leaked = sorted(images & result.seen)
    if leaked and not result.is_foreign:
        raise RunMismatchError(
            f"{result.file} scores {len(leaked)} images of the run's own training or validation part, such as {leaked[0]!r}; "
            "that says nothing: remove the table, and test on the test part or on another benchmark"
        )
    if result.part == "val" and result.tested:  # without any image of the validation part, which would have leaked
        raise RunMismatchError(f"{result.file} is not of the validation part of split {result.split}; put back what was there")
    if result.part == "test" and result.tested and images != result.tested:
        apart = sorted(images ^ result.tested)
        raise RunMismatchError(
            f"{result.file} is not of the test part of split {result.split}: {len(apart)} images differ, such as {apart[0]!r}; "
            "it belongs to another split; put it back, or test again"
        )


def _check_names(results: Sequence[Result]) -> None:
    first: dict[tuple[str, ...], Result] = {}
    for result in results:
        key = (result.label, result.trained_on, result.group, result.split, result.seed)
        twin = first.setdefault(key, result)
        if twin is not result:
            raise RunMismatchError(
                f"{twin.file} and {result.file} both hold {result.label} on {result.group}, split {result.split or 'none'}, seed "
                f"{result.seed or 'none'}; give them different run.method or run.name, or report them apart"
            )


def _check_settings(results: Sequence[Result]) -> None:
    """One name is one configuration: a mean over two networks, or over two lengths of training, is no mean of a method."""
    first: dict[tuple[str, str], Result] = {}
    for result in (result for result in results if not result.is_foreign):
        twin = first.setdefault((result.label, result.trained_on), result)
        one, other = twin.settings, result.settings
        key = next((key for key in sorted({*one, *other}) if one.get(key) != other.get(key)), None)
        if key is not None:
            raise RunMismatchError(
                f"{twin.file} and {result.file} are both called {result.label}, and {key} is {one.get(key)!r} in one and "
                f"{other.get(key)!r} in the other; give them different run.method or run.ablation, or report them apart"
            )


def _check_same_labels(results: Sequence[Result]) -> None:
    """One image has one label, one content and one distortion in all tables."""
    known: dict[tuple[str, str], tuple[tuple[object, ...], Path]] = {}
    for result in results:
        facts = result.table[["mos", "quality", "content", "distortion", "level"]].round(6)
        for image, *row in zip(result.table["image"], *(facts[name] for name in facts), strict=True):
            twin, file = known.setdefault((result.benchmark, image), (tuple(row), result.file))
            if twin != tuple(row):
                raise RunMismatchError(
                    f"{file} and {result.file} disagree about {image!r} of {result.benchmark}: mos, quality, content, "
                    f"distortion and level are {twin!r} and {tuple(row)!r}; they were made from different versions of the "
                    "benchmark: test one of them again"
                )


def _check_same_images(results: Sequence[Result]) -> None:
    """Within a group, one split is one set of images, and another split another."""
    sets: dict[tuple[str, str], tuple[frozenset[str], Result]] = {}
    owners: dict[tuple[str, frozenset[str]], Result] = {}
    for result in results:
        images, split = frozenset(result.table["image"]), "" if result.part == "all" else result.split
        there, twin = sets.setdefault((result.group, split), (images, result))
        if there != images:
            apart = sorted(there ^ images)
            raise RunMismatchError(
                f"{twin.file} and {result.file} have other images of {result.group}, split {result.split or 'none'}: "
                f"{len(apart)} stand in one of them alone, such as {apart[0]!r}; only scores of the same images compare: "
                "score the same ones, or report them apart"
            )
        owner = owners.setdefault((result.group, images), result)
        if split and owner.split != result.split:
            raise RunMismatchError(
                f"{owner.file} (split {owner.split}) and {result.file} (split {result.split}) hold the same images; one of "
                "them is in the wrong folder: put it back, or test again"
            )
