"""`sdsiqa prefetch`: downloads weights and prepares data for runs on machines without internet."""

import os
import sys
from collections.abc import Iterator
from typing import Any

from sdsiqa.errors import SdsiqaError, in_short
from sdsiqa.runs.arguments import Arguments, file_to_read
from sdsiqa.saliency.base import SaliencyProvider


def main(args: list[str] | None = None) -> int:
    """Fetch weights of a run's backbones and saliency model, make its benchmark if it is made, fill its cache.

    Args:
        args: Words after `sdsiqa prefetch`; `None`: use `sys.argv`. What follows `--` goes to `sdsiqa fit`.
    """
    words = sys.argv[2:] if args is None else args
    cut = words.index("--") if "--" in words else len(words)
    options = _parser().parse_args(words[:cut])
    fit = [word for file in options.config for word in ("-c", str(file))] + words[cut + 1 :]
    from sdsiqa.experiments.resolve_config import build  # torch: only when there is something to fetch

    task, data = build(fit)
    for name, weights in _weights(task.network):
        print(f"{name}: {weights}")
    task.network.load_pretrained()
    _fetch(data.saliency)
    if not options.weights_only:
        data.benchmark.table()
        data.prepare_data()
        print(f"{data.benchmark.title}: {len(data.benchmark.table())} images in {data.benchmark.root}")
        if data.cache_folder is not None:
            print(f"decoded images: {data.cache_folder}")
    home = os.environ.get("HF_HOME", "~/.cache/huggingface")
    print(f"all is in place. On machines without internet: export HF_HUB_OFFLINE=1, and HF_HOME={home} if they have another home")
    return 0


def _weights(network: Any) -> Iterator[tuple[str, str]]:
    """Name each backbone and where its weights come from."""
    seen = set()
    for module in network.modules():
        name, weights = getattr(module, "name", None), getattr(module, "weights", None)
        if isinstance(name, str) and (name, weights) not in seen and hasattr(module, "load_pretrained"):
            seen.add((name, weights))
            yield name, "starts at random" if weights is None else f"from {weights}"


def _fetch(saliency: SaliencyProvider) -> None:
    """Let a provider open its model once."""
    look = getattr(saliency, "_open", None)
    if look is None:
        return
    try:
        look()
    except SdsiqaError:
        raise
    except Exception as error:  # hub clients raise many kinds
        raise SdsiqaError(f"{type(saliency).__name__}: its model could not be fetched ({in_short(error, 240)})") from error
    print(f"{type(saliency).__name__}: in place")


def _parser() -> Arguments:
    parser = Arguments(
        prog="sdsiqa prefetch",
        description="Prepare a run for a machine without internet: download the weights of backbones and of the saliency model, "
        "generate the benchmark if it is Demo, and fill the cache of decoded images.",
        epilog="What follows -- goes to `sdsiqa fit`.",
    )
    parser.add_argument("config", nargs="+", type=file_to_read, metavar="CONFIG", help="run file, and overlays")
    parser.add_argument("--weights-only", action="store_true", help="do not decode images")
    return parser
