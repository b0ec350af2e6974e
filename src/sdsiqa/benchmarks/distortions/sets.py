"""Sets of distortions at levels for first stages of training, as published methods generate them.

| set | where its parameters come from |
| --- | --- |
| `live` | LIVE's five types, as the Demo benchmark has them (`sdsiqa.benchmarks.distortions.live_types`) |
| `dbcnn` | the nine types of DB-CNN's pre-training [Zhang et al., TCSVT 2020, and the authors' released code] |
| `tid` | the types of TID2013 that RankIQA generates [Liu et al., ICCV 2017, supplement] |

JPEG quality, JPEG 2000 ratios and blur agree in `dbcnn` and `tid` because both follow the same levels. What a source
leaves open is said in `sdsiqa.benchmarks.distortions.other_types`, where each distortion is.
"""

from collections.abc import Mapping
from typing import Literal

from sdsiqa.benchmarks.distortions import other_types as kinds
from sdsiqa.benchmarks.distortions.live_types import DISTORTIONS, Distortion, gaussian_blur, jpeg, jpeg2000

Name = Literal["live", "dbcnn", "tid"]

_QUALITY, _RATIO = "quality", "raw size / compressed size"
_VARIANCE, _SHIFT = "variance of values in [0, 1]", "added to values in 0 … 255"
_EXPOSURE = (1.5, 3, 4.5, 6, 7.5)  # tenths of [0, 1]

DBCNN: dict[str, Distortion] = {
    "contrast": Distortion(kinds.compressed_contrast, (0.2, 0.3, 0.4, 0.45, 0.49), "what 1 % becomes; 99 % becomes 1 minus it"),
    "dither": Distortion(kinds.dither, (64, 32, 16, 8, 4), "colours"),
    "gblur": Distortion(kinds.windowed_blur, (7, 15, 39, 91, 199), "side of the kernel in pixels, 6 σ"),
    "jp2k": Distortion(jpeg2000, tuple(24 / kept for kept in (0.46, 0.16, 0.07, 0.04, 0.02)), _RATIO),
    "jpeg": Distortion(jpeg, (43, 12, 7, 4, 0), _QUALITY),
    "overexposure": Distortion(kinds.mean_shift, tuple(25.5 * step for step in _EXPOSURE), _SHIFT),
    "pink": Distortion(kinds.pink_noise, (0.3, 0.7, 1.2, 2, 4), "peak, in units of 255"),
    "underexposure": Distortion(kinds.mean_shift, tuple(-25.5 * step for step in _EXPOSURE), _SHIFT),
    "wn": Distortion(kinds.noise, tuple(2.0**power for power in (-10, -7.5, -5.5, -3.5, 0)), _VARIANCE),
}
"""DB-CNN's nine types. Its code gives over- and underexposure two of the five levels; here they have all five."""

TID: dict[str, Distortion] = {
    "blocks": Distortion(kinds.blocks, (2, 4, 8, 16), "blocks of 32×32 pixels"),
    "brighter": Distortion(kinds.mean_shift, (15, 30, 45, 60), _SHIFT),
    "chroma": Distortion(kinds.saturation, (0.4, 0, -0.4, -0.8), "factor on the colour components"),
    "chromatic": Distortion(kinds.chromatic_aberration, (2, 6, 10, 14), "shift of red in pixels; blue by half of it"),
    "colournoise": Distortion(kinds.colour_noise, (0.0140, 0.0198, 0.0343, 0.0524), _VARIANCE),
    "darker": Distortion(kinds.mean_shift, (-15, -30, -45, -60), _SHIFT),
    "denoised": Distortion(kinds.denoised, (0.001, 0.005, 0.01, 0.05), f"{_VARIANCE}, before denoising"),
    "dither": Distortion(kinds.dither, (64, 32, 16, 8), "colours"),
    "eccentric": Distortion(kinds.displaced_patches, (30, 70, 150, 300), "patches of 15×15 pixels"),
    "gblur": Distortion(gaussian_blur, (1.2, 2.5, 6.5, 15.2), "σ in pixels"),
    "hfnoise": Distortion(kinds.high_frequency_noise, (0.001, 0.005, 0.01, 0.05), f"{_VARIANCE}, before the filter"),
    "impulse": Distortion(kinds.impulse_noise, (0.005, 0.01, 0.05, 0.1), "share of values"),
    "jp2k": Distortion(jpeg2000, (52, 150, 343, 600), _RATIO),
    "jpeg": Distortion(jpeg, (43, 12, 7, 4), _QUALITY),
    "lesscontrast": Distortion(kinds.contrast, (0.85, 0.7, 0.55, 0.4), "factor"),
    "morecontrast": Distortion(kinds.contrast, (1.2, 1.4, 1.6, 1.8), "factor"),
    "multiplicative": Distortion(kinds.multiplicative_noise, (0.05, 0.09, 0.13, 0.2), "variance of the factor"),
    "quantised": Distortion(kinds.quantised, (27, 39, 55, 76), "step of values in 0 … 255"),
    "wn": Distortion(kinds.noise, (0.001, 0.005, 0.01, 0.05), _VARIANCE),
}
"""RankIQA's 17 types of TID2013; mean shift and contrast, which go both ways, are two each, so that levels are ordered."""

SETS: Mapping[Name, Mapping[str, Distortion]] = {"live": DISTORTIONS, "dbcnn": DBCNN, "tid": TID}
