"""The arguments of a class, read from its source: importing it may cost seconds of torch.

What the source does not settle (a decorator, `**kwargs`, a base class that is made at run time) is left open: `None`.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import docstring_parser

_DEEPEST = 8  # re-exports and base classes that are followed


def arguments(path: str) -> frozenset[str] | None:
    """Name the arguments of a class's constructor.

    Args:
        path: Module and name of the class.

    Returns:
        Their names; `None` where the source does not settle it.
    """
    return _arguments(path, 0)


class Argument(NamedTuple):
    """An argument of a constructor, as the source has it.

    Args:
        name: Its name.
        default: Its default as written; `None` for one that has to be given.
        text: First sentence that the docstring says of it.
    """

    name: str
    default: str | None
    text: str


def described(path: str) -> list[Argument]:
    """Describe the arguments of a class's constructor; nothing where the source does not settle it.

    Args:
        path: Module and name of the class.
    """
    found = _find(path, 0)
    if found is None:
        return []
    init = _function(found[1], "__init__")
    texts: dict[str, str | None] = {}
    sources: list[ast.ClassDef | ast.FunctionDef] = [found[1], *([] if init is None else [init])]
    for node in sources:
        texts |= {item.arg_name: item.description for item in docstring_parser.parse(ast.get_docstring(node) or "").params}
    if init is None:
        pairs = [(item.target.id, item.value) for item in _fields(found[1])]  # type: ignore[union-attr]
    else:
        names = [argument.arg for argument in [*init.args.args[1:], *init.args.kwonlyargs]]
        missing: list[ast.expr | None] = [None] * (len(init.args.args) - 1 - len(init.args.defaults))
        pairs = list(zip(names, [*missing, *init.args.defaults, *init.args.kw_defaults], strict=True))
    return [
        Argument(name, None if value is None else ast.unparse(value), _sentence(texts.get(name) or "")) for name, value in pairs
    ]


def _sentence(text: str) -> str:
    """Give the first sentence of a text, on one line."""
    plain = " ".join(text.split())
    return re.split(r"(?<=[.;:])\s+(?=[A-Z`D])", plain, maxsplit=1)[0]


def method_arguments(path: str, method: str) -> frozenset[str] | None:
    """Name the arguments of a method, without `self`; `None` where the source does not settle it.

    Args:
        path: Module and name of the class.
        method: Name of the method.
    """
    found = _find(path, 0)
    return None if found is None else _of_function(_function(found[1], method))


def groups(path: str) -> dict[str, str]:
    """Name the arguments of a class that are parts of one class only, whose settings stand beside each other in a file.

    Args:
        path: Module and name of the class.

    Returns:
        The class path of each such part (one marked with `typing.final`), by the argument's name.
    """
    found = _find(path, 0)
    init = None if found is None else _function(found[1], "__init__")
    if found is None or init is None:
        return {}
    parts: dict[str, str] = {}
    for argument in [*init.args.args, *init.args.kwonlyargs]:
        for node in ast.walk(argument.annotation) if argument.annotation is not None else ():
            part = _find(f"{found[0]}.{node.id}", 0) if isinstance(node, ast.Name) else None
            if part is not None and [_name(decorator) for decorator in part[1].decorator_list] == ["final"]:
                parts[argument.arg] = f"{part[0]}.{part[1].name}"
    return parts


@cache
def group_names() -> frozenset[str]:
    """Name the arguments of our networks that are parts of one class only."""
    return frozenset(name for module, node in _classes_below("sdsiqa.models") for name in groups(f"{module}.{node.name}"))


def absent(path: str) -> list[str] | None:
    """Say whether a class path certainly names nothing.

    Args:
        path: Module and name.

    Returns:
        Paths of what there is in its place, for a suggestion; `None` if there may be such a class.
    """
    place, _, name = path.rpartition(".")
    if not place or not all(part.isidentifier() for part in path.split(".")):
        return None
    tree = _tree(place)
    if tree is None:
        return [] if _spec_is_missing(place) else None
    names = set(_bound(tree))
    if place.startswith("sdsiqa.") and "__getattr__" in names:  # a package of ours, which names the classes of all its files
        names = (names - {"__getattr__"}) | {node.name for _, node in _classes_below(place)}
    if name in names or names & {"*", "__getattr__"}:
        return None
    return [f"{place}.{known}" for known in sorted(names) if known[:1].isupper()]


def _arguments(path: str, depth: int) -> frozenset[str] | None:
    found = _find(path, depth)
    if found is None:
        return None
    module, node = found
    decorators = [name for name in map(_name, node.decorator_list) if name != "final"]
    if decorators or node.keywords:
        if decorators != ["dataclass"] or node.bases:
            return None
        return frozenset(item.target.id for item in _fields(node))  # type: ignore[union-attr]
    init = _function(node, "__init__")
    if init is not None:
        return _of_function(init)
    if len(node.bases) != 1 or not isinstance(node.bases[0], ast.Name) or depth >= _DEEPEST:
        return None
    return _arguments(f"{module}.{node.bases[0].id}", depth + 1)


def _fields(node: ast.ClassDef) -> list[ast.AnnAssign]:
    """Give the fields of a dataclass."""
    return [item for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)]


@cache
def _find(path: str, depth: int) -> tuple[str, ast.ClassDef] | None:
    """Find a class's definition, through re-exports; give its module, too."""
    module, _, name = path.rpartition(".")
    tree = _tree(module) if module else None
    if tree is None or depth > _DEEPEST:
        return None
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _find(f"{_origin(module, node)}.{alias.name}", depth + 1)
    if module.startswith("sdsiqa."):
        return next((found for found in _classes_below(module) if found[1].name == name), None)
    return None


