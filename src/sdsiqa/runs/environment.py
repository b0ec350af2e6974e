"""The environment of a run: code, versions, machine."""

import hashlib
import importlib.metadata
import platform
import subprocess
import sys
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

    Args:
        package: Folder of the sources.
    """
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        name = file.relative_to(package)
        if name.parts[0].removesuffix(".py") in _DECISIVE:
            digest.update(f"{name.as_posix()}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


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
