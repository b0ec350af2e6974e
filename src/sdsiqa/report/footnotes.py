"""Footnotes of tables: marks in cells, and their texts."""

from string import ascii_lowercase


class Marks:
    """Letters in square brackets, one per reason; the same reason gets the same letter."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def add(self, reason: str) -> str:
        """Give the mark of a reason; an empty reason has none.

        Args:
            reason: Why a number is not what it seems.
        """
        if not reason:
            return ""
        place = len(self._reasons)
        letters = ascii_lowercase[place % 26] * (place // 26 + 1)
        return f" [{self._reasons.setdefault(reason, letters)}]"

    @property
    def notes(self) -> list[str]:
        """The reasons, each behind its mark."""
        return [f"[{letter}] {reason}" for reason, letter in self._reasons.items()]
