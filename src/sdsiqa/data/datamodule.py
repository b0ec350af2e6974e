"""One split of one benchmark as a Lightning data module."""

from __future__ import annotations  # signatures in a notebook show names, not what they stand for

import hashlib
import os
from pathlib import Path
from typing import Any, Literal, cast

import lightning
import pandas as pd
from lightning.pytorch.trainer.states import TrainerFn
from torch.utils.data import DataLoader

from sdsiqa.benchmarks import Benchmark
from sdsiqa.benchmarks.published_splits import read_published_split
from sdsiqa.benchmarks.splits import PARTS, Split, leaders, make_split
from sdsiqa.data.cache import DecodedCache, Planes
from sdsiqa.data.crops import GridCrops, RandomCrops, WholeImage
from sdsiqa.data.dataset import PICTURES, Cutter, PictureReader, QualityDataset, Sample, collate
from sdsiqa.data.loader import EpochLoader, EqualSizeLoader, SteadyLoader, start_worker
from sdsiqa.data.sampler import EpochSampler
from sdsiqa.errors import BenchmarkMismatchError, SdsiqaError
from sdsiqa.files import user_path
from sdsiqa.models.base import QualityNetwork
from sdsiqa.runs.ranges import check_counts
from sdsiqa.saliency.base import SaliencyProvider
from sdsiqa.saliency.cache import CachedMaps


