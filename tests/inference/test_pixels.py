"""A scorer takes images as people hold them, and says what it expects of others."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes import scene
from PIL import Image

from sdsiqa.errors import ImageError
from sdsiqa.images import write_image
from sdsiqa.inference.scorer import Scorer

pytestmark = pytest.mark.filterwarnings("default")


def test_one_picture_has_one_score_in_every_form(scorer: Scorer, tmp_path: Path) -> None:
    pixels = scene(1, 64, 48)
    file = tmp_path / "one.png"
    write_image(file, pixels)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    forms: list[Any] = [str(file), file, pixels, Image.fromarray(pixels), Image.open(file), tensor, tensor / 255]
    forms += [
        (tensor / 255).double().requires_grad_(),
        pixels[:, ::-1][:, ::-1],
        Image.fromarray(np.dstack([pixels, pixels[..., 0] | 255])),
    ]
    expected = scorer(file)[0]
    assert [scorer(form)[0] for form in forms] == [expected] * len(forms)
    assert scorer(forms).tolist() == [expected] * len(forms)
    several: list[Any] = [
        np.stack([pixels, pixels]),
        torch.stack([tensor, tensor]),
        iter([file, file]),
        np.array([str(file)] * 2),
    ]
    assert [scorer(some).tolist() for some in several] == [[expected] * 2] * 4
    assert scorer([]).shape == (0,)
    turned = Image.fromarray(np.rot90(pixels).copy())
    turned.getexif()[0x0112] = 6
    assert scorer(turned)[0] == expected


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (None, "got None .NoneType.; expected a path, an RGB array"),
        (7, "got 7 .int."),
        ({"a": 1}, "expected a path"),
        (b"\x89PNG", r"the content of an image file: PIL\.Image\.open"),
        ([None], "got None"),
        ([["a.png"]], "not a list of lists"),
        (torch.zeros(1, 40, 40), r"expected RGB \(3, H, W\)"),
        (torch.zeros(40, 40, 3), "permute"),
        (torch.zeros(3, 40, 40, dtype=torch.int64), "uint8 or floats"),
        (torch.full((3, 40, 40), -2.1), "before any normalisation"),
        (torch.full((3, 40, 40), float("nan")), r"expected floats in \[0, 1\]"),
        (Image.new("F", (40, 40)), "expected 8 or 16 bits"),
        (Image.new("RGB", (8, 8)), "is 8×8 pixels; expected 32"),
        (Path("nul\0.png"), "is no file name"),
    ],
)
def test_what_is_no_image_is_refused_in_a_sentence(scorer: Scorer, image: Any, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        scorer(image)


def test_a_damaged_image_of_pillow_is_named(scorer: Scorer, tmp_path: Path) -> None:
    file = tmp_path / "cut.png"
    write_image(file, scene(1, 64, 48))
    file.write_bytes(file.read_bytes()[:2000])
    with Image.open(file) as image, pytest.raises(ImageError, match=r"cut\.png: cannot be decoded"):
        scorer(image)
