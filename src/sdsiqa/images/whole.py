"""Whether an image file has come to its end undamaged: decoders fill what is missing with grey and report success."""

import struct
import zlib

PNG = b"\x89PNG"
"""How a PNG file begins."""

JPEG = b"\xff\xd8"
"""How a JPEG file begins."""

BMP = b"BM"
"""How a BMP file begins."""


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
