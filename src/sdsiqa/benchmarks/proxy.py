"""The labels of the Demo benchmark: a proxy made of a full-reference measure, gradient magnitude similarity deviation."""

import cv2
import numpy as np
from numpy.typing import NDArray

CONSTANT = 170.0
"""Keeps the ratio finite where both gradients vanish; for luma in 0 … 255 [Xue et al., TIP 2014]."""


WORST = 0.32
"""GMSD that the worst label stands for."""


def gmsd(reference: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Measure how unevenly an image keeps the gradients of its reference [Xue, Zhang, Mou and Bovik, TIP 23(2), 2014].

    Both lumas are averaged over 2×2 pixels, `i` and `i + 1` in each direction, and every second average is kept, as in the
    authors' script; with the Prewitt gradient magnitudes `a` and `b`, the similarity is `(2ab + c) / (a² + b² + c)`, and the
    measure is its standard deviation over the image. Beyond the border pictures are reflected; the script pads with zeros.

    Args:
        reference: RGB `(H, W, 3)` uint8.
        image: RGB `(H, W, 3)` uint8.

    Returns:
        0 for equal images, larger for worse ones; about 0.35 for the worst.
    """
    a, b = _gradient(reference), _gradient(image)
    similarity = (2 * a * b + CONSTANT) / (a * a + b * b + CONSTANT)
    return float(similarity.std())


def proxy(value: float) -> float:
    """Map GMSD to the label.

    Args:
        value: GMSD; 0 is a perfect image.

    Returns:
        0 (worst) … 100 (equal to its reference), falling with the square root: mild distortions differ more for the eye
        than in GMSD.
    """
    return 100 * (1 - float(np.sqrt(min(value, WORST) / WORST)))


def _gradient(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    full = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64)
    # OpenCV anchors a window of even side one place late: without the anchor it averages i − 1 and i
    halves = cv2.filter2D(full, -1, np.full((2, 2), 0.25), anchor=(0, 0), borderType=cv2.BORDER_REFLECT_101)
    luma = halves[::2, ::2]
    prewitt = np.array([[1.0, 0.0, -1.0]] * 3) / 3
    across, down = (cv2.filter2D(luma, -1, kernel, borderType=cv2.BORDER_REFLECT_101) for kernel in (prewitt, prewitt.T))
    return np.hypot(across, down)
