"""ONNX files that `sdsiqa export` wrote, run by onnxruntime in the place of a network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from sdsiqa.errors import CheckpointError, ImageError, MissingExtraError, in_short
from sdsiqa.files import read_file
from sdsiqa.inference.checkpoint_paths import named_file
from sdsiqa.models.base import QualityNetwork
from sdsiqa.runs.process import is_out_of_memory

if TYPE_CHECKING:
    import onnxruntime

SUFFIX = ".onnx"
"""By which such files are known."""
FORMAT = "1"
"""Raised when older files can no longer be read."""
SCORE = "score"
"""Name of the first output."""
ATTENTION = "attention"
"""Begin of the names of the other outputs."""


class OnnxNetwork(QualityNetwork):
    """A network in an ONNX file, computed by onnxruntime on the CPU.

    Args:
        content: The file.
        name: What errors call it.

    Raises:
        CheckpointError: It is no ONNX file, or not one that `sdsiqa export` wrote.
        MissingExtraError: onnxruntime is not installed.
    """

    inputs: tuple[str, ...] = ("image",)  # type: ignore[misc]

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__()
        self.name, self._session = name, _session(content, name)
        self.facts: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        self.inputs = tuple(node.name for node in self._session.get_inputs())
        outputs = [node.name for node in self._session.get_outputs()]
        self._attention = [output for output in outputs if output.startswith(ATTENTION)]
        if "sdsiqa" not in self.facts or outputs[:1] != [SCORE] or not set(self.inputs) <= {"image", "saliency"}:
            raise CheckpointError(
                f"{name}: was not made by `sdsiqa export`; it does not say how an image is given to it; name a file that was"
            )
        if self.facts.get("format") != FORMAT:
            raise CheckpointError(
                f"{name}: has format {self.facts.get('format')!r}, and this sdsiqa reads {FORMAT}; export the checkpoint again"
            )

    def forward(self, *pictures: Tensor) -> Tensor:
        """Score pictures.

        Args:
            pictures: `(N, C, h, w)` float32 in [0, 1] for each input.

        Returns:
            `(N,)` float32.

        Raises:
            ImageError: onnxruntime cannot compute them, such as those of another size than the file is made for.
            MemoryError: There is no memory left.
        """
        return self._run([SCORE], pictures)[0]

    def explain(self, image: Tensor, saliency: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Give the spatial attention of each level, as the network did that was exported; no gates."""
        if not self._attention:
            return [], []
        given = {"image": image, "saliency": saliency}
        return self._run(self._attention, [given[name] for name in self.inputs]), []

    def pretrained_parts(self) -> list[nn.Module]:
        """None: the file is not trained."""
        return []

    def _run(self, outputs: Sequence[str], pictures: Sequence[Tensor]) -> list[Tensor]:
        feeds = {name: np.ascontiguousarray(value.numpy()) for name, value in zip(self.inputs, pictures, strict=True)}
        try:
            found = self._session.run(list(outputs), feeds)
        except Exception as error:  # onnxruntime's errors share no base
            if is_out_of_memory(error):
                raise MemoryError(str(error)) from error
            height, width = pictures[0].shape[2:]
            raise ImageError(
                f"{self.name}: onnxruntime cannot compute pictures of {width}×{height} pixels ({_reason(error)}); the file "
                f"is for pictures of {self.facts.get('size')}"
            ) from error
        return [torch.from_numpy(value) for value in found]


def read_onnx(path: Path) -> OnnxNetwork:
    """Open a file that `sdsiqa export` wrote. Nothing in it is run but its operators.

    Args:
        path: The file.

    Raises:
        CheckpointError: It is missing, cannot be read, or is none.
        MissingExtraError: onnxruntime is not installed.
    """
    path = named_file(path, "file", "name a file that `sdsiqa export` wrote")
    try:
        content = read_file(path)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
    return OnnxNetwork(content, str(path))


def _session(content: bytes, name: str) -> "onnxruntime.InferenceSession":
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(f"{name}: onnxruntime is needed for ONNX files: pip install 'sdsiqa[onnx]'") from error
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()  # as many as the same network takes in PyTorch
    options.log_severity_level = 4  # what is wrong is told once, in the error
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        raise CheckpointError(
            f"{name}: is no ONNX file that onnxruntime opens, or is cut ({_reason(error)}); export the checkpoint again"
        ) from error


def _reason(error: Exception) -> str:
    """Give what onnxruntime says in a line, without its codes."""
    return in_short(" ".join(str(error).split()).rpartition(" : ")[2] or type(error).__name__)
