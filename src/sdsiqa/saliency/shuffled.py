"""The map of another image, as a control."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdsiqa.errors import MapNotFoundError
from sdsiqa.files import user_path
from sdsiqa.runs.ranges import check_counts
from sdsiqa.saliency.base import Parts, SaliencyProvider
from sdsiqa.saliency.stored import fingerprint_of_files, list_maps, map_stem, missing_map, read_map


class Shuffled(SaliencyProvider):
    """The stored map of another image: real saliency in the wrong place, the strictest control.

    Within a split (`within`, which a run calls) each image gets a map of its own part and of another content, by a seeded
    permutation that uses each map once: no map of a test image reaches training, and no image sees a map of its own content.
    A validation part that shows too few contents for that, such as a single one, draws together with the training part. Without
    a split, all maps of the folder are permuted, and all that is known is that none is the image's own.

    Args:
        root: Folder of maps, as for `Stored`.
        seed: Chooses the permutation.
    """

    uses_name = True
    version = 2

    def __init__(self, root: Path, seed: int = 0) -> None:
        check_counts(0, seed=seed)
        self.root = user_path(root)
        self.seed = seed
        self._parts: dict[str, dict[str, str]] | None = None
        self._donors: dict[str, Path] | None = None

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Take the parts along into loader processes."""
        return _again, (type(self), self.settings(), self._parts)

    def within(self, parts: Parts) -> "Shuffled":
        """Give the source that draws within the parts of a split."""
        return _again(type(self), self.settings(), {part: dict(images) for part, images in parts().items()})

    def fingerprint(self) -> str:
        """Identify the maps: as `Stored.fingerprint`, by the seed, and by the parts of a split."""
        parts = json.dumps(self._parts, sort_keys=True)
        return fingerprint_of_files(self, self.root, self.seed, hashlib.sha256(parts.encode()).hexdigest())

    def donor(self, name: str) -> Path:
        """Say whose map an image gets.

        Args:
            name: Path of the image below its root.

        Returns:
            File of the other image's map.

        Raises:
            MapNotFoundError: The image itself has no map in the folder or stands in no part, or there are too few maps of other
                contents.
        """
        if self._donors is None:
            self._donors = self._draw()
        stem = map_stem(name)
        if stem not in self._donors:
            raise missing_map(self.root, name)
        return self._donors[stem]

    def _map(self, image: NDArray[np.uint8], name: str) -> NDArray[np.floating]:
        return read_map(self.donor(name))

    def _draw(self) -> dict[str, Path]:
        maps = list_maps(self.root)
        if self._parts is None:
            if len(maps) < 2:
                raise MapNotFoundError(f"{self.root}: holds {len(maps)} map; a shuffle needs at least two")
            pools = {"": {stem: stem for stem in maps}}
        else:
            pools = {part: _known(images, maps) for part, images in self._parts.items()}
            if not _can_be_drawn(pools.get("val", {})):
                pools["train"] = pools.get("train", {}) | pools.pop("val")
        donors: dict[str, Path] = {}
        for place, (part, pool) in enumerate(pools.items()):
            if not _can_be_drawn(pool):
                content, count = Counter(pool.values()).most_common(1)[0]
                raise MapNotFoundError(
                    f"{self.root}: {count} of the {len(pool)} maps of the {part} part are of the content {content!r}, and each "
                    "image needs one of another content; take another split, or another control, such as sdsiqa.saliency.Random"
                )
            generator = np.random.default_rng((self.seed, place))
            donors |= {stem: maps[other] for stem, other in _derange(pool, generator).items()}
        return donors


def _again(kind: type[Shuffled], settings: dict[str, Any], parts: dict[str, dict[str, str]] | None) -> Shuffled:
    made = kind(**settings)
    made._parts = parts
    return made


def _known(images: Mapping[str, str], maps: Mapping[str, Path]) -> dict[str, str]:
    """Give the content of each stem that has a map; an image without one is named when it is asked for."""
    return {stem: content for name, content in sorted(images.items()) if (stem := map_stem(name)) in maps}


def _can_be_drawn(pool: Mapping[str, str]) -> bool:
    """Whether no content has more than half of the maps."""
    return 2 * max(Counter(pool.values()).values(), default=0) <= len(pool)


def _derange(pool: Mapping[str, str], generator: np.random.Generator) -> dict[str, str]:
    """Permute stems so that none meets its own content.

    Args:
        pool: Content of each stem; none has more than half of them.
        generator: Draws.

    Returns:
        For each stem another one, each once.
    """
    stems, content = list(pool), np.unique(list(pool.values()), return_inverse=True)[1]
    donor = generator.permutation(len(stems))
    for place in np.flatnonzero(content == content[donor]):
        own = content[place]
        if own != content[donor[place]]:  # an earlier exchange has helped it
            continue
        # at least one is left, for no content has more than half: neither it nor its donor shows the content
        other = generator.choice(np.flatnonzero((content != own) & (content[donor] != own)))
        donor[[place, other]] = donor[[other, place]]
    return {stem: stems[index] for stem, index in zip(stems, donor, strict=True)}
