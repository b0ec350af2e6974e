"""Loaders: one that resumes in the middle of an epoch, and one that joins images of equal size."""

from collections.abc import Callable, Iterator
from typing import Any

from lightning.fabric.utilities.seed import pl_worker_init_function
from torch.utils.data import DataLoader

from sdsiqa.data.dataset import PICTURES, Sample, join
from sdsiqa.data.sampler import EpochSampler
from sdsiqa.runs import signals
from sdsiqa.runs.process import give_back_memory


def start_worker(number: int) -> None:
    """Prepare a loader process: signals are for the trainer, which ends its workers when it is done with them.

    Args:
        number: Of the worker.
    """
    signals.ignore()
    pl_worker_init_function(number)


class SteadyLoader(DataLoader[Sample]):
    """Starts its processes while signals are held back, for one that comes before they ignore it would end them.

    What training has freed is handed back first: the processes would else hold as much memory as a step takes, each of them.
    """

    def _get_iterator(self) -> Any:
        if self.num_workers:
            give_back_memory()
        with signals.held():
            return super()._get_iterator()


class EqualSizeLoader(SteadyLoader):
    """Joins images that follow each other and are of one size into batches; their order stays.

    Sizes are known when images are read, so workers hand over one at a time. There are at most as many batches as images,
    which `len` says.

    Args:
        pixels: The most that a batch holds, all crops together; a single image may have more.
        options: As for `torch.utils.data.DataLoader`; `batch_size` is 1.
    """

    def __init__(self, *, pixels: int, **options: Any) -> None:
        super().__init__(**options)
        self.pixels = pixels

    def __iter__(self) -> Iterator[Sample]:  # type: ignore[override]
        """Iterate over the batches."""
        batch: list[Sample] = []
        for sample in super().__iter__():
            if batch and (_shapes(sample) != _shapes(batch[0]) or _pixels(sample) * (len(batch) + 1) > self.pixels):
                yield join(batch)
                batch = []
            batch.append(sample)
        if batch:
            yield join(batch)


def _shapes(sample: Sample) -> list[tuple[int, ...]]:
    return [tuple(sample[name].shape) for name in PICTURES if name in sample]  # type: ignore[literal-required]


def _pixels(sample: Sample) -> int:
    crops, _, height, width = sample["image"].shape[1:]
    return crops * height * width


class EpochLoader(SteadyLoader):
    """Resumes in the middle of an epoch.

    The position is that of training, not of the workers, which are batches ahead. It counts steps, so a run may resume
    with another number of devices: the images of a step are the same.

    Lightning makes the iterator before it knows the epoch of a checkpoint, and worker processes would begin at once with
    the first epoch's images; so they begin when the first batch is asked for.

    Args:
        sampler: Decides the order.
        trained: Tells how many batches of the epoch are trained on.
        options: As for `torch.utils.data.DataLoader`.
    """

    def __init__(self, *, sampler: EpochSampler, trained: Callable[[], int], **options: Any) -> None:
        super().__init__(sampler=sampler, **options)
        self._order, self._trained = sampler, trained

    def __iter__(self) -> Iterator[Sample]:  # type: ignore[override]
        """Iterate over the rest of the epoch that is chosen when the first batch is asked for."""
        yield from super().__iter__()

    def state_dict(self) -> dict[str, int]:
        """Epoch, and batches of it that are trained on."""
        return {"epoch": self._order.epoch, "batches": self._trained()}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Resume from there; the epoch's length stays that of the whole epoch."""
        self._order.go_on(state_dict["epoch"], state_dict["batches"] * (self.batch_size or 1))
