"""Content hashes of image files: the same picture is recognised under any name and in any folder."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from sdsiqa.errors import ImageError
from sdsiqa.files import read_file, write_bytes
from sdsiqa.runs.process import thread_pool

BYTES = 8
"""Length of a hash: among 40 000 images two differing ones share a hash in one of ten thousand million cases."""


def digests(root: Path, images: Iterable[str], cache: Path | None = None) -> dict[str, str]:
    """Hash the bytes of image files.

    Hashes are kept by path, size and time of change where there is a cache, so that a second run reads no file.

    Args:
        root: Folder of a benchmark.
        images: Paths below it.
        cache: Folder that keeps hashes, if it exists; `None` hashes each time.

    Returns:
        By path, the first 8 bytes of the SHA-256 of the file, as 16 hexadecimal digits.

    Raises:
        ImageError: A file cannot be read.
    """
    names = list(dict.fromkeys(images))
    home = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    kept = cache / f"files-{home}.json" if cache is not None and cache.is_dir() else None
    known, found = _read(kept), dict[str, tuple[int, int, str]]()

    def look(name: str) -> tuple[int, int, str]:
        path = root / name
        try:
            facts = path.stat()
            old = known.get(name)
            if old is not None and (old[0], old[1]) == (facts.st_size, facts.st_mtime_ns):
                return old
            return facts.st_size, facts.st_mtime_ns, hashlib.sha256(read_file(path)).hexdigest()[: 2 * BYTES]
        except OSError as error:
            raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from error

    with thread_pool(min(8, os.cpu_count() or 1)) as pool:
        found = dict(zip(names, pool.map(look, names), strict=True))
    if kept is not None and any(known.get(name) != facts for name, facts in found.items()):
        with contextlib.suppress(OSError):  # a folder that may only be read: hashed again the next time
            write_bytes(kept, json.dumps({**known, **found}).encode())
    return {name: digest for name, (_, _, digest) in found.items()}


def _read(file: Path | None) -> dict[str, tuple[int, int, str]]:
    """Read kept hashes; what is damaged is made again."""
    if file is None:
        return {}
    try:
        content = json.loads(file.read_bytes())
        return {str(name): (int(size), int(when), str(digest)) for name, (size, when, digest) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
