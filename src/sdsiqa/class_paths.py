"""Classes by their paths, those of the current folder among them."""

import inspect
import sys
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from sdsiqa.errors import ClassNotFoundError, SdsiqaError

Kind = TypeVar("Kind")


def include_current_folder() -> None:
    """Make modules of the current folder importable.

    The folder comes after everything that is installed: a `torch.py` or `random.py` that lies there replaces no package.
    """
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)


def import_class(path: str, base: type[Kind]) -> type[Kind]:
    """Import a class.

    Args:
        path: Module and name, such as `mypics.MyPics`.
        base: What it has to be a subclass of.

    Raises:
        ClassNotFoundError: There is no such module or class, it cannot be imported, or it is no such subclass.
    """
    place, _, name = path.rpartition(".")
    try:
        module = import_module(place)
    except SdsiqaError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and (place == error.name or place.startswith(f"{error.name}.")):
            raise ClassNotFoundError(
                f"{path!r}: there is no module {error.name!r}; looked in the installed packages and in {Path.cwd()}"
            ) from error
        raise ClassNotFoundError(f"{path!r}: {place} imports {error.name!r}, which is not installed") from error
    except Exception as error:  # a module of one's own may raise anything
        raise ClassNotFoundError(f"{path!r}: {place} cannot be imported ({type(error).__name__}: {error})") from error
    found = getattr(module, name, None)
    if found is None:
        near = get_close_matches(name, dir(module), n=1)
        hint = f"; did you mean {f'{place}.{near[0]}'!r}?" if near else ""
        raise ClassNotFoundError(f"{path!r}: there is no {name!r} in {place}{hint}")
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ClassNotFoundError(f"{path!r} is no subclass of {base.__module__}.{base.__qualname__}; give the path of one")
    if inspect.isabstract(found):
        methods = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
        raise ClassNotFoundError(f"{path!r} does not define {methods}, which its base class leaves open")
    return found
