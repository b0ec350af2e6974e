"""The one reader and writer of images.

Decided here for the whole project: colours are RGB, 8 bits, in the orientation that EXIF asks for (raters saw pictures
upright); 16 bits are scaled to 8; transparency is laid over white; grey becomes RGB. A file that a decoder would only
patch up (cut off in the middle) is refused, because a grey lower half is another image.
"""

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdsiqa.errors import ImageError
from sdsiqa.files import read_file, write_bytes

# work is spread over processes and threads of ours; and a thread pool of OpenCV's that was started before a fork hangs the
# child at its first call
cv2.setNumThreads(0)

PNG = b"\x89PNG"
"""How a PNG file begins."""

SUFFIXES = frozenset({".bmp", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".jp2"})
"""Lower-case suffixes of files that are looked for in a folder of images."""


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image file.

    Args:
        path: File in a format that OpenCV decodes.

    Returns:
        RGB pixels, `(H, W, 3)` uint8 in 0 … 255.

    Raises:
        ImageError: The file is missing, empty, cut off, or no image.
    """
    try:
        data = read_file(path)
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from error
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decode the bytes of an image file.

    Args:
        data: Content of the file.
        name: What errors call it.

    Returns:
        RGB pixels, `(H, W, 3)` uint8 in 0 … 255.

    Raises:
        ImageError: As `read_image`.
    """
    if not data:
        raise ImageError(f"{name}: the file is empty")
    if not is_whole(data):
        raise ImageError(f"{name}: the file is truncated; copy or download it again")
    buffer = np.frombuffer(data, np.uint8)
    is_png_or_tiff = data[:4] in (PNG, b"II*\x00", b"MM\x00*") or data[8:12] == b"WEBP"
    try:
        # only these formats carry transparency or 16 bits; IMREAD_UNCHANGED would ignore the EXIF orientation of others
        flag = cv2.IMREAD_UNCHANGED if is_png_or_tiff else cv2.IMREAD_COLOR_RGB
        image = cv2.imdecode(buffer, flag)
    except cv2.error as error:
        raise ImageError(f"{name}: cannot be decoded ({error.err})") from error
    if image is None:
        raise ImageError(f"{name}: is not an image that OpenCV can decode")
    return _to_rgb8(image, name) if is_png_or_tiff else np.asarray(image, np.uint8)


def is_whole(data: bytes) -> bool:
    """Say whether a JPEG, PNG or BMP file has come to its end undamaged; decoders fill a lack with grey and report success.

    Args:
        data: Content of the file; other formats are left to their decoders, and count as whole.
    """
    if data[:2] == b"\xff\xd8":  # entropy-coded data cannot hold either marker; a thumbnail's come before the scan
        # most files end with the one, which spares the search through all of it for the other
        return data.endswith(b"\xff\xd9") or data.rfind(b"\xff\xd9") >= data.rfind(b"\xff\xda")
    if data[:4] == PNG:
        return _has_all_chunks(data)
    if data[:2] == b"BM" and len(data) >= 6:
        size = int(struct.unpack_from("<I", data, 2)[0])
        return len(data) >= size
    return True


def resize_short_side(image: NDArray[np.uint8], length: int) -> NDArray[np.uint8]:
    """Resize so that the short side has a length, keeping the aspect; area averaging when shrinking.

    Args:
        image: RGB `(H, W, 3)` uint8.
        length: The short side in pixels.

    Returns:
        RGB, uint8, the smaller of its sides `length`.
    """
    short = min(image.shape[:2])
    if short == length:
        return image
    height, width = (max(length, round(side * length / short)) for side in image.shape[:2])
    how = cv2.INTER_AREA if length < short else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)


def write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write an image beside its place, then move it there: a reader never sees half a file.

    Args:
        path: Where to write; the suffix chooses the format.
        image: RGB `(H, W, 3)` or grey `(H, W)`, uint8 (or uint16 for grey PNG).

    Raises:
        ImageError: OpenCV cannot write this format.
    """
    pixels = image[..., ::-1] if image.ndim == 3 else image  # OpenCV writes BGR
    done, data = cv2.imencode(path.suffix, np.ascontiguousarray(pixels))
    if not done:
        raise ImageError(f"{path}: OpenCV cannot write {path.suffix!r} files")
    write_bytes(path, data.tobytes())


def _to_rgb8(image: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Bring what OpenCV decoded unchanged to RGB with 8 bits."""
    if image.dtype == np.uint16:
        image = np.rint(image / 257).astype(np.uint8)  # 65535 / 257 = 255
    if image.dtype != np.uint8:
        raise ImageError(f"{name}: has {image.dtype} pixels; expected 8 or 16 bits per channel")
    if image.ndim == 2:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)
    if image.shape[2] == 4:
        colour = image[..., 2::-1].astype(np.float32)
        alpha = image[..., 3:].astype(np.float32) / 255
        return np.rint(colour * alpha + 255 * (1 - alpha)).astype(np.uint8)
    if image.shape[2] != 3:
        raise ImageError(f"{name}: has {image.shape[2]} channels; expected 1, 3 or 4")
    return np.ascontiguousarray(image[..., ::-1], np.uint8)


def _has_all_chunks(data: bytes) -> bool:
    """Say whether the chunks of a PNG file reach its end mark, and those that hold pixels fit their checksums."""
    position, kind = 8, b""
    while position + 12 <= len(data) and kind != b"IEND":
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 8 + length
        kind = data[position + 4 : position + 8]
        # the others, such as a text with its name in lower case, change no pixel
        if kind[:1].isupper() and struct.pack(">I", zlib.crc32(data[position + 4 : end])) != data[end : end + 4]:
            return False
        position = end + 4
    return kind == b"IEND"
