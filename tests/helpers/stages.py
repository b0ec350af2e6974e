"""A method of two stages, small enough for tests of what stages have in common."""

import torch
from torch import Tensor, nn

from sdsiqa.models.base import Method, QualityNetwork
from sdsiqa.models.objective import Crops, Objective


class First(QualityNetwork):
    """Guesses how far an image is from its reference."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 5, 2), nn.ReLU())
        self.error = nn.Linear(width, 1)

    def forward(self, image: Tensor) -> Tensor:
        return -self.error(self.body(image).mean((2, 3)))[:, 0]

    def pretrained_parts(self) -> list[nn.Module]:
        return []


class Second(Method):
    """Scores with the body that `First` has learnt."""

    title, status, paper = "Second", "published facts", "none"
    stage_one = ("body",)

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 5, 2), nn.ReLU())
        self.head = nn.Linear(width, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.body(image).mean((2, 3)))[:, 0]


class Error(Objective):
    """Mean absolute difference between image and reference, against the network's guess."""

    inputs = ("reference", "level")

    def forward(self, network: QualityNetwork, crops: Crops) -> Tensor:
        seen.update(int(row) for row in crops["index"])
        error = (crops["image"] - crops["reference"]).abs().mean((1, 2, 3))
        return torch.nn.functional.l1_loss(-network(crops["image"]), error)


seen: set[int] = set()
"""Rows of the benchmark's table that `Error` has seen."""
