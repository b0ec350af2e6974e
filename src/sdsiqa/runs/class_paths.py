"""Classes by their paths, or by a data file that names them; modules of the current folder included."""

import inspect
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from sdsiqa.errors import ClassNotFoundError, SdsiqaError, SettingError, in_short
from sdsiqa.runs.fingerprint import short_paths
from sdsiqa.runs.variables import read_empty_as_unset

Kind = TypeVar("Kind")


def include_current_folder() -> None:
    """Make modules of the current folder importable.

    The folder comes after everything that is installed: a `torch.py` or `random.py` that lies there replaces no package.

    Raises:
        SettingError: There is no current folder.
    """
    try:
        here = str(Path.cwd())
    except OSError as error:
        raise SettingError("the current folder is gone; change to one that is there, and call again") from error
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)


def class_name(path: str) -> str:
    """Give the name of a class without its modules.

    Args:
        path: Such as `sdsiqa.models.DBCNN`.
    """
    return path.rpartition(".")[2]


def import_class(path: str, base: type[Kind]) -> type[Kind]:
    """Import a class.

    Args:
        path: Module and name, such as `mypics.MyPics`.
        base: What it has to be a subclass of.

    Raises:
        ClassNotFoundError: There is no such module or class, it cannot be imported, or it is no such subclass.
    """
    place, _, name = path.rpartition(".")
    if not all(part.isidentifier() for part in path.split(".")):
        raise ClassNotFoundError(f"{path!r} is no path of a class; expected one such as mypackage.MyClass")
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
        wanted = short_paths(f"{base.__module__}.{base.__qualname__}")
        raise ClassNotFoundError(f"{path!r} is no subclass of {wanted}; give the path of one")
    if inspect.isabstract(found):
        methods = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
        raise ClassNotFoundError(f"{path!r} does not define {methods}, which its base class leaves open")
    return found


def benchmark_name(data: Mapping[str, Any]) -> str:
    """Name the benchmark of a data section, as score tables do.

    Args:
        data: Plain values.

    Returns:
        The name that the section gives, or that of the class; where there is no such class any more, its own in lower case.
    """
    benchmark = data["benchmark"]
    given = (benchmark.get("init_args") or {}).get("name")  # a class for pictures of one's own takes a name for each
    if given:
        return str(given)
    path = str(benchmark["class_path"])
    try:
        kind = import_class(path, object)
    except ClassNotFoundError:
        kind = object
    return str(getattr(kind, "name", class_name(path).lower()))


def part_of_file(file: Path, part: str) -> dict[str, Any]:
    """Read which class a data file names for a part, and its arguments.

    Args:
        file: A file as in `configs/data`, or one of a run, which holds the same under `data`.
        part: `benchmark` or `saliency`.

    Raises:
        SettingError: The file is not there, is no YAML, or does not say so.
    """
    from omegaconf import OmegaConf  # here, for every verb imports this module at its start
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    read_empty_as_unset()
    if not file.is_file():
        raise SettingError(f"{file} does not exist; give a data file, as in configs/data")
    try:
        content: Any = OmegaConf.load(file)
        data = content.get("data", content)
        if isinstance(data, str):  # a run file that points at a data file
            return part_of_file(file.parent / data, part)
        found: Any = OmegaConf.to_container(OmegaConf.create({"part": data.get(part)}), resolve=True)["part"]  # type: ignore[index, call-overload]
    except (YAMLError, OmegaConfBaseException, AttributeError, OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{file}: cannot be read as a data file ({in_short(error)})") from error
    found = {"class_path": found} if isinstance(found, str) else found
    if not isinstance(found, dict) or "class_path" not in found:
        raise SettingError(f"{file} does not say which {part}; expected {part}: {{class_path: ..., init_args: ...}}")
    return {str(key): value for key, value in found.items()}
