"""A loader process that the system kills is told as such wherever PyTorch's signal interrupts the run."""

import os
import signal
import time
from collections.abc import Callable

import pytest
from torch import arange
from torch.utils.data import DataLoader, TensorDataset

from sdsiqa.errors import SettingError, TrainingFaultError
from sdsiqa.training.explain_errors import explained


def interrupted() -> None:
    """Kill a real loader process, and work until PyTorch's handler of the signal raises in this process."""
    batches = iter(DataLoader(TensorDataset(arange(1000)), num_workers=1))
    next(batches)
    os.kill(batches._workers[0].pid, signal.SIGKILL)  # type: ignore[attr-defined]
    end = time.monotonic() + 30
    while time.monotonic() < end:
        time.sleep(0.01)


def plainly() -> None:
    interrupted()


def inside_a_library_that_wraps_errors() -> None:
    """As `inspect.getfullargspec` does, which Lightning calls at every logged figure."""
    try:
        interrupted()
    except Exception as error:
        raise TypeError("unsupported callable") from error


def while_another_error_is_handled() -> None:
    try:
        interrupted()
    except RuntimeError:
        raise KeyError("a") from None


def inside_a_check_of_ours() -> None:
    try:
        interrupted()
    except RuntimeError as error:
        raise SettingError("the model cannot be built") from error


@pytest.mark.parametrize(
    "place", [plainly, inside_a_library_that_wraps_errors, while_another_error_is_handled, inside_a_check_of_ours]
)
def test_a_killed_loader_process_is_told_wherever_its_signal_arrives(place: Callable[[], None]) -> None:
    said = r"a loader process was killed .*--shm-size.*the same command resumes"
    with pytest.raises(TrainingFaultError, match=said), explained():
        place()


def after_a_shortage_of_memory_was_dealt_with() -> None:
    try:
        raise RuntimeError("CUDA out of memory")
    except RuntimeError:
        raise KeyError("b") from None


def test_an_error_that_was_dealt_with_is_not_told_instead() -> None:
    with pytest.raises(KeyError, match="b"), explained():
        after_a_shortage_of_memory_was_dealt_with()
