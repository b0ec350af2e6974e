"""The environment of a run: code, versions, machine."""

import ast
import hashlib
import importlib.metadata
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

PACKAGES = (
    "sdsiqa",
    "torch",
    "torchvision",
    "lightning",
    "timm",
    "opencv-python-headless",
    "albumentations",
    "numpy",
    "scipy",
)
"""Packages whose versions a result depends on."""


# a score can depend on these; what lists, shows, uploads or schedules is elsewhere, so that a better figure makes no result stale
_DECISIVE = ("benchmarks", "data", "images", "inference", "losses", "metrics", "models", "saliency", "training")


def surroundings() -> dict[str, Any]:
    """Describe what a run stands on: code, versions, machine."""
    name = Path(sys.argv[0]).name
    return {
        "command": ["sdsiqa" if name == "__main__.py" else name, *sys.argv[1:]],  # python -m sdsiqa is the same
        "git": _git(),
        "code_version": code_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "host": platform.node(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def code_version(package: Path = Path(__file__).parents[1]) -> str:
    """Hash the sources of sdsiqa on which a score can depend; 16 hexadecimal digits.

    Comments, docstrings and the layout of lines decide nothing and are left out.

    Args:
        package: Folder of the sources.
    """
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        name = file.relative_to(package)
        if name.parts[0].removesuffix(".py") in _DECISIVE:
            digest.update(f"{name.as_posix()}\n{_meaning(file.read_bytes())}\n".encode())
    return digest.hexdigest()[:16]


@cache
def _meaning(source: bytes) -> str:
    """Hash what Python makes of a source: its syntax tree without places, comments and strings that stand alone."""
    return hashlib.sha256(_write(ast.parse(source)).encode()).hexdigest()


def _write(node: Any) -> str:
    """Write a syntax tree, the same with every version of Python: what is empty is left out, for versions differ in it."""
    if isinstance(node, list):
        return f"[{','.join(_write(item) for item in node if not _is_docstring(item))}]"
    if isinstance(node, ast.AST):
        fields = (f"{name}={_write(value)}" for name, value in ast.iter_fields(node) if value is not None and value != [])
        return f"{type(node).__name__}({','.join(fields)})"
    return repr(node)


def _is_docstring(line: Any) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def _git() -> dict[str, Any]:
    """Say which commit of sdsiqa runs, if it runs from a checkout."""
    here = Path(__file__).parent
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True)
        status = subprocess.run(["git", "status", "--porcelain"], cwd=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"commit": commit.stdout.strip(), "dirty": bool(status.stdout.strip())}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
