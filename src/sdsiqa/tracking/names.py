"""Names that Weights & Biases takes: what it would refuse in the middle of a start is made to fit before."""

import hashlib
import re
from collections.abc import Iterable

from sdsiqa.errors import SettingError

LONGEST = {"tag": 64, "id": 64, "job type": 64, "group": 128, "name": 128, "project": 128}
"""Letters that W&B takes, by the kind of name."""

MODES = {"online": "online", "offline": "offline", "disabled": "disabled", "run": "online", "dryrun": "offline", "auto": "auto"}
"""What `WANDB_MODE` may be, in any letter case, with the words of older versions."""


def fitting(kind: str, name: str) -> str:
    """Shorten a name that is too long; two long names stay two.

    Args:
        kind: One of `LONGEST`.
        name: The name.
    """
    longest = LONGEST[kind]
    name = "".join(letter if letter.isprintable() else " " for letter in name).strip()
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{name[: longest - 9]}-{digest}"


def tags(given: Iterable[str]) -> list[str]:
    """Leave out tags that are empty or given twice, and shorten long ones.

    Args:
        given: The tags.
    """
    return list(dict.fromkeys(tag for word in given if (tag := fitting("tag", str(word)))))


def identity(name: str) -> str:
    """Give what W&B tells a run by: letters, digits and `_ . -`, at most 64.

    Args:
        name: Group and name of the run.
    """
    return fitting("id", re.sub(r"[^A-Za-z0-9_.-]", "-", name))


def check_project(name: str) -> None:
    """Refuse the name of a project that W&B refuses.

    Args:
        name: The name.

    Raises:
        SettingError: Says why.
    """
    wrong = sorted(set(name) & set("/\\#?%:"))
    if not name.strip() or wrong or len(name) > LONGEST["project"] or not name.isprintable():
        remedy = "; a team goes into the variable WANDB_ENTITY" if "/" in wrong else ""
        raise SettingError(f"wandb.project is {name!r}; expected 1 to {LONGEST['project']} letters without / \\ # ? % :{remedy}")


def mode(word: str, place: str) -> str:
    """Read a mode of W&B.

    Args:
        word: As given.
        place: Where it was given, for the message.

    Raises:
        SettingError: There is no such mode.
    """
    known = MODES.get(word.strip().lower())
    if known is None:
        raise SettingError(f"{place} is {word!r}; expected online, offline or disabled")
    return known
