"""The one reader and writer of images, and the one search for them in folders."""

from sdsiqa.images.pillow import from_pillow
from sdsiqa.images.reader import decode_image, read_image, resize_short_side, write_image
from sdsiqa.images.search import DRAWN_BY, MAP_SETTINGS, SUFFIXES, find_images
from sdsiqa.images.whole import PNG, is_whole

__all__ = [
    "DRAWN_BY",
    "MAP_SETTINGS",
    "PNG",
    "SUFFIXES",
    "decode_image",
    "find_images",
    "from_pillow",
    "is_whole",
    "read_image",
    "resize_short_side",
    "write_image",
]
