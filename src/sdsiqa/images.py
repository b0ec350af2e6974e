"""The one reader and writer of images.

Decided here for the whole project: colours are RGB, 8 bits, in the orientation that EXIF asks for (raters saw pictures
upright); 16 bits are scaled to 8; transparency is laid over white; grey becomes RGB; of several frames the first is taken;
colour profiles are not applied. A file that a decoder would only patch up (cut off in the middle) is refused, because a grey
lower half is another image.
"""

from __future__ import annotations  # signatures show names, not what they stand for

import io
import struct
import warnings
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from sdsiqa.errors import ImageError
from sdsiqa.files import read_file, write_bytes

# of large images and odd tags, which are no damage; a context would not be safe in threads
warnings.filterwarnings("ignore", module=r"PIL\.")

# none that starts another program, as PostScript does; TGA has no mark of its own and comes last
_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "QOI", "DDS", "ICO", "PCX", "TGA")

_GREY_16 = ("I;16", "I;16L", "I;16B")
_EIGHT_BITS = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV")

# work is spread over processes and threads of ours; and a thread pool of OpenCV's that was started before a fork hangs the
# child at its first call
cv2.setNumThreads(0)
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what is wrong with a file is said by our errors

_COLOUR = cv2.IMREAD_COLOR_BGR | cv2.IMREAD_ANYDEPTH  # with IMREAD_COLOR_RGB, 16 bits of TIFF come as BGR

_OPENED = ("/dev/fd/", "/dev/stdin", "/proc/")

_PNG_EXIF = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")

PNG = b"\x89PNG"
"""How a PNG file begins."""

JPEG = b"\xff\xd8"
"""How a JPEG file begins."""

BMP = b"BM"
"""How a BMP file begins."""


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image file.

    Args:
        path: File in a format that OpenCV or Pillow decodes.

    Returns:
        RGB pixels, `(H, W, 3)` uint8 in 0 … 255.

    Raises:
        ImageError: The file is missing, empty, cut off, or no image.
    """
    try:
        if path.is_dir():
            raise ImageError(f"{path}: is a folder; expected an image file")
        # a pipe that a shell has opened, `<(command)`, has a writer; a named one or a device may never end
        data = path.read_bytes() if str(path).startswith(_OPENED) else read_file(path)
    except ImageError:
        raise
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:  # a null character in the name
        raise ImageError(f"{str(path)!r}: is no file name ({error})") from error
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
    if data[:2] == JPEG:  # OpenCV turns these itself
        image = _decode(data, cv2.IMREAD_COLOR_RGB, name)
        if image is None:
            raise ImageError(f"{name}: is not an image that OpenCV can decode, or is cut off")
        return np.asarray(image, np.uint8)
    header = open_header(data)
    if header is not None and header.mode == "LAB":  # decoders disagree about its white point
        raise ImageError(f"{name}: its colours are CIELAB; expected RGB or grey: save it so")
    key = None if header is None else _transparent_colour(data, header)
    if header is not None and (_is_odd_bmp(data) or (has_transparency(header) and key is None)):
        return from_pillow(header, name)
    turn = 1 if header is None else _turn_left_to_do(data, header)
    flags = _COLOUR if header is None else _COLOUR | cv2.IMREAD_IGNORE_ORIENTATION
    image = _decode(data, flags, name)
    if image is None and header is not None:
        return from_pillow(header, name)
    if image is None:
        raise ImageError(f"{name}: is not an image that OpenCV or Pillow can decode, or is cut off")
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    pixels = _to_8_bits(image, name)
    if key is not None:
        pixels = over_white(pixels, np.where((image == key).all(2), np.uint8(0), np.uint8(255)))
    return upright(pixels, turn)


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


def shrunk(image: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """Shrink an image by area averaging; a small one stays as it is.

    Args:
        image: RGB `(H, W, 3)` uint8.
        longest: Pixels of its long side, at most.

    Returns:
        RGB, uint8.
    """
    height, width = image.shape[:2]
    share = longest / max(height, width)
    if share >= 1:
        return image
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def coded(suffix: str, image: NDArray[np.uint8], *options: int) -> bytes:
    """Give an image as the content of a file.

    Args:
        suffix: Its format, such as `.webp`.
        image: RGB `(H, W, 3)` uint8.
        options: Of OpenCV's encoder: names and values in turn.
    """
    return bytes(cv2.imencode(suffix, np.ascontiguousarray(image[..., ::-1]), options)[1].tobytes())


def webp(image: NDArray[np.uint8], quality: int) -> bytes:
    """Give an image as the content of a WebP file.

    Args:
        image: RGB `(H, W, 3)` uint8.
        quality: 1 to 100; above 100 without loss.
    """
    return coded(".webp", image, cv2.IMWRITE_WEBP_QUALITY, quality)


def write_image(path: Path, image: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
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


def _decode(data: bytes, flags: int, name: str) -> NDArray[Any] | None:
    """Decode with OpenCV; `None` where it cannot."""
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (cv2.error, MemoryError) as error:
        if isinstance(error, MemoryError) or error.code == cv2.Error.STS_NO_MEM:
            raise ImageError(f"{name}: its pixels need more memory than there is; shrink it") from error
        if error.code == cv2.Error.STS_ASSERT:  # its limits
            raise ImageError(f"{name}: OpenCV refuses it, for its size or form ({error.err}); shrink it") from error
        return None


def _is_odd_bmp(data: bytes) -> bool:
    """Say whether a BMP file has other than 24 bits: OpenCV drops transparency and makes white grey in those of 16 bits."""
    return data[:2] == BMP and data[28:30] != b"\x18\0"


def _turn_left_to_do(data: bytes, header: Image.Image) -> int:
    """Give the orientation that OpenCV leaves to us: it turns TIFF whatever the flag."""
    if header.format == "TIFF":
        return 1
    # Pillow decodes a whole PNG file to look for EXIF behind its pixels
    if header.format == "PNG" and not any(mark in data for mark in _PNG_EXIF):
        return 1
    return orientation(header)


def _transparent_colour(data: bytes, header: Image.Image) -> NDArray[np.int64] | None:
    """Give the one colour of a grey or RGB PNG file that is transparent, in the values that OpenCV decodes."""
    key = header.info.get("transparency")
    if data[:4] != PNG or not isinstance(key, int | tuple) or header.mode in ("P", "PA"):
        return None
    bits = data[24]
    return np.atleast_1d(np.asarray(key)) * (255 // (2**bits - 1) if bits < 8 else 1)


def _to_8_bits(image: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Bring what OpenCV decoded in any depth to 8 bits."""
    if image.dtype == np.uint16:
        return np.rint(image / 257).astype(np.uint8)  # 65535 / 257 = 255
    if image.dtype != np.uint8:
        raise ImageError(f"{name}: has {image.dtype} pixels; expected 8 or 16 bits per channel")
    return np.asarray(image, np.uint8)


