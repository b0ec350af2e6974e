"""`sdsiqa app`: a page in the browser of this machine that scores the pictures dropped on it."""

import os
import secrets
import socket
import sys
import webbrowser
from importlib.util import find_spec

from sdsiqa.errors import MissingExtraError, SettingError
from sdsiqa.inference.checkpoint_paths import SHIPPED, checkpoint_in, shipped_model
from sdsiqa.runs import signals
from sdsiqa.runs.arguments import Arguments, any_path, at_least
from sdsiqa.runs.output import printable

LOOPBACK = "127.0.0.1"
"""The only address that the page is served at: no other machine reaches it."""
PORT = 8765
"""Where no other is asked for; where it is taken, a free one."""

_PACKAGES = ("starlette", "uvicorn")


def main(args: list[str] | None = None) -> int:
    """Serve the page until Ctrl-C.

    Args:
        args: Words after `sdsiqa app`; `None`: use `sys.argv`.

    Returns:
        0.
    """
    options = _parser().parse_args(args)
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise MissingExtraError(f"{' and '.join(missing)} {verb} needed for the page: pip install 'sdsiqa[app]'")
    checkpoint = checkpoint_in(options.checkpoint) if options.checkpoint else shipped_model()
    with bound(options.port) as door:
        from sdsiqa.inference.app.server import serve  # torch: only when there is something to serve
        from sdsiqa.inference.scorer import load

        scorer = load(checkpoint, options.device)
        ships = "; the model that ships with sdsiqa, since none is named" if checkpoint.parent == SHIPPED else ""
        print(f"{printable(str(checkpoint))}: scores on 0 to 100, higher is better{ships}", file=sys.stderr)
        secret = secrets.token_urlsafe(12)
        address = f"http://{LOOPBACK}:{door.getsockname()[1]}/{secret}/"
        print(f"{address} is open on this machine alone; Ctrl-C ends it", flush=True)
        if not options.no_browser and _has_screen():
            webbrowser.open(address)
        signals.answer(signals.Answer.RAISE, "ended; no picture was kept")
        serve(scorer, printable(checkpoint.name), door, secret)
    return 0


def bound(port: int | None) -> socket.socket:
    """Take a port of this machine, at its loopback address.

    Args:
        port: The port, 0 for any free one; `None`: `PORT`, or any free one where that is taken.

    Raises:
        SettingError: The port is taken, or may not be had.
    """
    for number in (PORT, 0) if port is None else (port,):
        door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((LOOPBACK, number))
            door.listen()  # two processes may bind one port, and the second is told only here
        except (OSError, OverflowError) as error:
            door.close()
            reason = getattr(error, "strerror", None) or str(error)
            if number == port or number == 0:
                raise SettingError(f"--port {number} cannot be used ({reason}); give another, or 0 for a free one") from error
        else:
            return door
    raise AssertionError("port 0 is always one of them")


def _has_screen() -> bool:
    """Say whether a browser would be seen: a text browser in this terminal is not meant."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _parser() -> Arguments:
    parser = Arguments(
        prog="sdsiqa app",
        description="Open a page that scores the pictures dropped on it. Only this machine reaches it; pictures stay in memory.",
    )
    parser.add_argument(
        "--checkpoint",
        type=any_path,
        metavar="FILE",
        help="file that `sdsiqa fit` or `sdsiqa export` wrote, or folder of a run; default: the model that ships with sdsiqa",
    )
    parser.add_argument("--device", default="cpu", help="where to compute, such as cuda (default: cpu)")
    parser.add_argument(
        "--port", type=at_least(0), metavar="N", help=f"port of the page, 0 for a free one (default: {PORT}, if it is free)"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address, and open no browser")
    return parser
