"""Images as people hold them: paths, arrays, tensors, images of Pillow; all become RGB pixels."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow

from sdsiqa.errors import ImageError
from sdsiqa.images import from_pillow, read_image

Image = str | os.PathLike[str] | NDArray[np.uint8] | torch.Tensor | Pillow.Image

_TAKEN = "a path, an RGB array (H, W, 3) uint8, a tensor (3, H, W), or an image of Pillow"


def as_list(images: Image | Iterable[Image]) -> list[Image]:
    """Give one image or several as a list.

    Args:
        images: One, or any iterable of them; arrays and tensors of four dimensions are several.

    Raises:
        ImageError: They are neither.
    """
    if isinstance(images, np.ndarray) and images.dtype.kind in "OU":  # paths
        return list(images.flat)
    if isinstance(images, np.ndarray | torch.Tensor):
        return list(images) if images.ndim == 4 else [images]
    if isinstance(images, str | os.PathLike | Pillow.Image):
        return [images]
    if isinstance(images, Iterable) and not isinstance(images, bytes | bytearray | memoryview | dict):
        return list(images)
    raise _refusal(images)


def name_of(image: Image) -> str:
    """Say what errors call an image.

    Args:
        image: One image.
    """
    if isinstance(image, str | os.PathLike):
        return os.fspath(image)
    if isinstance(image, Pillow.Image):
        return str(getattr(image, "filename", "") or "image of Pillow")
    return "tensor" if isinstance(image, torch.Tensor) else "array"


def rgb_of(image: Image) -> NDArray[np.uint8]:
    """Give the pixels of an image.

    Args:
        image: One image.

    Returns:
        RGB `(H, W, 3)` uint8.

    Raises:
        ImageError: It is no image, cannot be read, or has another form; says which is expected.
    """
    name = name_of(image)
    if isinstance(image, str | os.PathLike):
        return read_image(Path(image))
    if isinstance(image, Pillow.Image):
        return from_pillow(image, name)
    if isinstance(image, torch.Tensor):
        return _rgb_of_tensor(image, name)
    if not isinstance(image, np.ndarray):
        raise _refusal(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ImageError(
            f"{name}: has shape {image.shape} and type {image.dtype}; expected RGB (H, W, 3) uint8. Floats in [0, 1]: "
            "(255 * x).round().astype('uint8'); grey: numpy.repeat(x[..., None], 3, 2); OpenCV's BGR: x[..., ::-1]"
        )
    return np.ascontiguousarray(image)


def _rgb_of_tensor(image: torch.Tensor, name: str) -> NDArray[np.uint8]:
    is_float = image.dtype.is_floating_point
    if image.ndim != 3 or image.shape[0] != 3 or not (is_float or image.dtype == torch.uint8):
        raise ImageError(
            f"{name}: has shape {tuple(image.shape)} and type {image.dtype}; expected RGB (3, H, W), uint8 or floats in [0, 1]. "
            "Grey: x.repeat(3, 1, 1); (H, W, 3): x.permute(2, 0, 1)"
        )
    values = image.detach().cpu()
    if is_float:
        values = values.double()
        if values.numel() and not (values.min() >= 0 and values.max() <= 1):
            raise ImageError(
                f"{name}: has values from {float(values.min()):g} to {float(values.max()):g}; expected floats in [0, 1], before "
                "any normalisation, or uint8"
            )
        values = (255 * values).round().to(torch.uint8)
    return np.ascontiguousarray(values.permute(1, 2, 0).numpy())


def _refusal(value: Any) -> ImageError:
    hint = ""
    if isinstance(value, bytes | bytearray | memoryview):
        hint = "; the content of an image file: PIL.Image.open(io.BytesIO(x))"
    elif isinstance(value, Sequence):
        hint = "; one list of images, not a list of lists"
    return ImageError(f"got {value!r:.60} ({type(value).__name__}); expected {_TAKEN}, or several of them{hint}")
