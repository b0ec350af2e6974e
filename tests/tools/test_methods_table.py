"""The table of methods says what the classes say."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sdsiqa.models.base import QualityNetwork
from tools import methods

DOC = Path(__file__).parents[2] / "docs" / "methods.md"


class Known(QualityNetwork):
    """A network whose cost is easily counted."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        return self.layer(image).mean((1, 2, 3))

    def pretrained_parts(self) -> list[nn.Module]:
        return []


def test_the_committed_table_is_what_the_classes_say() -> None:
    lines = DOC.read_text().splitlines()
    assert lines[0].startswith("<!-- made by `python -m tools.methods`")
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")][2:]
    speed = methods.HEADS.index("images/s")
    expected = [methods.cells(entry, "") for entry in methods.entries()]
    assert [row[0] for row in rows] == [row[0] for row in expected]
    for row, other in zip(rows, expected, strict=True):
        assert row[:speed] + row[speed + 1 :] == other[:speed] + other[speed + 1 :], "run make methods"


def test_operations_are_counted() -> None:
    network, flops = methods.weigh(Known)
    assert flops == 2 * 3 * 2 * 224 * 224
    assert methods.type_of(network, 6) == "no reference, one stage"
    assert methods.cells(methods.Entry(Known, "Known", "published facts", "none", ()), "7")[2:] == [
        *("0.00 M", "0.00", "7", "published facts", "nothing"),
    ]


def test_speed_is_counted_per_picture() -> None:
    times = iter(range(100))
    rate = methods.images_per_second(Known, 3, lambda: float(next(times)))
    assert rate == pytest.approx(2 / 4)  # two pictures until the clock says 3, and 4 when it is read at the end
    assert torch.is_grad_enabled()
