"""Ranges of settings, checked by the class that takes them: one line names the setting, what was found and what is expected."""

import math
from collections.abc import Sequence


def check_counts(least: int = 1, /, **settings: int | None) -> None:
    """Refuse what is no whole number of a least size.

    Args:
        least: The smallest.
        settings: Values by name; `None` is left to the class.

    Raises:
        ValueError: One is out of range.
    """
    for name, value in settings.items():
        if value is not None and (not isinstance(value, int) or value < least):
            raise ValueError(f"{name} is {value!r}; expected a whole number, at least {least}")


def check_shares(**settings: float) -> None:
    """Refuse what is not in [0, 1), such as the share of units that a dropout leaves out.

    Args:
        settings: Values by name.

    Raises:
        ValueError: One is out of range.
    """
    for name, value in settings.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name} is {value!r}; expected a share, at least 0 and below 1")


def check_numbers(low: float, high: float = math.inf, /, **settings: float | None) -> None:
    """Refuse numbers out of a range, and those that are not finite.

    Args:
        low: The smallest.
        high: The largest.
        settings: Values by name; `None` is left to the class.

    Raises:
        ValueError: One is out of range.
    """
    most = "" if high == math.inf else f" and at most {high:g}"
    for name, value in settings.items():
        if value is not None and not (math.isfinite(value) and low <= value <= high):
            raise ValueError(f"{name} is {value!r}; expected a number, at least {low:g}{most}")


def check_positive(**settings: float | None) -> None:
    """Refuse numbers that are not above 0, and those that are not finite.

    Args:
        settings: Values by name; `None` is left to the class.

    Raises:
        ValueError: One is out of range.
    """
    for name, value in settings.items():
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value!r}; expected a number above 0")


def check_each(**settings: Sequence[float]) -> None:
    """Refuse a list of candidates that is empty or holds a number that is not above 0.

    Args:
        settings: Lists by name.

    Raises:
        ValueError: One is empty, or holds such a number.
    """
    for name, values in settings.items():
        if not values:
            raise ValueError(f"{name} is empty; expected one number or more")
        for place, value in enumerate(values):
            check_positive(**{f"{name}[{place}]": value})
