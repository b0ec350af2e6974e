"""Any saliency model in an ONNX file, described by a small file beside it."""

from __future__ import annotations  # signatures show names, not what they stand for

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from sdsiqa.errors import CheckpointError, MissingExtraError, WeightsNotFoundError
from sdsiqa.files import user_path
from sdsiqa.saliency.base import SaliencyProvider

if TYPE_CHECKING:
    import onnxruntime

Layout = Literal["NCHW", "NHWC"]
Channels = Literal["RGB", "BGR"]
Kind = Literal["probability", "logit", "log-density"]


@dataclass(frozen=True)
class Sidecar:
    """Facts about a model that its ONNX file does not hold.

    Args:
        size: Height and width of the input in pixels, if the model has a fixed one.
        multiple_of: Else: both sides are rounded to a multiple of this.
        long_side: With `multiple_of`: the longer side is brought to this many pixels first.
        layout: Order of the input's axes.
        channels: Order of the colours.
        value_range: What black and white are before `mean` and `std`: `[0, 1]`, `[0, 255]` or `[-1, 1]`.
        mean: Subtracted per channel, in the model's order of colours.
        std: Divided by per channel.
        output: Name or position of the output that is the map.
        kind: What the output holds; a logit goes through a sigmoid, a log-density through exp.

    Raises:
        ValueError: A value is not one of its choices, or two exclude each other.
    """

    size: tuple[int, int] | None = None
    multiple_of: int | None = None
    long_side: int | None = None
    layout: Layout = "NCHW"
    channels: Channels = "RGB"
    value_range: tuple[float, float] = (0.0, 1.0)
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    output: str | int = 0
    kind: Kind = "probability"

    def __post_init__(self) -> None:
        if (self.size is None) == (self.multiple_of is None):
            raise ValueError("give either `size: [height, width]` or `multiple_of: pixels`")
        for key, values in (("layout", Layout), ("channels", Channels), ("kind", Kind)):
            if getattr(self, key) not in get_args(values):
                raise ValueError(f"{key} is {getattr(self, key)!r}; choose one of {', '.join(get_args(values))}")
        lengths = {"size": 2, "value_range": 2, "mean": 3, "std": 3}
        for key, length in lengths.items():
            value = getattr(self, key)
            if value is not None and (not isinstance(value, list | tuple) or len(value) != length):
                raise ValueError(f"{key} is {value!r}; expected {length} numbers")
        if self.size is not None and self.long_side is not None:
            raise ValueError("`long_side` goes with `multiple_of`, not with `size`")

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Bring RGB `(H, W, 3)` uint8 to the model's input, a batch of one, float32."""
        if self.size is not None:
            height, width = self.size
        else:
            step, (rows, columns) = self.multiple_of or 1, image.shape[:2]
            scale = 1.0 if self.long_side is None else self.long_side / max(rows, columns)
            height, width = (max(1, round(side * scale / step)) * step for side in (rows, columns))
        shrinks = height * width < image.shape[0] * image.shape[1]
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        pixels = resized[..., ::-1] if self.channels == "BGR" else resized
        low, high = self.value_range
        scaled = (pixels / 255 * (high - low) + low - np.asarray(self.mean)) / np.asarray(self.std)
        axes = (2, 0, 1) if self.layout == "NCHW" else (0, 1, 2)
        return np.ascontiguousarray(scaled.transpose(axes)[None], np.float32)

    def finish(self, output: NDArray[np.floating]) -> NDArray[np.floating]:
        """Turn the model's output into a map `(h, w)` that grows with saliency.

        Raises:
            ValueError: The output of the model has another shape than expected.
        """
        values = np.squeeze(output).astype(np.float64)
        if output.size == max(output.shape, default=1):
            values = output.reshape(output.shape[-2:]).astype(np.float64)  # one row or column is still a map
        if values.ndim != 2:
            raise ValueError(f"the output {self.output!r} has the shape {output.shape}; expected one map")
        if self.kind == "logit":
            return np.asarray(1 / (1 + np.exp(-np.clip(values, -60, 60))))
        return np.asarray(np.exp(values - values.max())) if self.kind == "log-density" else values


class Onnx(SaliencyProvider):
    """A saliency model in an ONNX file, run by onnxruntime on the CPU.

    Needs `pip install 'sdsiqa[onnx]'` and, beside `model.onnx`, a file `model.json` (or `.yaml`) that says what the
    model eats and gives; its keys are those of `Sidecar`. For a network trained on ImageNet statistics at 352 × 352:
    `{"size": [352, 352], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "kind": "logit"}`.

    Args:
        path: The model file.
    """

    slow = True

    def __init__(self, path: Path) -> None:
        self.path = user_path(path)
        self._opened: tuple[onnxruntime.InferenceSession, Sidecar] | None = None

    def fingerprint(self) -> str:
        """Identify the maps by the content of the model file and of the file beside it."""
        self._sidecar_path()  # names what is missing
        content = self._sidecar_path().read_bytes() + super().fingerprint().encode()
        return hashlib.sha256(content).hexdigest()[:16]

    def _map(self, image: NDArray[np.uint8], name: str) -> NDArray[np.floating]:
        self._opened = session, sidecar = self._opened or self._open()
        outputs = [node.name for node in session.get_outputs()]
        try:
            output = outputs[sidecar.output] if isinstance(sidecar.output, int) else sidecar.output
            result = session.run([output], {session.get_inputs()[0].name: sidecar.prepare(image)})[0]
            return sidecar.finish(np.asarray(result))
        except Exception as error:  # onnxruntime's errors share no base, and all mean: model and sidecar do not match
            raise CheckpointError(
                f"{self.path}: the model does not run as {self._sidecar_path()} says ({error}); outputs: {outputs}"
            ) from error

    def _open(self) -> tuple[onnxruntime.InferenceSession, Sidecar]:
        """Open the model and read the file beside it."""
        sidecar = _read_sidecar(self._sidecar_path())
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("onnxruntime is needed for ONNX saliency models: pip install 'sdsiqa[onnx]'") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the same sums on every machine; loaders and --jobs work in parallel
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # as above
            raise CheckpointError(f"{self.path}: onnxruntime cannot open it ({error}); export the model again") from error
        return session, sidecar

    def _sidecar_path(self) -> Path:
        """Find the file beside the model."""
        if not self.path.is_file():
            raise WeightsNotFoundError(f"{self.path}: no such ONNX file; give the path of a saliency model")
        for suffix in (".json", ".yaml", ".yml"):
            if (beside := self.path.with_suffix(suffix)).is_file():
                return beside
        raise CheckpointError(
            f"{self.path}: nothing says what the model expects; write {self.path.with_suffix('.json').name} beside it "
            f"with the keys {', '.join(field.name for field in fields(Sidecar))}"
        )


def _read_sidecar(path: Path) -> Sidecar:
    """Read and check a JSON or YAML sidecar."""
    try:
        if path.suffix == ".json":
            values = json.loads(path.read_text(encoding="utf-8"))
        else:
            from omegaconf import OmegaConf

            values = OmegaConf.to_container(OmegaConf.load(path))
        known = [field.name for field in fields(Sidecar)]
        if not isinstance(values, dict):
            raise ValueError(f"expected a mapping with some of the keys {', '.join(known)}")
        if unknown := set(values) - set(known):
            raise ValueError(f"unknown key {min(unknown)!r}; known are {', '.join(known)}")
        return Sidecar(**values)
    except Exception as error:  # a YAML error is no ValueError, and the reader need not care which parser it was
        raise CheckpointError(f"{path}: {error}") from error
