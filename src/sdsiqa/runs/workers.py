"""Processes that work for a verb: deaf to signals, which the verb answers, and gone when it is gone."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from sdsiqa.errors import SdsiqaError
from sdsiqa.runs import signals

T = TypeVar("T")
R = TypeVar("R")


def in_processes(
    work: Callable[[T], R],
    items: Sequence[T],
    jobs: int,
    chunk: int = 1,
    prepare: Callable[..., None] | None = None,
    given: Sequence[Any] = (),
) -> Iterator[R]:
    """Do work in processes of one thread each, and give the results in the order of the items.

    Args:
        work: What to do with each; a function that can be pickled.
        items: What to do it with.
        jobs: Number of processes.
        chunk: How many items a process takes at a time.
        prepare: Called once in each process before its work.
        given: Its arguments.

    Yields:
        Results.

    Raises:
        SdsiqaError: The system ended a process.
    """
    context = multiprocessing.get_context("spawn")  # a fork would inherit the locks of OpenCV's and torch's threads
    pool = ProcessPoolExecutor(min(jobs, len(items)), context, initializer=_begin, initargs=(prepare, tuple(given)))
    try:
        with signals.held():  # a process that is just starting would answer Ctrl-C with a traceback
            results = pool.map(work, items, chunksize=chunk)
        yield from results
    except BrokenProcessPool as error:
        raise SdsiqaError(
            f"the system has ended one of {jobs} processes, most likely for lack of memory; try --jobs {max(1, jobs // 2)}"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(prepare: Callable[..., None] | None, given: Iterable[Any]) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    import cv2

    cv2.setNumThreads(1)
    signals.ignore()
    parent = multiprocessing.parent_process()
    if parent is not None:  # a killed command cannot tell its workers, and they would wait for ever
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    if prepare is not None:
        prepare(*given)


def _follow(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
