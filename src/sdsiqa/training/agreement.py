"""Agreement of scores with quality, collected over batches and devices."""

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from sdsiqa import metrics
from sdsiqa.runs.scores import Scores

__all__ = ["Agreement", "Scores"]


class Agreement(Metric):
    """Agreement of scores with quality, each image counted once on any number of devices.

    Distributed samplers pad with repeats, which a mean over batches would count twice; here they go by their index.
    """

    is_differentiable: ClassVar[bool] = False  # type: ignore[misc]
    full_state_update: ClassVar[bool] = False  # type: ignore[misc]

    index: list[Tensor] | Tensor
    score: list[Tensor] | Tensor
    quality: list[Tensor] | Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("index", "score", "quality"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, index: Tensor, score: Tensor, quality: Tensor) -> None:
        """Keep the rows of a batch.

        Args:
            index: Rows of the benchmark's table, `(B,)` int64.
            score: Predictions, `(B,)`, higher is better; kept in float32, for ranks would not survive less.
            quality: Labels, `(B,)` in [0, 1], higher is better.
        """
        for state, values in ((self.index, index.long()), (self.score, score.float()), (self.quality, quality.float())):
            if isinstance(state, list):
                state.append(values.detach().reshape(-1))

    def scores(self) -> Scores:
        """Give the rows held here, one per image, in index order; inside `sync_context()`, those of all devices.

        Of an image's repeats the first counts: they differ by rounding alone, and the order of ranks is fixed.
        """
        index, score, quality = (_joined(state) for state in (self.index, self.score, self.quality))
        kept, first = np.unique(index.astype(np.int64), return_index=True)
        return Scores(kept, score[first].astype(np.float64), quality[first].astype(np.float64))

    def compute(self) -> dict[str, float]:
        """Compute `metrics.agreement`; NaN with an `AgreementWarning` that names the cause where it is undefined."""
        scores = self.scores()
        return metrics.agreement(scores.score, scores.quality)


def _joined(state: list[Tensor] | Tensor) -> np.ndarray[Any, np.dtype[Any]]:
    """Join what was appended; after a synchronisation it is one tensor already."""
    if isinstance(state, list):
        state = torch.cat(state) if state else torch.empty(0)
    return state.cpu().numpy()