@cache
def _classes_below(package: str) -> list[tuple[str, ast.ClassDef]]:
    """List the classes of all files of a package, with their modules."""
    file = _file(package)
    if file is None or file.name != "__init__.py":
        return []
    found: list[tuple[str, ast.ClassDef]] = []
    for inner in sorted(file.parent.rglob("*.py")):
        module = ".".join([package, *inner.relative_to(file.parent).with_suffix("").parts]).removesuffix(".__init__")
        tree = _tree(module)
        found += [(module, node) for node in (tree.body if tree is not None else ()) if isinstance(node, ast.ClassDef)]
    return found


def _origin(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    file = _file(module)
    parts = module.split(".")
    keep = len(parts) - node.level + (1 if file is not None and file.name == "__init__.py" else 0)
    return ".".join([*parts[:keep], *([node.module] if node.module else [])])


def _function(node: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    return next((item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == name), None)


def _of_function(function: ast.FunctionDef | None) -> frozenset[str] | None:
    if function is None or function.args.vararg or function.args.kwarg:
        return None
    given = function.args
    return frozenset(argument.arg for argument in [*given.posonlyargs, *given.args][1:] + given.kwonlyargs)


def _name(node: ast.expr) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _bound(tree: ast.Module) -> Iterator[str]:
    """Names that a module gives a meaning to, anywhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


@cache
def _tree(module: str) -> ast.Module | None:
    file = _file(module)
    try:
        return None if file is None else ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None


def _file(module: str) -> Path | None:
    """Find a module's file; only the outermost package is looked up, for that imports nothing."""
    outer, *inner = module.split(".")
    spec = _spec(outer)
    if spec is None:
        return None
    if not spec.submodule_search_locations:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") and not inner else None
    for folder in spec.submodule_search_locations:
        place = Path(folder, *inner)
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if file.is_file():
                return file
    return None


def _spec_is_missing(module: str) -> bool:
    """Whether a module is certainly nowhere: its package is not installed, or is ours and has no such file."""
    outer = module.partition(".")[0]
    return _spec(outer) is None or outer == "sdsiqa"


def _spec(name: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a library's type
    try:
        return find_spec(name)
    except (ValueError, ImportError):
        return None
