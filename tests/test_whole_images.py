"""One check that a picture file is whole, for every reader."""

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import write_fake

from sdsiqa.benchmarks import LIVEC
from sdsiqa.benchmarks.check import inspect
from sdsiqa.errors import BenchmarkMismatchError, ImageError
from sdsiqa.images import is_whole, read_image
from sdsiqa.saliency.cache import _read_png
from sdsiqa.saliency.stored import read_map

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)


def encoded(suffix: str) -> bytes:
    return bytes(cv2.imencode(suffix, PIXELS)[1])


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_a_file_is_whole_up_to_its_last_byte_and_with_what_others_append(suffix: str, tmp_path: Path) -> None:
    data = encoded(suffix)
    assert is_whole(data)
    assert is_whole(data + b"appended by a camera")
    file = tmp_path / f"cut{suffix}"
    for end in (len(data) // 2, len(data) - 1):
        assert not is_whole(data[:end])
        file.write_bytes(data[:end])
        with pytest.raises(ImageError, match="truncated"):
            read_image(file)


@pytest.mark.parametrize("stated", [2, -2, 1 << 20, None])
def test_a_bmp_file_is_whole_whatever_size_it_states(stated: int | None, tmp_path: Path) -> None:
    data = encoded(".bmp")
    size = 0 if stated is None else len(data) + stated
    file = tmp_path / "stated.bmp"
    file.write_bytes(data[:2] + struct.pack("<I", size) + data[6:])
    assert (read_image(file)[..., 0] == PIXELS).all()
    file.write_bytes(data[:2] + struct.pack("<I", size) + data[6:-60])
    with pytest.raises(ImageError, match="truncated"):
        read_image(file)


def test_a_damaged_png_is_not_whole_for_any_reader_and_one_with_another_text_is(tmp_path: Path) -> None:
    data, file = encoded(".png"), tmp_path / "map.png"
    middle = data.index(b"IDAT") + 200
    file.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    with pytest.raises(ImageError, match="truncated"):
        read_image(file)
    with pytest.raises(ImageError, match="no readable PNG"):
        read_map(file)
    assert _read_png(file) is None
    text = b"tEXtComment\0edited"
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text) ^ 1)  # its checksum was not renewed
    file.write_bytes(data[:-12] + chunk + data[-12:])
    assert (read_image(file)[..., 0] == PIXELS).all()
    assert read_map(file) * 255 == pytest.approx(PIXELS.astype(float))
    assert (_read_png(file) == PIXELS).all()


def test_a_pipe_or_a_device_is_refused_and_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "endless.png").symlink_to("/dev/zero")
    for name in ("pipe.png", "endless.png"):
        with pytest.raises(ImageError, match=rf"{name}: cannot be read \(is a pipe or a device; expected a file\)"):
            read_image(tmp_path / name)
        assert f"{name}: cannot be decoded (is a pipe or a device; expected a file)" in inspect(tmp_path, name).error
    with pytest.raises(OSError, match="is a pipe or a device"):
        read_map(tmp_path / "pipe.png")
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    label = write_fake("livec", tmp_path / "livec") / "ChallengeDB_release" / "Data" / "AllMOS_release.mat"
    label.unlink()
    os.mkfifo(label)
    with pytest.raises(BenchmarkMismatchError, match=r"AllMOS_release\.mat is no file; take the authors' release"):
        LIVEC(tmp_path / "livec").labels()
