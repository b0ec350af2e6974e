"""Images of a benchmark as samples: decode once, cut many crops."""

from __future__ import annotations  # signatures show names, not what they stand for

import hashlib
from collections.abc import Sequence
from typing import Protocol, TypedDict

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from sdsiqa.benchmarks import Benchmark
from sdsiqa.data.cache import DecodedCache, Planes
from sdsiqa.data.crops import Fields
from sdsiqa.errors import BenchmarkMismatchError
from sdsiqa.saliency.base import SaliencyProvider


class Sample(TypedDict, total=False):
    """A batch; `B` images of `P` crops.

    Attributes:
        image: `(B, P, 3, h, w)` RGB; uint8 in the loader, float32 in [0, 1] on the device.
        saliency: `(B, P, 1, h, w)`, as `image`; maximum 1 over the whole image, crops are not rescaled.
        reference: `(B, P, 3, h, w)`, as `image`: undistorted, cut in the same places.
        distortion: `(B,)` int64, place of the distortion among the benchmark's, in the order of the alphabet.
        level: `(B,)` int64, as the benchmark numbers them.
        quality: `(B,)` float32 in [0, 1], higher is better.
        index: `(B,)` int64, row of the benchmark's table.
    """

    image: Tensor
    saliency: Tensor
    reference: Tensor
    distortion: Tensor
    level: Tensor
    quality: Tensor
    index: Tensor


PICTURES = ("image", "saliency", "reference")
"""Fields of a sample that are pictures."""


class Cutter(Protocol):
    """Cuts `count` crops from whole pictures."""

    count: int

    def __call__(self, fields: Fields, seed: int) -> list[Fields]:
        """Cut the crops."""


class PictureReader:
    """Gives the whole image and map of a name: from the cache, or decoded.

    Args:
        benchmark: Where images are.
        saliency: Where people look; `None` if no network asks.
        cache: Decoded pictures; `None` decodes each time.
    """

    def __init__(self, benchmark: Benchmark, saliency: SaliencyProvider | None, cache: DecodedCache | None = None) -> None:
        self.benchmark, self.saliency, self.cache = benchmark, saliency, cache

    def decode(self, name: str) -> Planes:
        """Decode an image and make its map."""
        image = self.benchmark.load(name)
        return image, None if self.saliency is None else self.saliency.seen(image, name)

    def __call__(self, name: str) -> Planes:
        """Image `(H, W, 3)` and map `(H, W)`, uint8."""
        if self.cache is not None and name in self.cache:
            return self.cache[name]
        return self.decode(name)

    def reference(self, name: str) -> NDArray[np.uint8]:
        """Reference image `(H, W, 3)` uint8; its own map is never needed."""
        if self.cache is not None and name in self.cache:
            return self.cache[name][0]
        return self.benchmark.load(name)


class QualityDataset(Dataset[Sample]):
    """Samples of some rows of a benchmark's table.

    Args:
        rows: Those rows, with the table's index.
        read: Gives whole pictures.
        fields: What a sample holds besides quality and index: pictures (`image`, `saliency`, `reference`), and what is
            known of a distortion (`distortion`, `level`).
        cut: Cuts crops from them.
        seed: With the epoch and the image, what decides the crops.

    Raises:
        BenchmarkMismatchError: References, distortions or levels are asked for and a row has none.
    """

    def __init__(self, rows: pd.DataFrame, read: PictureReader, fields: Sequence[str], cut: Cutter, seed: int) -> None:
        check_references(rows, read.benchmark, fields)
        self.read, self.cut, self.seed = read, cut, seed
        self.fields = tuple(name for name in fields if name in PICTURES)
        self._facts = {name: _facts(rows, read.benchmark, name) for name in fields if name not in PICTURES}
        # arrays instead of a frame: forked workers share their pages, and objects' reference counts would unshare them
        self._images = np.array(rows["image"], dtype=np.str_)
        self._references = np.array(rows["reference"], dtype=np.str_)
        self._quality = torch.from_numpy(np.array(rows["quality"], dtype=np.float32))
        self._index = torch.from_numpy(np.array(rows.index, dtype=np.int64))

    def __len__(self) -> int:
        """Count the images."""
        return len(self._images)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """Give the sample at `(epoch, position)`: `P` crops from one decode."""
        epoch, position = key
        image, saliency = self.read(str(self._images[position]))
        fields: Fields = {"image": image}
        if "saliency" in self.fields and saliency is not None:
            fields["saliency"] = saliency
        if "reference" in self.fields:
            fields["reference"] = self.read.reference(str(self._references[position]))
            if fields["reference"].shape != image.shape:
                raise BenchmarkMismatchError(
                    f"{self._images[position]} is {image.shape[1]}×{image.shape[0]} pixels and its reference "
                    f"{self._references[position]} is {fields['reference'].shape[1]}×{fields['reference'].shape[0]}"
                )
        crops = self.cut(fields, _seed(self.seed, epoch, int(self._index[position])))
        sample = Sample(quality=self._quality[position], index=self._index[position])
        for name, values in self._facts.items():
            sample[name] = torch.tensor(values[position])  # type: ignore[literal-required]
        for name in self.fields:
            planes = np.stack([crop[name] for crop in crops])  # (P, h, w[, 3])
            if name == "saliency":
                sample["saliency"] = torch.from_numpy(planes)[:, None]
            else:
                # stays channels-last in memory: (P, h, w, 3) seen as (P, 3, h, w)
                sample[name] = torch.from_numpy(planes).permute(0, 3, 1, 2)  # type: ignore[literal-required]
        return sample


