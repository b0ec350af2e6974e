"""A kernel regression on features, stored in buffers: it is not trained by steps, and loads like weights."""

from typing import Any

import torch
from torch import Tensor, nn

_SIZED = ("vectors", "weights")
"""Buffers whose length is found in fitting."""

_LARGEST = 2**24
"""Numbers that are held at once, at most, where one picture does not need more."""


class KernelMap(nn.Module):
    """Maps standardised features to a score: `q = Σᵢ wᵢ k(x, vᵢ) + b`, in float64.

    The kernel is `exp(−γ |x − v|²)`, or the inner product `x · v` where γ is 0; a linear map is then one vector of
    weight 1. Before `set` the score is 0.

    Args:
        width: Number of features.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        for name, value in {
            "mean": torch.zeros(width),
            "scale": torch.ones(width),
            "vectors": torch.zeros(0, width),
            "weights": torch.zeros(0),
            "gamma": torch.zeros(()),
            "bias": torch.zeros(()),
        }.items():
            self.register_buffer(name, value.double())
        self.mean: Tensor
        self.scale: Tensor
        self.vectors: Tensor
        self.weights: Tensor
        self.gamma: Tensor
        self.bias: Tensor

    def forward(self, features: Tensor) -> Tensor:
        """Map features `(N, D)` float64 to scores `(N,)` float64."""
        x = (features - self.mean) / self.scale
        at_once = max(1, _LARGEST // max(1, self.vectors.numel()))  # all differences of a thousand pictures fill no memory
        radial = [torch.exp(-self.gamma * (part[:, None] - self.vectors).square().sum(2)) for part in torch.split(x, at_once)]
        return torch.where(self.gamma > 0, torch.cat(radial), x @ self.vectors.T) @ self.weights + self.bias

    def set(self, **solution: Any) -> None:
        """Take over a solution.

        Args:
            solution: `mean` and `scale` `(D,)`, `vectors` `(S, D)` of standardised features, `weights` `(S,)`, `gamma` and
                `bias`.
        """
        for name, buffer in list(self.named_buffers()):
            setattr(self, name, torch.as_tensor(solution[name], dtype=torch.float64).to(buffer.device))

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any, **kwargs: Any) -> None:
        for name in _SIZED:  # as many as the fit has found
            if (found := state_dict.get(prefix + name)) is not None:
                setattr(self, name, getattr(self, name).new_empty(found.shape))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
