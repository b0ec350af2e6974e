"""What a person reads when a command ends in an error, and its exit status."""

import errno
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from sdsiqa.errors import SdsiqaError, in_short

FAULT = 70
"""Exit status of a fault of sdsiqa itself: `EX_SOFTWARE` of sysexits.h."""

_OUTPUT = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EBADF}  # what a write to a stream may end in

_IS_FILE = "a file lies where a folder is expected; name another place"
_REMEDIES: dict[int | None, str] = {
    errno.EACCES: "give this user the right to it, or name another place",
    errno.EPERM: "give this user the right to it, or name another place",
    errno.EROFS: "name a place that can be written to",
    errno.ENOSPC: "make room there, or name another place",
    errno.EDQUOT: "make room there, or name another place",
    errno.ENOENT: "look whether it is there, or the folder that it is to lie in",
    errno.ENOTDIR: _IS_FILE,
    errno.EEXIST: _IS_FILE,
    errno.EISDIR: "a folder lies where a file is expected; name another place",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EMFILE: "raise the limit of open files (ulimit -n), or use fewer loader processes",
    errno.EINVAL: "name another one",
}
"""What to do about an error of the system on a file or a folder."""
_OTHER_REMEDY = "look at the disk, or name another place"


def tell(error: Exception, say: Callable[[str], object]) -> int:
    """Say what went wrong in one sentence.

    Args:
        error: What left the verb.
        say: Takes the sentence.

    Returns:
        The exit status.
    """
    if isinstance(error, SdsiqaError):  # some are an OSError, too
        say(str(error))
        return int(getattr(error, "status", 1))
    if isinstance(error, OSError) and error.filename is not None:
        say(f"{error.filename}: {error.strerror or error}; {_REMEDIES.get(error.errno, _OTHER_REMEDY)}")
        return 1
    if isinstance(error, OSError) and error.errno in _OUTPUT:
        say(f"the output could not be written ({error.strerror}); make room where it goes, and call again")
        return 1
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):  # pathlib's word for it before Python 3.13
        say(f"{str(error).partition(' from ')[2]} is a link that leads back to itself; remove it, or name another")
        return 1
    place = traceback.extract_tb(error.__traceback__)[-1]
    reason = str(error) and in_short(error, 300)
    say(
        f"an error that sdsiqa does not foresee, {type(error).__name__}{reason and f': {reason}'} "
        f"({Path(place.filename).name}, line {place.lineno}); {_kept(error)}"
    )
    return FAULT


def _kept(error: Exception) -> str:
    """Write the traceback to a file; say where, and what to do with it."""
    text = f"{sys.argv}\n" + "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix="sdsiqa-", suffix=".txt", delete=False, errors="backslashreplace"
        ) as file:
            file.write(text)
    except OSError:
        return "please report it with the command"
    return f"please report it with the command and {file.name}, which holds the traceback"
