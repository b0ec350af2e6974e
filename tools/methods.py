"""`make methods`: says what every method is, in one table, `docs/methods.md`."""

import argparse
import importlib
import json
import pkgutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from bench.measure import machine
from sdsiqa import models
from sdsiqa.files import write_json
from sdsiqa.models.base import Method, QualityNetwork
from sdsiqa.models.components.fusion_head import FusionHead
from sdsiqa.models.components.image_branch import ImageBranch
from sdsiqa.models.components.saliency_branch import SaliencyBranch
from sdsiqa.models.sdsiqa import SDSIQA
from sdsiqa.models.size import SIDE, flops

HEADS = ("method", "type", "parameters", "GFLOPs at 224", "images/s", "status", "what differs from the paper")
COMMAND = "python -m tools.methods"
DOC, SPEED = Path("docs/methods.md"), Path("results/methods-speed.json")


class Entry(NamedTuple):
    """What the table says of a method.

    Args:
        kind: Its class.
        title: Name.
        status: Whether the published method is known in full.
        paper: Authors, venue, year.
        differs: What differs from the paper.
    """

    kind: type[QualityNetwork]
    title: str
    status: str
    paper: str
    differs: tuple[str, ...]


def methods() -> list[type[Method]]:
    """Find every method of the package, sorted by class name."""
    for module in pkgutil.iter_modules(models.__path__):
        importlib.import_module(f"{models.__name__}.{module.name}")
    found, left = set[type[Method]](), [Method]
    while left:
        kinds = left.pop().__subclasses__()
        left += kinds
        found |= {kind for kind in kinds if kind.__module__.startswith("sdsiqa.")}
    return sorted(found, key=lambda kind: kind.__name__)


def entries() -> list[Entry]:
    """List SDS-IQA and every method that it is compared with, alphabetically."""
    others = [Entry(kind, kind.title, kind.status, kind.paper, kind.differs) for kind in methods()]
    paper = "Shi, Kang, Wang, Xiao and Luo, Journal of Tianjin University (Science and Technology) 58(2), 2025"
    own = Entry(SDSIQA, "SDS-IQA (reconstruction)", "reconstruction from the abstract", paper, ("See [sds-iqa.md](sds-iqa.md).",))
    return [own, *sorted(others, key=lambda entry: entry.title.lower())]


def cells(entry: Entry, speed: str) -> list[str]:
    """Write the cells of a method's row.

    Args:
        entry: The method.
        speed: Images a second, as measured.
    """
    network, flops = weigh(entry.kind)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    size = "none" if not parameters else f"{parameters / 1e6:.2f} M"
    spent = "–" if not flops else f"{flops / 1e9:.2f}"
    return [entry.title, type_of(network, parameters), size, spent, speed, entry.status, " ".join(entry.differs) or "nothing"]


def type_of(network: QualityNetwork, parameters: int) -> str:
    """Say what kind of method a network is."""
    if "reference" in network.inputs:
        return "full reference"
    if not parameters:
        return "no reference, features"
    asks = ", image and map" if "saliency" in network.inputs else ""
    return f"no reference, {'two stages' if network.stage_one and network.needs_stage_one else 'one stage'}{asks}"


def weigh(kind: type[QualityNetwork]) -> tuple[QualityNetwork, int]:
    """Build a network as its defaults say, and count the operations of one picture: a multiplication and a sum are two.

    Args:
        kind: Its class.

    Returns:
        The network, and what torch counts: convolutions and products of matrices.
    """
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):  # shapes alone: nothing is computed
            return _weigh(kind)
    except (RuntimeError, TypeError, ValueError):  # what looks at values has to have some
        return _weigh(kind)


def _weigh(kind: type[QualityNetwork]) -> tuple[QualityNetwork, int]:
    network = build(kind).eval()
    return network, flops(network)[""]


def build(kind: type[QualityNetwork]) -> QualityNetwork:
    """Build a network with its defaults; SDS-IQA of its three parts with theirs."""
    return SDSIQA(ImageBranch(), SaliencyBranch(), FusionHead()) if kind is SDSIQA else kind()


def pictures(network: QualityNetwork) -> list[Tensor]:
    """Make one picture for each input of a network."""
    return [torch.rand(1, 1 if name == "saliency" else 3, SIDE, SIDE) for name in network.inputs]


@torch.inference_mode()
def images_per_second(kind: type[QualityNetwork], seconds: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """Time how a network scores one picture after the other.

    Args:
        kind: Its class.
        seconds: How long to measure.
        clock: What time it is.
    """
    torch.manual_seed(0)
    network = build(kind).eval()
    inputs = pictures(network)
    network(*inputs)
    count, start = 0, clock()
    while clock() - start < seconds:
        network(*inputs)
        count += 1
    return count / (clock() - start)


def document(rows: Sequence[Sequence[str]], sources: Sequence[Entry], where: str) -> str:
    """Write the document.

    Args:
        rows: Cells of each method.
        sources: The methods, in the same order.
        where: The machine of the speeds.
    """
    lines = [
        f"<!-- made by `{COMMAND}` (make methods): change the classes, not this file -->",
        "# Methods",
        "",
        "SDS-IQA and the methods that it is compared with. All are trained, tested and reported by the same commands and splits:",
        "`sdsiqa fit -c configs/base.yaml --data configs/data/livec.yaml --model configs/model/<name>.yaml`. One of two stages",
        "also needs `--model.init_from`, the folder of its first stage ([protocol](protocol.md)); PSNR and SSIM need a benchmark",
        "with references.",
        "",
        "*Published facts*: architecture, losses and stages are published, and reimplemented from that. *Family reconstruction*:",
        "only an abstract is known, or no paper of that name; the network here follows the description and is ours.",
        "TwoStreamIQA and QualityMapNet stand where the paper's tables say TSIG and DQM-IQA, which we could not identify.",
        "",
        "| " + " | ".join(HEADS) + " |",
        "| --- | --- | ---: | ---: | ---: | --- | --- |",
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows),
        "",
        f"Parameters and operations with the default backbone, for one picture of {SIDE}×{SIDE}; a multiplication and a",
        f"sum are two operations, as torch counts convolutions and products of matrices. Images a second: {where}.",
        "",
        "## Papers",
        "",
        *(f"- {entry.title}: {entry.paper}." for entry in sources),
    ]
    return "\n".join(lines) + "\n"


def main(words: list[str] | None = None) -> None:
    """Write the table.

    Args:
        words: Words of the command line; `None`: use `sys.argv`.
    """
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--measure", type=float, default=0.0, metavar="SECONDS", help="time each method for so long, too")
    parser.add_argument("--output", type=Path, default=DOC, help="where the table goes")
    parser.add_argument("--speed", type=Path, default=SPEED, help="where measured speeds are kept")
    settings = parser.parse_args(words)
    found = entries()
    if settings.measure:
        rates = {entry.title: round(images_per_second(entry.kind, settings.measure), 3) for entry in found}
        write_json(settings.speed, {**machine(), "side": SIDE, "images_per_second": rates})
    kept: dict[str, Any] = json.loads(settings.speed.read_text()) if settings.speed.is_file() else {}
    speeds = kept.get("images_per_second", {})
    where = f"{kept['cpu']}, {kept['torch_threads']} threads, one picture at a time" if kept else "not measured"
    rows = [cells(entry, f"{float(format(speeds[entry.title], '.3g')):g}" if entry.title in speeds else "–") for entry in found]
    settings.output.write_text(document(rows, found, where), encoding="utf-8")
    print(f"wrote {settings.output}: {len(rows)} methods")


if __name__ == "__main__":
    main()
