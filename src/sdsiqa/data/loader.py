"""A loader that resumes in the middle of an epoch."""

from collections.abc import Callable, Iterator
from typing import Any

from lightning.fabric.utilities.seed import pl_worker_init_function
from torch.utils.data import DataLoader

from sdsiqa.data.dataset import Sample
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
