"""A network as an ONNX graph: any number of pictures of any size, or of one size."""

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from sdsiqa.errors import CheckpointError
from sdsiqa.inference.onnx_file import ATTENTION, SCORE
from sdsiqa.inference.onnx_operators import REPLACED, whole_number_padding
from sdsiqa.models.base import QualityNetwork

OPSET = 18
"""Of 2022, which every runtime in use knows."""

SIDES = (131, 97)
"""Of the picture that is traced: odd, so that levels that are rounded up differ in size from those that are rounded down."""


def check_free_sizes(network: QualityNetwork) -> None:
    """Refuse what PyTorch would trace for hours while sizes are free: each block cuts its features into windows.

    Args:
        network: What is exported for pictures of any size.

    Raises:
        CheckpointError: It has such blocks, as Swin does; says which.
    """
    for module in network.modules():
        if hasattr(sys.modules.get(type(module).__module__), "window_partition"):  # how timm's files call that cut
            raise CheckpointError(f"{type(module).__name__} works in windows, which PyTorch would trace for hours")


class _Outputs(nn.Module):
    """A network whose attention is an output, too."""

    def __init__(self, network: QualityNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, *pictures: Tensor) -> tuple[Tensor, ...]:
        score, attention = self.network.score_and_attention(*pictures)
        return score, *attention


def to_onnx(network: QualityNetwork, side: int | None = None) -> Any:
    """Trace a network.

    Args:
        network: In evaluation mode, on the CPU.
        side: Height and width of its pictures in pixels; `None`: any.

    Returns:
        `onnx.ModelProto` with inputs named as the network's and outputs `score`, `attention_1`, …; whole in itself, without
        places in source files.

    Raises:
        CheckpointError: As `check_free_sizes`.
        Exception: Of any kind: PyTorch's, where it cannot trace the network.
    """
    if side is None:
        check_free_sizes(network)
    height, width = SIDES if side is None else (side, side)
    pictures = tuple(torch.zeros(2, 1 if name == "saliency" else 3, height, width) for name in network.inputs)
    free = dict.fromkeys((0, 2, 3) if side is None else (0,), Dim.DYNAMIC)
    with _quietly(), whole_number_padding(), torch.no_grad():
        levels = len(network.score_and_attention(*pictures)[1])
        program = torch.export.export(_Outputs(network), pictures, dynamic_shapes=(tuple(free for _ in pictures),), strict=False)
        exported: Any = torch.onnx.export(
            program.run_decompositions(REPLACED),
            dynamo=True,
            opset_version=OPSET,
            optimize=False,  # it takes the 1e-8 under a root for zero; onnxruntime optimises when it opens the file
            input_names=list(network.inputs),
            output_names=[SCORE, *(f"{ATTENTION}_{level + 1}" for level in range(levels))],
        )
    model = exported.model_proto
    _tidy(model.graph)
    _name_sides(model.graph, list(network.inputs))
    return model


def _tidy(graph: Any) -> None:
    """Remove what PyTorch notes of each operator: lines of source files, and shapes that are inferred again."""
    del graph.value_info[:], graph.metadata_props[:]
    for item in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        item.doc_string = ""
        if hasattr(item, "metadata_props"):
            del item.metadata_props[:]
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
            _tidy(inner)


def _name_sides(graph: Any, inputs: list[str]) -> None:
    """Call the free sides of the inputs what they are, in place of a number that PyTorch gave them."""
    names: dict[str, str] = {}
    for node in (node for node in graph.input if node.name in inputs):
        for given, name in zip(node.type.tensor_type.shape.dim, ("pictures", "", "height", "width"), strict=True):
            if given.dim_param:
                names[given.dim_param] = name
    for node in (*graph.input, *graph.output):
        for given in node.type.tensor_type.shape.dim:
            if given.dim_param:
                given.dim_param = names.get(given.dim_param, "")


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep to itself what PyTorch tells its own developers while it exports."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
