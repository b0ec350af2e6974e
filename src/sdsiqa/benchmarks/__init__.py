"""Benchmarks: what their authors ship, read into one checked table. Here is the one list of them."""

from difflib import get_close_matches

from sdsiqa.benchmarks.base import Benchmark
from sdsiqa.benchmarks.bid import BID
from sdsiqa.benchmarks.csiq import CSIQ
from sdsiqa.benchmarks.demo import Demo
from sdsiqa.benchmarks.distorted import Distorted
from sdsiqa.benchmarks.flive import FLIVE
from sdsiqa.benchmarks.kadid10k import KADID10k
from sdsiqa.benchmarks.koniq10k import KonIQ10k
from sdsiqa.benchmarks.live import LIVE
from sdsiqa.benchmarks.livec import LIVEC
from sdsiqa.benchmarks.spaq import SPAQ
from sdsiqa.benchmarks.tid2013 import TID2013
from sdsiqa.errors import BenchmarkNotFoundError

BENCHMARKS: dict[str, type[Benchmark]] = {
    kind.name: kind for kind in (LIVE, CSIQ, TID2013, KADID10k, LIVEC, KonIQ10k, SPAQ, FLIVE, BID, Demo)
}
"""Benchmarks by name. `Distorted` is none of them: what it is depends on a folder of photographs."""


def by_name(name: str) -> type[Benchmark]:
    """Return a benchmark's class.

    Args:
        name: The name of its module, such as `livec`.

    Raises:
        BenchmarkNotFoundError: There is none of that name; the message has the nearest one.
    """
    if name in BENCHMARKS:
        return BENCHMARKS[name]
    near = get_close_matches(name.lower(), BENCHMARKS, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise BenchmarkNotFoundError(f"no benchmark is called {name!r}; {hint}there are {', '.join(BENCHMARKS)}")


from sdsiqa.benchmarks.published_splits import read_published_split  # noqa: E402 - it needs the list above

__all__ = [
    "BENCHMARKS",
    "BID",
    "CSIQ",
    "FLIVE",
    "LIVE",
    "LIVEC",
    "SPAQ",
    "TID2013",
    "Benchmark",
    "Demo",
    "Distorted",
    "KADID10k",
    "KonIQ10k",
    "by_name",
    "read_published_split",
]
