"""A callback that makes steps long, so that a time limit falls among them without keeping a core busy."""

import os
import time
from typing import Any

from lightning.pytorch.callbacks import Callback


class Slow(Callback):
    """Waits in each step as long as `STEP_SECONDS` says; nothing else changes."""

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        time.sleep(float(os.environ.get("STEP_SECONDS", "0")))