def check_references(rows: pd.DataFrame, benchmark: Benchmark, fields: Sequence[str]) -> None:
    """Refuse images without references where they are asked for.

    Args:
        rows: Rows of the benchmark's table.
        benchmark: That benchmark.
        fields: What a sample is to hold.

    Raises:
        BenchmarkMismatchError: There is an image without one.
    """
    if "reference" in fields and (rows["reference"] == "").any():
        raise BenchmarkMismatchError(
            f"images are compared with their references here, and {benchmark.title} has none; choose a benchmark with "
            "references, or a no-reference network; a first stage of training may learn from another benchmark, such as "
            "configs/demo.yaml"
        )


def collate(samples: list[Sample]) -> Sample:
    """Stack samples along a new first axis, keeping channels last in memory."""
    batch = Sample()
    for name in samples[0]:
        parts = [sample[name] for sample in samples]  # type: ignore[literal-required]
        if parts[0].dim() == 4 and parts[0].shape[1] == 3:
            stacked = torch.stack([part.permute(0, 2, 3, 1) for part in parts]).permute(0, 1, 4, 2, 3)
        else:
            stacked = torch.stack(parts)
        batch[name] = stacked  # type: ignore[literal-required]
    return batch


def join(batches: list[Sample]) -> Sample:
    """Join batches whose pictures are of one size along their first axis, keeping channels last in memory.

    Args:
        batches: One or more, with the same fields.
    """
    if len(batches) == 1:
        return batches[0]
    joined = Sample()
    for name in batches[0]:
        parts = [batch[name] for batch in batches]  # type: ignore[literal-required]
        if parts[0].dim() == 5:
            value = torch.cat([part.permute(0, 1, 3, 4, 2) for part in parts]).permute(0, 1, 4, 2, 3)
        else:
            value = torch.cat(parts)
        joined[name] = value  # type: ignore[literal-required]
    return joined


def _facts(rows: pd.DataFrame, benchmark: Benchmark, name: str) -> NDArray[np.int64]:
    """Give what the table says of the distortion of each row, as numbers `(n,)`."""
    values, absent = rows[name], {"distortion": "", "level": -1}[name]
    if (values == absent).any():
        image = rows["image"][values == absent].iloc[0]
        raise BenchmarkMismatchError(
            f"training asks for the {name} of each image, and {benchmark.title} has none for {image}; choose a benchmark that "
            "was distorted on purpose; a first stage of training may learn from another one, such as configs/demo.yaml"
        )
    if name == "distortion":
        kinds = sorted(set(benchmark.table()["distortion"]))
        values = values.map({kind: place for place, kind in enumerate(kinds)})
    return values.to_numpy(np.int64)


def _seed(seed: int, epoch: int, index: int) -> int:
    """Mix three numbers into one that neighbours do not share."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{epoch}/{index}".encode(), digest_size=4).digest()) >> 1
