"""Does a file score as its network does? Tried on pictures of several sizes."""

import itertools
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sdsiqa.errors import CheckpointError
from sdsiqa.inference.scorer import Scorer

NEAR = 1e-4
"""Largest difference of two scores on the scale of 0 to 1."""
TIED = 1e-6
"""Two scores of one network that are nearer have no order: sums of float32 are not exact."""
SIZES = ((97, 131), (224, 224), (32, 32), (333, 257), (50, 481), (256, 255), (161, 64), (129, 193))
"""Height and width in pixels: odd and even, upright and wide, and the smallest that is scored."""

Pixels = NDArray[np.uint8]


def largest_difference(network: Scorer, file: Scorer, any_size: bool) -> float:
    """Compare two scorers on drawn pictures: as `sdsiqa score` sees them, and whole.

    Args:
        network: Scores with the network.
        file: Scores with the file.
        any_size: Whether the file takes whole pictures of any size.

    Returns:
        The largest difference of two scores, in [0, `NEAR`].

    Raises:
        CheckpointError: Scores differ in value or in rank.
        ImageError: A score is not finite, or a picture cannot be computed.
    """
    pairs = []
    for image, saliency in drawn_pictures():
        size = f"a picture of {image.shape[1]}×{image.shape[0]} pixels"
        pair = network.score_planes(image, saliency, size), file.score_planes(image, saliency, size)
        whole = (_whole(network, image, saliency), _whole(file, image, saliency)) if any_size else pair
        for expected, found in (pair, whole):
            if not abs(expected - found) <= NEAR:
                raise CheckpointError(f"{size} gets {found:.6f}, and {expected:.6f} from the checkpoint")
        pairs += [pair, whole]
    for (one, one_there), (two, two_there) in itertools.combinations(pairs, 2):
        if abs(one - two) > TIED and (one < two) != (one_there < two_there):
            raise CheckpointError(
                f"it orders two pictures otherwise: {one_there:.7f} and {two_there:.7f} for {one:.7f} and {two:.7f}"
            )
    return max(abs(one - two) for one, two in pairs)


@torch.inference_mode()
def _whole(scorer: Scorer, image: Pixels, saliency: Pixels) -> float:
    planes = {"image": torch.from_numpy(image).permute(2, 0, 1), "saliency": torch.from_numpy(saliency)[None]}
    return float(scorer.network(*(planes[name][None].float() / 255 for name in scorer.network.inputs))[0])


def drawn_pictures() -> Iterator[tuple[Pixels, Pixels]]:
    """Draw slopes and texture, ever more blurred and noisy, with a map each.

    Yields:
        RGB `(H, W, 3)` and map `(H, W)`, both uint8.
    """
    for number, (height, width) in enumerate(SIZES):
        random = np.random.default_rng(number)
        coarse = random.uniform(0, 255, (5, 7, 4)).astype(np.float32)
        smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        texture = cv2.GaussianBlur(random.normal(0, 60, (height, width, 3)).astype(np.float32), (0, 0), 0.4 + 0.5 * (number % 4))
        image = smooth[..., :3] + texture + random.normal(0, 4 * (number // 2), texture.shape)
        yield np.clip(image, 0, 255).astype(np.uint8), np.clip(smooth[..., 3], 0, 255).astype(np.uint8)
