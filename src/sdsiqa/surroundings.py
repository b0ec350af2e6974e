"""What a run stands on: code, versions, machine."""

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


def surroundings() -> dict[str, Any]:
    """Describe what a run stands on: code, versions, machine."""
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "git": _git(),
        "versions": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "host": platform.node(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


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
