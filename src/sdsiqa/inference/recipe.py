"""The settings that a checkpoint holds besides weights: network, saliency source and crops are built again from them."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from jsonargparse import ArgumentError, ArgumentParser

from sdsiqa.benchmarks import Benchmark
from sdsiqa.errors import CheckpointError, SdsiqaError
from sdsiqa.inference.checkpoint import REMEDY
from sdsiqa.inference.recipe_classes import check_classes
from sdsiqa.models.base import QualityNetwork
from sdsiqa.runs.parser_messages import one_line
from sdsiqa.saliency.base import SaliencyProvider

VERSION = 1
"""Raised when older checkpoints can no longer be opened."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How the network of a checkpoint is given an image, and the scale of its scores.

    Args:
        network: Class path and arguments of the network.
        saliency: Class path and arguments of the saliency provider.
        view: Whether the whole image is scored or a grid of crops; `None`: as the network is defined.
        grid: Rows and columns of that grid.
        crop: Side of its crops in pixels.
        short_side: Length that the short side of every image is brought to first; `None` keeps their size.
        benchmark: Title of the benchmark that the network learnt from.
        mos_range: Scores of that benchmark that quality 0 and 1 stand for (1 and 0 for DMOS).
        higher_is_better: Whether that benchmark's scores grow with quality.
        version: Version of this list.
    """

    network: dict[str, Any]
    saliency: dict[str, Any]
    view: Literal["whole", "grid"] | None
    grid: tuple[int, int]
    crop: int
    short_side: int | None
    benchmark: str
    mos_range: tuple[float, float]
    higher_is_better: bool
    version: int = VERSION

    @classmethod
    def of(cls, config: Mapping[str, Any], benchmark: Benchmark) -> "Recipe":
        """Take the recipe out of a run's resolved configuration.

        Args:
            config: The configuration as plain values.
            benchmark: What it trains on.
        """
        data = config["data"]
        return cls(
            network=config["model"]["network"],
            saliency=data["saliency"],
            view=data["view"],
            grid=tuple(data["grid"]),
            crop=data["crop"],
            short_side=benchmark.short_side,
            benchmark=benchmark.title,
            mos_range=benchmark.scale(benchmark.labels()["mos"].to_numpy()),
            higher_is_better=benchmark.higher_is_better,
        )

    @classmethod
    def from_json(cls, text: object, name: str) -> "Recipe":
        """Read what `to_json` wrote.

        Args:
            text: The JSON.
            name: What errors call the checkpoint.

        Raises:
            CheckpointError: It is no recipe, or one of another version.
        """
        if not isinstance(text, str):
            raise CheckpointError(
                f"{name}: was not made by `sdsiqa fit`; it carries no recipe to build a network from; name a checkpoint of a run"
            )
        try:
            values = json.loads(text)
            version = values.get("version")
        except (ValueError, AttributeError) as error:
            raise CheckpointError(
                f"{name}: its recipe is damaged ({type(error).__name__}); copy the file again from where it is good"
            ) from error
        if version != VERSION:
            raise CheckpointError(f"{name}: its recipe has version {version!r}, and this sdsiqa reads {VERSION}; {REMEDY}")
        # the parser would import, and may build, whatever class these name, before `check_classes` has seen it
        parts = {key: values.pop(key, None) for key in ("network", "saliency")}
        parser = ArgumentParser(exit_on_error=False)
        parser.add_class_arguments(cls, "recipe", skip=set(parts), instantiate=False)
        try:
            for key, part in parts.items():
                if not isinstance(part, dict):
                    raise TypeError(f"{key} is {part!r}; expected a class path and arguments")
            recipe = cls(**parts, **vars(parser.parse_object({"recipe": values})["recipe"]))
        except (ArgumentError, TypeError, ValueError) as error:
            raise CheckpointError(f"{name}: its recipe is none of this sdsiqa ({_reason(error)}); {REMEDY}") from error
        recipe._check(name)
        return recipe

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(dataclasses.asdict(self), default=str)

    def _check(self, name: str) -> None:
        """Refuse numbers that no image can be cut by."""
        sizes = {"crop": self.crop, "grid": min(self.grid), "short_side": self.short_side or 1}
        wrong = next((f"{key} is {size}" for key, size in sizes.items() if size < 1), None)
        if wrong is None and not abs(self.mos_range[1] - self.mos_range[0]) < float("inf"):
            wrong = f"mos_range is {self.mos_range}"
        if wrong is not None:
            raise CheckpointError(f"{name}: its recipe is none of this sdsiqa ({wrong}); {REMEDY}")

    def check_classes(self, name: str, trusted: Sequence[str] = ()) -> None:
        """Refuse classes that may not be built, or that are not there.

        Args:
            name: What errors call the checkpoint.
            trusted: Packages besides sdsiqa whose classes may be built.

        Raises:
            CheckpointError: Names the class.
        """
        for part in (self.network, self.saliency):
            check_classes(part, name, trusted)

    def portable(self) -> "Recipe":
        """Give the recipe without the places that weights of backbones were read from: a file that travels has its own."""
        return dataclasses.replace(self, network=_without_places(self.network))

    def build_network(self, trusted: Sequence[str] = (), name: str = "the checkpoint") -> QualityNetwork:
        """Build the network, without weights.

        Args:
            trusted: Packages besides sdsiqa whose classes may be built.
            name: What errors call the checkpoint.

        Raises:
            CheckpointError: The recipe names a class outside of those packages, or one that is not there, or arguments that
                the class does not take.
        """
        check_classes(self.network, name, trusted)
        network: QualityNetwork = _build(QualityNetwork, self.network, name)
        return network

    def build_saliency(self, trusted: Sequence[str] = (), name: str = "the checkpoint") -> SaliencyProvider:
        """Build the saliency provider; as `build_network`."""
        check_classes(self.saliency, name, trusted)
        provider: SaliencyProvider = _build(SaliencyProvider, self.saliency, name)
        return provider


def _without_places(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: None if key == "weights" and isinstance(item, str) else _without_places(item) for key, item in value.items()}
    return [_without_places(item) for item in value] if isinstance(value, list | tuple) else value


def _build(base: type, config: Mapping[str, Any], name: str) -> Any:
    parser = ArgumentParser(exit_on_error=False)
    part = base.__name__
    parser.add_subclass_arguments(base, part, required=True)
    try:
        return parser.instantiate_classes(parser.parse_object({part: dict(config)}))[part]
    except SdsiqaError:
        raise
    except Exception as error:  # constructors refuse arguments in their own ways
        raise CheckpointError(f"{name}: its network or saliency is none of this sdsiqa ({_reason(error)}); {REMEDY}") from error


def _reason(error: Exception) -> str:
    return one_line(str(error), lambda name: None)[:300]
