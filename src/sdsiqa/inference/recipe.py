"""The settings that a checkpoint holds besides weights: network, saliency source and crops are built again from them."""

import dataclasses
import json
from argparse import ArgumentError
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from jsonargparse import ArgumentParser

from sdsiqa.benchmarks import Benchmark
from sdsiqa.errors import CheckpointError
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
        view: Whether the whole image is scored or a grid of crops.
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
    view: Literal["whole", "grid"]
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
            raise CheckpointError(f"{name}: was not made by `sdsiqa fit`; it carries no recipe to build a network from")
        values = json.loads(text)
        if values.get("version") != VERSION:
            raise CheckpointError(
                f"{name}: its recipe has version {values.get('version')!r}, and this sdsiqa reads {VERSION}; use the sdsiqa that "
                "made it (its run.json says which), or train again"
            )
        return cls(**{**values, "grid": tuple(values["grid"]), "mos_range": tuple(values["mos_range"])})

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(dataclasses.asdict(self), default=str)

    def build_network(self, trusted: Sequence[str] = ()) -> QualityNetwork:
        """Build the network, without weights.

        Args:
            trusted: Packages besides sdsiqa whose classes may be built.

        Raises:
            CheckpointError: The recipe names a class outside of those packages.
        """
        network: QualityNetwork = _build(QualityNetwork, self.network, trusted)
        return network

    def build_saliency(self, trusted: Sequence[str] = ()) -> SaliencyProvider:
        """Build the saliency provider; as `build_network`."""
        provider: SaliencyProvider = _build(SaliencyProvider, self.saliency, trusted)
        return provider


def _build(base: type, config: Mapping[str, Any], trusted: Sequence[str]) -> Any:
    for path in _class_paths(config):
        package = path.split(".")[0]
        if package not in ("sdsiqa", "torch", *trusted):
            raise CheckpointError(
                f"the checkpoint wants {path!r} to be built, and only classes of sdsiqa are; if you trust the package "
                f"{package!r}, load with trusted=[{package!r}]"
            )
    parser = ArgumentParser(exit_on_error=False)
    part = base.__name__
    parser.add_subclass_arguments(base, part, required=True)
    try:
        return parser.instantiate_classes(parser.parse_object({part: dict(config)}))[part]
    except ArgumentError as error:
        raise CheckpointError(
            f"the checkpoint's network or saliency is none of this sdsiqa ({one_line(str(error), lambda name: None)}); use the "
            "sdsiqa that made it (its run.json says which), or train again"
        ) from error


def _class_paths(value: Any) -> list[str]:
    """All class paths in a nested configuration."""
    if isinstance(value, Mapping):
        own = [str(value["class_path"])] if "class_path" in value else []
        return own + [path for item in value.values() for path in _class_paths(item)]
    if isinstance(value, list | tuple):
        return [path for item in value for path in _class_paths(item)]
    return []
