"""What Pillow knows of an image file: orientation, transparency, and pixels that OpenCV does not read, or not fully."""

import io
import struct
import warnings
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from sdsiqa.errors import ImageError

# of large images and odd tags, which are no damage; a context would not be safe in threads
warnings.filterwarnings("ignore", module=r"PIL\.")

# none that starts another program, as PostScript does; TGA has no mark of its own and comes last
_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "QOI", "DDS", "ICO", "PCX", "TGA")

_GREY_16 = ("I;16", "I;16L", "I;16B")
_EIGHT_BITS = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")


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
