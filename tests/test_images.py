"""The same pixels for the same picture, whatever container and depth hold it."""

import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from sdsiqa.errors import ImageError
from sdsiqa.images import decode_image, from_pillow, read_image

GRID = np.random.default_rng(0).integers(0, 256, (7, 9, 3)).astype(np.uint8)
RGB = np.asarray(cv2.resize(GRID, (96, 64), interpolation=cv2.INTER_LINEAR), np.uint8)
ALPHA = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
GREY = np.asarray(Image.fromarray(RGB).convert("L"))
OVER_WHITE = np.rint(RGB * (ALPHA[..., None] / 255) + 255.0 - ALPHA[..., None]).astype(np.uint8)

LOSSLESS = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True, "exact": True}}


def coded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def png(depth: int, kind: int, rows: NDArray[np.uint8], transparent: bytes) -> bytes:
    """Write a PNG file by hand: Pillow writes no key colour at 4 and 16 bits."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 96, 64, depth, kind, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(name, data) for name, data in ((b"IHDR", head), (b"tRNS", transparent), (b"IDAT", pixels), (b"IEND", b""))
    )


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
@pytest.mark.parametrize("form", [*LOSSLESS, "AVIF"])
def test_a_picture_stands_upright_in_every_container(form: str, mode: str) -> None:
    image = Image.fromarray(np.dstack([RGB, ALPHA])).convert(mode)
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        asked = Image.fromarray(decode_image(coded(image, form, **LOSSLESS.get(form, {"quality": 100})), "plain"))
        asked.getexif()[0x0112] = turn
        expected = np.asarray(ImageOps.exif_transpose(asked))
        options = LOSSLESS.get(form, {"quality": 100})
        data = coded(image, form, exif=exif, **options)
        assert (decode_image(data, form) == expected).all(), turn
        if mode == "RGB" and form != "AVIF":
            jpeg = decode_image(coded(image, "JPEG", exif=exif, quality=95), "jpeg")
            assert np.abs(jpeg.astype(int) - expected).mean() < 3, turn


@pytest.mark.parametrize("form", [*LOSSLESS, "JPEG2000"])
def test_transparency_is_laid_over_white_in_every_container(form: str) -> None:
    image = Image.fromarray(np.dstack([RGB, ALPHA]))
    data = coded(image, form, **LOSSLESS.get(form, {}))
    assert np.abs(decode_image(data, form).astype(int) - OVER_WHITE).max() <= 1
    grey = decode_image(coded(image.convert("LA"), form, **LOSSLESS.get(form, {})), form)
    assert np.abs(grey[..., 0] - (GREY * (ALPHA / 255) + 255.0 - ALPHA)).max() <= 1


def test_a_transparent_colour_is_white_at_every_depth() -> None:
    key, where = RGB[3, 3], (RGB[3, 3] == RGB).all(2)
    expected = np.where(where[..., None], np.uint8(255), RGB)
    assert (decode_image(coded(Image.fromarray(RGB), "PNG", transparency=tuple(map(int, key))), "rgb") == expected).all()
    wide = RGB.reshape(64, -1).astype(">u2") * 257
    assert (decode_image(png(16, 2, wide, (key.astype(">u2") * 257).tobytes()), "rgb 16") == expected).all()
    for name, values, scale, data in (
        ("8", GREY, 1, coded(Image.fromarray(GREY), "PNG", transparency=int(GREY[3, 3]))),
        ("16", GREY, 1, png(16, 0, GREY.astype(">u2") * 257, struct.pack(">H", int(GREY[3, 3]) * 257))),
        ("4", GREY >> 4, 17, png(4, 0, (GREY[:, ::2] >> 4 << 4) | (GREY[:, 1::2] >> 4), struct.pack(">H", GREY[3, 3] >> 4))),
    ):
        assert (decode_image(data, name)[..., 0] == np.where(values == values[3, 3], 255, values * scale)).all(), name
    for form in ("PNG", "GIF"):
        palette = Image.fromarray(RGB).quantize(16)
        expected = np.asarray(palette.convert("RGB")).copy()
        expected[np.asarray(palette) == 3] = 255
        assert (decode_image(coded(palette, form, transparency=3), form) == expected).all(), form


def test_bmp_files_of_every_depth_are_read() -> None:
    fives = (RGB >> 3).astype(np.uint16)
    pixels = ((fives[..., 0] << 10) | (fives[..., 1] << 5) | fives[..., 2])[::-1].astype("<u2").tobytes()
    head = b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54)
    sixteen = head + struct.pack("<IiiHHIIiiII", 40, 96, 64, 1, 16, 0, len(pixels), 0, 0, 0, 0) + pixels
    assert np.abs(decode_image(sixteen, "16").astype(float) - fives * 255 / 31).max() <= 1  # white is 255, not 248
    pixels = np.dstack([RGB[..., ::-1], ALPHA])[::-1].tobytes()
    head = b"BM" + struct.pack("<IHHI", 138 + len(pixels), 0, 0, 138)
    masks = struct.pack("<IIII4s", 0xFF0000, 0xFF00, 0xFF, 0xFF000000, b"BGRs") + bytes(64)
    version_5 = head + struct.pack("<IiiHHIIiiII", 124, 96, 64, 1, 32, 3, len(pixels), 0, 0, 0, 0) + masks + pixels
    assert np.abs(decode_image(version_5, "32").astype(int) - OVER_WHITE).max() <= 1
    for image in (Image.fromarray(GREY).convert("1"), Image.fromarray(GREY), Image.fromarray(RGB).quantize(16)):
        assert (decode_image(coded(image, "BMP"), image.mode) == np.asarray(image.convert("RGB"))).all()


def test_what_opencv_does_not_read_pillow_does_and_frames_after_the_first_are_left() -> None:
    image = Image.fromarray(RGB)
    for form in ("TGA", "PCX", "QOI"):
        assert (decode_image(coded(image, form), form) == RGB).all()
    for form in ("PNG", "WEBP", "TIFF"):
        data = coded(image, form, save_all=True, append_images=[Image.fromarray(255 - RGB)], **LOSSLESS[form])
        assert (decode_image(data, form) == RGB).all()
    cmyk = decode_image(coded(image.convert("CMYK"), "JPEG", quality=95), "cmyk")
    assert np.abs(cmyk.astype(int) - RGB).mean() < 4


def test_sixteen_bits_are_rounded_to_eight() -> None:
    values = np.arange(96 * 64, dtype=np.uint16).reshape(64, 96) * 10
    expected = np.rint(values / 257)
    for suffix in (".png", ".tif", ".jp2"):
        assert (decode_image(bytes(cv2.imencode(suffix, values)[1]), suffix)[..., 1] == expected).all()
    colours = np.dstack([values, values[::-1], values[:, ::-1]])
    for suffix in (".png", ".tif"):
        read = decode_image(bytes(cv2.imencode(suffix, colours[..., ::-1])[1]), suffix)
        assert (read == np.rint(colours / 257)).all()
    assert (from_pillow(Image.fromarray(values), "pillow")[..., 2] == expected).all()


def test_what_is_no_readable_file_is_said_in_a_sentence(tmp_path: Path) -> None:
    folder, pipe, link = tmp_path / "b.jpg", tmp_path / "pipe.jpg", tmp_path / "circle.jpg"
    folder.mkdir()
    os.mkfifo(pipe)
    link.symlink_to(link)
    real = tmp_path / "float.tif"
    Image.fromarray(GREY.astype(np.float32)).save(real)
    cut = tmp_path / "cut.tif"
    cut.write_bytes(coded(Image.fromarray(RGB), "TIFF")[:9000])
    for path, words in (
        (folder, "is a folder; expected an image file"),
        (pipe, "is a pipe or a device"),
        (Path("/dev/zero"), "is a pipe or a device"),
        (link, "cannot be read"),
        (tmp_path / "nul\0.jpg", "is no file name"),
        (real, "expected 8 or 16 bits per channel"),
        (cut, "copy or download it again"),
    ):
        with pytest.raises(ImageError, match=words):
            read_image(path)


def test_colours_that_decoders_disagree_about_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "lab.tif"
    Image.new("LAB", (8, 8), (128, 20, 40)).save(file)
    with pytest.raises(ImageError, match=r"lab\.tif: its colours are CIELAB; expected RGB or grey: save it so"):
        read_image(file)


def test_a_pipe_that_a_shell_has_opened_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, coded(Image.fromarray(RGB[:32, :32]), "PNG"))
    os.close(writing)
    try:
        assert (read_image(Path(f"/dev/fd/{reading}")) == RGB[:32, :32]).all()
    finally:
        os.close(reading)


def test_a_picture_too_large_for_memory_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    header = png(8, 2, RGB[:1], b"\0\0\0\0\0\0")
    huge = header[:16] + struct.pack(">II", 60000, 60000) + header[24:29]
    huge += struct.pack(">I", zlib.crc32(huge[12:29])) + header[33:]
    with pytest.raises(ImageError, match="huge: OpenCV refuses it, for its size"):
        decode_image(huge, "huge")

    def full(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(cv2, "imdecode", full)
    with pytest.raises(ImageError, match="more memory than there is"):
        decode_image(coded(Image.fromarray(RGB), "JPEG"), "large")
