"""Class attributes that a base class needs, checked when a subclass is defined and not in the middle of a run."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sdsiqa.errors import ClassDefinitionError


class Attribute(NamedTuple):
    """The rule for a class attribute.

    Args:
        is_right: Whether a value will do.
        expected: What will do, in words.
        example: How it is written.
        required: Whether every subclass has to state it.
    """

    is_right: Callable[[Any], bool]
    expected: str
    example: str
    required: bool = False


def check_attributes(kind: type, attributes: Mapping[str, Attribute]) -> None:
    """Refuse a class whose attributes are missing or wrong; all of them are named at once.

    Args:
        kind: The class.
        attributes: What its base asks for, by name.

    Raises:
        ClassDefinitionError: Some are missing or wrong.
    """
    missing = [name for name, attribute in attributes.items() if attribute.required and not hasattr(kind, name)]
    wrong = [
        f"{name} is {getattr(kind, name)!r}, expected {attribute.expected} such as {attribute.example}"
        for name, attribute in attributes.items()
        if _is_plain(kind, name) and not attribute.is_right(getattr(kind, name))
    ]
    if missing:
        example = "; ".join(f"{name} = {attributes[name].example}" for name in missing)
        wrong.insert(0, f"it lacks {', '.join(missing)}; state in the class, for example, {example}")
    if wrong:
        raise ClassDefinitionError(f"class {kind.__module__}.{kind.__qualname__}: {'; '.join(wrong)}")


def is_name(value: Any) -> bool:
    """Say whether a value is a name that files can carry.

    Args:
        value: Anything.
    """
    return isinstance(value, str) and bool(value) and all(letter.isalnum() or letter in "_-.+" for letter in value)


def is_text(value: Any) -> bool:
    """Say whether a value is a text with something in it.

    Args:
        value: Anything.
    """
    return isinstance(value, str) and bool(value.strip())


def is_texts(value: Any) -> bool:
    """Say whether a value is a tuple of texts; one text alone would be taken for its letters.

    Args:
        value: Anything.
    """
    return isinstance(value, tuple | list) and all(isinstance(item, str) for item in value)


def is_flag(value: Any) -> bool:
    """Say whether a value is true or false.

    Args:
        value: Anything.
    """
    return isinstance(value, bool)


def is_count(value: Any) -> bool:
    """Say whether a value is a positive whole number, or `None`.

    Args:
        value: Anything.
    """
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0)


def is_range(value: Any) -> bool:
    """Say whether a value is a pair of numbers, the lower one first.

    Args:
        value: Anything.
    """
    if not isinstance(value, tuple | list) or len(value) != 2:
        return False
    return all(isinstance(end, int | float) and not isinstance(end, bool) for end in value) and value[0] < value[1]


def _is_plain(kind: type, name: str) -> bool:
    """Say whether an attribute is a value; a property has one for each object."""
    value = getattr(kind, name, None)
    return hasattr(kind, name) and not hasattr(value, "__get__")
