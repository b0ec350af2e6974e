"""What errors of other libraries become in a sentence of ours."""

import pytest

from sdsiqa.errors import in_short


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("two\n  lines"), "two lines"),
        (RuntimeError(), "RuntimeError"),
        (RuntimeError(" \n"), "RuntimeError"),
        ("check your connection", "check your …"),
        ("twelve words", "twelve words"),
        ("x" * 20, "x" * 12 + " …"),
    ],
)
def test_an_error_is_said_in_one_line_that_ends_at_a_word(error: object, said: str) -> None:
    assert in_short(error, 12) == said
