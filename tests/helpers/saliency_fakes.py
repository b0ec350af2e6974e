"""Pictures, and models small enough to make on the way."""

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def photograph(height: int = 64, width: int = 96, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth coloured noise, `(H, W, 3)`."""
    grid = np.random.default_rng(seed).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)).reshape(height, width, 3)


def write_onnx(path: Path, **sidecar: object) -> Path:
    """Write a model whose map is the first channel of its input, and the file beside it."""
    from onnx import TensorProto, helper, save

    free = [1, 3, "h", "w"]
    source = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, free)
    first = helper.make_tensor_value_info("first", TensorProto.FLOAT, [1, 1, "h", "w"])
    both = helper.make_tensor_value_info("both", TensorProto.FLOAT, free)
    bounds = [helper.make_tensor(n, TensorProto.INT64, [1], [v]) for n, v in (("start", 0), ("end", 1), ("axis", 1))]
    nodes = [
        helper.make_node("Slice", ["pixels", "start", "end", "axis"], ["first"]),
        helper.make_node("Identity", ["pixels"], ["both"]),
    ]
    graph = helper.make_graph(nodes, "tiny", [source], [both, first], bounds)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    path.with_suffix(".json").write_text(json.dumps({"multiple_of": 1, "output": "first"} | sidecar))
    return path


def write_vit(path: Path) -> Path:
    """Write random weights of timm's smallest transformer, `test_vit`."""
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(5)
    save_file(timm.create_model("test_vit", num_classes=0).state_dict(), path)
    return path