def open_header(data: bytes) -> Image.Image | None:
    """Open a file's bytes without decoding pixels; `None` if Pillow does not know the format.

    Args:
        data: Content of the file.
    """
    try:
        return Image.open(io.BytesIO(data), formats=_formats())
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError):
        return None


def has_transparency(image: Image.Image) -> bool:
    """Say whether some pixels may let the background through.

    Args:
        image: Opened.
    """
    return image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info


def orientation(image: Image.Image) -> int:
    """Give the EXIF orientation, 1 to 8; 1, upright, where nothing sensible is said.

    Args:
        image: Opened.
    """
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):  # a broken EXIF block
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright(pixels: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """Turn and mirror pixels as an EXIF orientation asks for.

    Args:
        pixels: `(H, W, 3)`.
        turn: The orientation, 1 to 8.
    """
    if turn >= 5:
        pixels = pixels.transpose(1, 0, 2)
    down, left = turn in (3, 4, 7, 8), turn in (2, 3, 6, 7)
    return np.ascontiguousarray(pixels[:: -1 if down else 1, :: -1 if left else 1])


def over_white(colour: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay pixels over white.

    Args:
        colour: `(H, W, 3)`.
        alpha: `(H, W)`, 255 where nothing shines through.
    """
    share = alpha[..., None].astype(np.float32) / 255
    return np.rint(colour.astype(np.float32) * share + 255 * (1 - share)).astype(np.uint8)


def from_pillow(image: Image.Image, name: str) -> NDArray[np.uint8]:
    """Give the pixels of an image that Pillow opened, by the rules of `read_image`.

    Args:
        image: Opened; its first frame is taken.
        name: What errors call it.

    Returns:
        RGB, `(H, W, 3)` uint8 in 0 … 255.

    Raises:
        ImageError: It is damaged, or has other pixels than 8 or 16 bits.
    """
    if image.mode not in (*_EIGHT_BITS, *_GREY_16):
        raise ImageError(f"{name}: has pixels of Pillow's mode {image.mode!r}; expected 8 or 16 bits per channel")
    try:
        image.load()
        turned = ImageOps.exif_transpose(image) if orientation(image) != 1 else image
        if image.mode in _GREY_16:
            return np.repeat(np.rint(np.asarray(turned) / 257).astype(np.uint8)[..., None], 3, 2)
        if has_transparency(image):
            whole = np.asarray(turned.convert("RGBA"))
            return over_white(whole[..., :3], whole[..., 3])
        return np.array(turned.convert("RGB"))
    except MemoryError as error:
        raise ImageError(f"{name}: its {image.width}×{image.height} pixels need more memory than there is") from error
    except (OSError, SyntaxError, ValueError, struct.error, EOFError) as error:
        raise ImageError(f"{name}: cannot be decoded ({error}); copy or download it again") from error


@cache
def _formats() -> list[str]:
    Image.init()  # a build of Pillow may lack some
    return [name for name in _FORMATS if name in Image.OPEN]


def is_whole(data: bytes) -> bool:
    """Say whether a JPEG, PNG or BMP file is complete; bytes after its end are no damage.

    Args:
        data: Content of the file; other formats are left to their decoders, and count as whole.
    """
    if data[:2] == JPEG:  # entropy-coded data cannot hold either marker; a thumbnail's come before the scan
        # most files end with the one, which spares the search through all of it for the other
        return data.endswith(b"\xff\xd9") or data.rfind(b"\xff\xd9") >= data.rfind(b"\xff\xda")
    if data[:4] == PNG:
        return _has_all_chunks(data)
    if data[:2] == BMP:
        return _has_all_rows(data)
    return True


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


def _has_all_rows(data: bytes) -> bool:
    """Say whether a BMP file holds every row; the size that it states of itself is wrong in sound files, too."""
    if len(data) < 34:
        return False
    start, header = struct.unpack_from("<II", data, 10)
    if header == 12:  # OS/2
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        width, height, _, bits, packing = struct.unpack_from("<iiHHI", data, 18)
        if packing not in (0, 3, 6):  # run lengths: the decoder knows where they end
            return True
    row = (width * bits + 31) // 32 * 4
    return bool(len(data) >= start + row * abs(height))