class QualityDataModule(lightning.LightningDataModule):
    """Images of one split of one benchmark, cut into crops.

    Example:
        >>> from sdsiqa.benchmarks import Folder
        >>> from sdsiqa.saliency import SDSP
        >>> data = QualityDataModule(Folder("pictures", scale=(1, 5)), SDSP(), split=0, crop=64, num_workers=0)
        >>> data
        QualityDataModule(Own pictures in pictures, split 0, SDSP)
        >>> len(data.rows("train")), len(data.rows("val")), len(data.rows("test"))
        (7, 1, 2)

    Args:
        benchmark: Which images and scores.
        saliency: Source of saliency maps; computed once per image, on the whole image.
        split: Number of a split by content, or the authors' own.
        split_folder: Folder of published splits (ARNIQA's arrays or LIQE's lists) that `split` counts in; `None`: our own.
        fit_on: `train` leaves the validation part to choose the epoch; `train+val` trains on both for a fixed number
            of epochs, and the last checkpoint counts.
        test_on: `test` part, or `all` images of a benchmark that the network has never seen.
        crop: Side of a crop in pixels.
        patches_per_image: Training crops cut from one decoded image.
        view: What is evaluated: the `whole` image, or a fixed `grid` of crops whose scores are averaged; `None` leaves it to the
            network: those that are defined on whole images (`QualityNetwork.whole`) see these always, others the grid.
        grid: Rows and columns of that grid.
        batch_size: Images per optimiser step, all devices together.
        num_workers: Loader processes per device.
        cache: Folder that keeps decoded images and maps in one mapped file; `None` decodes every time.
        maps: Folder that keeps saliency maps by image content; `None` computes them again when an image is decoded.

    Raises:
        ValueError: A number is out of its range.
        SdsiqaError: The saliency source is too slow for every epoch, and neither `maps` nor `cache` is set.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        saliency: SaliencyProvider,
        split: int | Literal["official"] = 0,
        split_folder: Path | None = None,
        fit_on: Literal["train", "train+val"] = "train",
        test_on: Literal["test", "all"] = "test",
        crop: int = 224,
        patches_per_image: int = 8,
        view: Literal["whole", "grid"] | None = None,
        grid: tuple[int, int] = (5, 5),
        batch_size: int = 8,
        num_workers: int = 2,
        cache: Path | None = None,
        maps: Path | None = None,
    ) -> None:
        super().__init__()
        check_counts(crop=crop, patches_per_image=patches_per_image, batch_size=batch_size)
        check_counts(0, num_workers=num_workers)
        if min(grid) < 1:
            raise ValueError(f"grid is {list(grid)}; expected rows and columns, 1 or more of each")
        if split != "official":
            check_counts(0, split=split)
        self.benchmark, self.saliency = benchmark, saliency
        split_folder, cache, maps = (None if path is None else user_path(path) for path in (split_folder, cache, maps))
        self.maps = maps
        self.split_number, self.split_folder, self.fit_on, self.test_on = split, split_folder, fit_on, test_on
        self.crop, self.patches_per_image, self.view, self.grid = crop, patches_per_image, view, grid
        self.batch_size, self.num_workers, self.cache_folder = batch_size, num_workers, cache
        if saliency.slow and cache is None and maps is None:
            raise SdsiqaError(
                f"{type(saliency).__name__} is too slow to run in every epoch; set data.maps to a folder that keeps its "
                "maps, or fill one with `sdsiqa saliency` and use Stored"
            )
        self.split: Split | None = None
        self._cache: DecodedCache | None = None
        self._source: SaliencyProvider | None = None
        self._position: dict[str, int] | None = None

    def __repr__(self) -> str:
        """Say what is read, and which split of it."""
        split = f"split {self.split_number}" if self.split_folder is None else f"published split {self.split_number}"
        return f"QualityDataModule({self.benchmark.title} in {self.benchmark.given}, {split}, {type(self.saliency).__name__})"

    @property
    def inputs(self) -> tuple[str, ...]:
        """Fields that the network asks for, and in training its objective too."""
        if self.trainer is None or self.trainer.state.fn != TrainerFn.FITTING:
            return self._scored
        objective = getattr(self.trainer.lightning_module, "objective", None)
        return tuple(dict.fromkeys([*self._scored, *(objective.inputs if objective is not None else ())]))

    @property
    def _scored(self) -> tuple[str, ...]:
        """Fields that scoring needs."""
        if self.trainer is None:
            return ("image", "saliency")
        return tuple(self._network.inputs)

    @property
    def _network(self) -> QualityNetwork:
        if self.trainer is None:
            raise AssertionError("there is a trainer")
        return cast(QualityNetwork, self.trainer.lightning_module.network)

    @property
    def seed(self) -> int:
        """Seed of the run, which decides order and crops."""
        return int(os.environ.get("PL_GLOBAL_SEED", "0"))

    def make_split(self) -> Split:
        """Decide which images train, validate and test.

        Raises:
            SplitLeakError: A content stands on two sides, or a part is empty.
        """
        table = self.benchmark.table()
        if self.split_folder is None:
            return make_split(self.benchmark.name, table, self.split_number, self.benchmark.twins)
        if not isinstance(self.split_number, int):
            raise SdsiqaError(f"data.split is {self.split_number!r}; published splits in {self.split_folder} have numbers")
        return read_published_split(self.split_folder, self.split_number, self.benchmark.name, table)

    def reader(self) -> PictureReader:
        """Make what gives whole pictures: from the cache if there is one."""
        saliency = self.source if "saliency" in self.inputs else None
        if saliency is not None and self.maps is not None:
            saliency = CachedMaps(saliency, self.maps)
        return PictureReader(self.benchmark, saliency, self._cache)

    @property
    def source(self) -> SaliencyProvider:
        """The source of saliency, which hands no map from one part of the split to another, nor within a content."""
        if self._source is None:
            self._source = self.saliency.within(self._contents)
        return self._source

    def _contents(self) -> dict[str, dict[str, str]]:
        """Give the images of each part with their contents, those that show one picture under one name."""
        table, split = self.benchmark.table(), self.split or self.make_split()
        first = leaders(self.benchmark.twins)
        contents = {
            image: first.get(content.lower(), content.lower())
            for image, content in zip(table["image"], table["content"], strict=True)
        }
        if self.test_on == "all":
            return {"test": contents}
        return {part: {image: contents[image] for image in table["image"].iloc[list(split.rows(part))]} for part in PARTS}

    def prepare_data(self) -> None:
        """Fill the cache, once per machine."""
        self._open_cache(jobs=max(1, os.cpu_count() or 1))

    def setup(self, stage: str) -> None:
        """Decide the split and open the cache.

        Raises:
            SdsiqaError: `batch_size` is not a multiple of the number of devices.
        """
        if self.batch_size % self._world:
            raise SdsiqaError(
                f"data.batch_size is {self.batch_size} images per step and does not divide over {self._world} devices; "
                f"choose a multiple of {self._world}"
            )
        self.split = self.make_split()
        self._open_cache(jobs=1)

    def rows(self, part: Literal["train", "val", "test"]) -> pd.DataFrame:
        """Rows of the benchmark's table that belong to a part, as `fit_on` and `test_on` say.

        Args:
            part: Which part.
        """
        table, split = self.benchmark.table(), self.split or self.make_split()
        if part == "test" and self.test_on == "all":
            return table
        rows = {"train": split.train, "val": split.val, "test": split.test}[part]
        if part == "train" and self.fit_on == "train+val":
            rows = tuple(sorted(split.train + split.val))
        return table.loc[list(rows)]

    def train_dataloader(self) -> DataLoader[Sample]:
        """Random crops of the training part; what a checkpoint has seen of its epoch is left out."""
        loader = self._loader(self._trained_on(), RandomCrops(self.crop, self.patches_per_image), train=True)
        if self._position is not None:
            cast(EpochLoader, loader).load_state_dict(self._position)
        return loader

    def _trained_on(self) -> pd.DataFrame:
        """Rows of the training part, without distortions whose levels the objective would take for an order."""
        rows, unordered = self.rows("train"), self.benchmark.unordered
        objective = None if self.trainer is None else getattr(self.trainer.lightning_module, "objective", None)
        if objective is None or not objective.ordered or not unordered:
            return rows
        left = rows[~rows["distortion"].isin(unordered)]
        if left.empty:
            raise BenchmarkMismatchError(
                f"{type(objective).__name__} learns from levels in the order of their severity, and the training part of "
                f"{self.benchmark.title} has only {', '.join(unordered)}, whose levels are not; choose another benchmark"
            )
        return left

    def state_dict(self) -> dict[str, int]:
        """Position in the training part, for checkpoints; Lightning gives a loader its own back too late."""
        epoch = 0 if self.trainer is None else self.trainer.current_epoch
        return {"epoch": epoch, "batches": self._trained()}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Resume from a checkpoint."""
        self._position = dict(state_dict)

    def val_dataloader(self) -> DataLoader[Sample] | list[DataLoader[Sample]]:
        """Validation part, evaluated as the test part; empty when it is trained on."""
        return [] if self.fit_on == "train+val" else self._loader(self.rows("val"), self._view(), joins=self.joins)

    def test_dataloader(self) -> DataLoader[Sample]:
        """Test part, or all images."""
        return self._loader(self.rows("test"), self._view(), joins=self.joins)

    def predict_dataloader(self) -> DataLoader[Sample]:
        """As the test."""
        return self.test_dataloader()

    @property
    def joins(self) -> bool:
        """Whether evaluation reads images of equal size in batches, which `EqualScores` checks: on accelerators alone.

        A CPU works as fast on one image, and its scores are compared byte for byte.
        """
        return self.trainer is not None and self.trainer.strategy.root_device.type != "cpu"

    def whole_images(self, rows: pd.DataFrame) -> DataLoader[Sample]:
        """Whole images, one at a time, in order, all of them on every device.

        Args:
            rows: Which, from the table of `rows`.
        """
        return self._loader(rows, WholeImage(), shared=False)

    def on_after_batch_transfer(self, batch: Sample, dataloader_idx: int) -> Sample:
        """Turn uint8 pictures into float32 in [0, 1], on the device: a quarter of the traffic, and only here."""
        return to_float(batch)

    def _view(self) -> Cutter:
        whole = self.view == "whole" or (self.trainer is not None and self._network.whole)
        return WholeImage() if whole else GridCrops(self.crop, *self.grid)

    @property
    def _world(self) -> int:
        return 1 if self.trainer is None else self.trainer.world_size

    def _loader(
        self, rows: pd.DataFrame, cut: Cutter, train: bool = False, joins: bool = False, shared: bool = True
    ) -> DataLoader[Sample]:
        rank, world = (0, 1) if self.trainer is None or not shared else (self.trainer.global_rank, self._world)
        options: dict[str, Any] = {
            "dataset": QualityDataset(rows, self.reader(), self.inputs if train else self._scored, cut, self.seed),
            "sampler": EpochSampler(len(rows), train, self.seed, rank, world),
            "num_workers": self.num_workers,
            "collate_fn": collate,
            "worker_init_fn": start_worker,
            # copies from pinned memory overlap with computation; pinning without a GPU would only cost
            "pin_memory": self.trainer is not None and self.trainer.strategy.root_device.type == "cuda",
        }
        size = max(1, self.batch_size // self._world)
        if joins:  # no more than a training step holds, which fits into memory
            return EqualSizeLoader(batch_size=1, pixels=size * self.patches_per_image * self.crop**2, **options)
        if not train:
            # an image's score depends on that image alone only if it is computed alone: libraries choose their kernels,
            # and so the last digits, by the size of the batch
            return SteadyLoader(batch_size=1, **options)
        return EpochLoader(trained=self._trained, batch_size=size, persistent_workers=self.num_workers > 0, **options)

    def _trained(self) -> int:
        """Batches of the epoch that this device has finished."""
        if self.trainer is None:
            return 0
        return int(self.trainer.fit_loop.epoch_loop.batch_progress.current.processed)  # type: ignore[attr-defined]

    def _open_cache(self, jobs: int) -> None:
        if self.cache_folder is None or self._cache is not None:
            return
        table = self.benchmark.table()
        references = sorted(set(table["reference"]) - {""}) if "reference" in self.inputs else []
        names = list(dict.fromkeys([*table["image"], *references]))
        look = self.source.fingerprint() if "saliency" in self.inputs else "none"
        files = [(self.benchmark.root / name).stat() for name in names]
        sizes = [(name, file.st_size, file.st_mtime_ns) for name, file in zip(names, files, strict=True)]
        content = f"{self.benchmark.data_version()} {self.benchmark.root.resolve()} {self.benchmark.short_side} {look} {sizes}"
        key = f"{self.benchmark.name}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
        cache = DecodedCache(self.cache_folder, key)
        reader, images = self.reader(), set(table["image"])

        def load(name: str) -> Planes:
            return reader.decode(name) if name in images else (self.benchmark.load(name), None)  # a reference needs no map

        cache.fill(names, load, jobs)
        self._cache = cache


def to_float(batch: Sample) -> Sample:
    """Scale the pictures of a batch from uint8 to float32 in [0, 1].

    Args:
        batch: Sample whose pictures are uint8.
    """
    for name in PICTURES:
        if name in batch:
            batch[name] = batch[name].float().div_(255)  # type: ignore[literal-required]
    return batch
