"""Self-attention of a vision transformer that was trained without labels."""

import pickle  # noqa: TID251 - only the name of its error; nothing is unpickled
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sdsiqa.errors import CheckpointError, WeightsNotFoundError
from sdsiqa.files import user_path
from sdsiqa.runs.ranges import check_counts
from sdsiqa.saliency.base import SaliencyProvider

if TYPE_CHECKING:
    from torch import Tensor, nn


class Dino(SaliencyProvider):
    """Attention of the class token of a DINO transformer [Caron et al., ICCV 2021].

    Attention of the class token to every patch in the last block, mean over heads. Runs on the CPU. Weights come from a
    file, or over the network if that is asked for, never by themselves.

    Args:
        name: A plain vision transformer of timm with a class token: `vit_small_patch16_224.dino`,
            `vit_small_patch14_reg4_dinov2.lvd142m`, ...
        weights: File with the weights (safetensors, or a state dict without code).
        pretrained: `timm` fetches the weights that timm knows for `name`; not together with `weights`.
        long_side: Longer side in pixels at which the network sees the image; both sides are then rounded to whole
            patches.

    Raises:
        ValueError: `weights` and `pretrained` are both given, or `long_side` is not positive.
    """

    slow = True

    def __init__(
        self,
        name: str = "vit_small_patch16_224.dino",
        weights: Path | None = None,
        pretrained: Literal["timm"] | None = None,
        long_side: int = 480,
    ) -> None:
        if weights is not None and pretrained is not None:
            raise ValueError(f"got weights={str(weights)!r} and pretrained={pretrained!r}; give one of them")
        check_counts(long_side=long_side)
        self.name = name
        self.weights = None if weights is None else user_path(weights)
        self.pretrained: Literal["timm"] | None = pretrained
        self.long_side = long_side
        self._model: Any = None
        self._lock = threading.Lock()

    def _map(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
        with self._lock:  # threads that decode together share the model, and the hook would see each other's images
            if self._model is None:
                self._model = self._open()
            return self._attention(self._model, image)

    def _attention(self, model: Any, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Attention of the class token, `(rows, columns)` of patches, for RGB `(H, W, 3)` uint8."""
        import torch
        from torch.nn import functional

        patch = model.patch_embed.patch_size
        scale = self.long_side / max(image.shape[:2])
        rows, columns = (max(1, round(n * scale / p)) for n, p in zip(image.shape[:2], patch, strict=True))
        with torch.inference_mode():
            pixels = torch.tensor(image).permute(2, 0, 1)[None].float() / 255
            size = [rows * patch[0], columns * patch[1]]
            pixels = functional.interpolate(pixels, size=size, mode="bilinear", antialias=True, align_corners=False)
            mean, std = (torch.tensor(model.pretrained_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
            attention = _last_attention(model, (pixels - mean) / std)
        looks = attention[0, :, 0, model.num_prefix_tokens :].mean(dim=0).reshape(rows, columns)
        return np.asarray(looks.numpy(), np.float32)

    def _open(self) -> "nn.Module":
        """Build the transformer and load its weights."""
        if self.weights is None and self.pretrained is None:
            raise WeightsNotFoundError(
                f"no weights for {self.name!r}: give a file as `weights`, or `pretrained: timm` to fetch them"
            )
        if self.weights is not None and not self.weights.is_file():
            raise WeightsNotFoundError(f"{self.weights}: no such file; it should hold the weights of {self.name!r}")
        import timm

        overlay = None if self.weights is None else {"file": str(self.weights)}
        try:
            model: nn.Module = timm.create_model(
                self.name, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=0, dynamic_img_size=True
            )
        except (RuntimeError, TypeError, ValueError, KeyError, pickle.UnpicklingError) as error:
            # timm reports unknown names, other architectures and other networks' weights as any of these, and torch code
            # in a file of weights as the last one
            raise CheckpointError(f"{self.weights or self.name}: timm cannot build {self.name!r} ({error})") from error
        if not getattr(model, "has_class_token", False):
            raise CheckpointError(f"{self.name!r} has no class token; choose a DINO transformer such as the default")
        return model.eval().requires_grad_(requires_grad=False)


def _last_attention(model: Any, pixels: "Tensor") -> "Tensor":
    """Attention `(1, heads, N, N)` of the last block, rows summing to 1, for normalised pixels `(1, 3, h, w)`."""
    seen: list[Tensor] = []
    attention = model.blocks[-1].attn
    attention.fused_attn = False  # the fused kernel never forms the matrix
    hook = attention.attn_drop.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    try:
        model.forward_features(pixels)
    finally:
        hook.remove()
    return seen[0]
