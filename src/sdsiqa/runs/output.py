"""Names that are printed stay on their line."""

import unicodedata

_CONTROLS = ("Cc", "Cs", "Zl", "Zp")
_TURNS_LINES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # right-to-left overrides


def printable(text: str) -> str:
    r"""Escape what would break a line or a terminal: `\n`, control characters, bytes of a file name that are no UTF-8.

    Args:
        text: Such as a path.
    """
    return "".join(_escaped(sign) if unicodedata.category(sign) in _CONTROLS or sign in _TURNS_LINES else sign for sign in text)


def _escaped(sign: str) -> str:
    if "\udc80" <= sign <= "\udcff":  # how Python keeps a byte of a name
        return f"\\x{ord(sign) - 0xDC00:02x}"
    return sign.encode("unicode_escape", "surrogatepass").decode()
