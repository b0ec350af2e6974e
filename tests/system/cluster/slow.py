"""A callback that makes steps long, so that a time limit falls among them without keeping a core busy."""

import os
import time
from typing import Any

from lightning.pytorch.callbacks import Callback


class Slow(Callback):
    """Waits in each step as long as `STEP_SECONDS` says, but for the last of an epoch: a stop is to fall in the middle of one."""

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx + 1 < trainer.num_training_batches:
            time.sleep(float(os.environ.get("STEP_SECONDS", "0")))
