"""The order of images: a function of seed, epoch and position, not of the process."""

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from torch.utils.data import DistributedSampler


class EpochSampler(DistributedSampler[tuple[int, int]]):
    """Yields `(epoch, position)`, so that a dataset can cut crops that depend on the epoch in any worker.

    Lightning calls `set_epoch`. On several devices each takes every `world`-th position of one shuffled order: the
    images of one optimiser step are the same on any number of devices. The order is repeated from its start until all
    devices have equally many; evaluation removes those repeats by index.

    It is a `DistributedSampler`, so that a trainer shares out the positions of no device once more: it would leave images out.

    Args:
        size: Images.
        shuffle: Whether the order changes from epoch to epoch.
        seed: Seed of the order.
        rank: This device.
        world: Devices.
    """

    def __init__(self, size: int, shuffle: bool, seed: int, rank: int = 0, world: int = 1) -> None:
        super().__init__(cast(Any, range(size)), num_replicas=world, rank=rank, shuffle=shuffle, seed=seed)
        self.size, self.world = size, world
        self._resumed: tuple[int, int] | None = None

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch."""
        self.epoch = epoch

    def go_on(self, epoch: int, done: int) -> None:
        """Start an epoch that was broken off after its first positions; other epochs stay whole.

        Args:
            epoch: That epoch.
            done: Positions of this device that are done.
        """
        self.epoch, self._resumed = epoch, (epoch, done)

    def __len__(self) -> int:
        """Count the positions of this device in a whole epoch."""
        return -(-self.size // self.world)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Iterate over this device's share of the epoch."""
        generator = np.random.default_rng((self.seed, self.epoch))
        order = generator.permutation(self.size) if self.shuffle else np.arange(self.size)
        share = np.resize(order, len(self) * self.world)[self.rank :: self.world]
        done = self._resumed[1] if self._resumed is not None and self._resumed[0] == self.epoch else 0
        return ((self.epoch, int(position)) for position in share[done:])
