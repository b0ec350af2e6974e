"""`sdsiqa verify`: are a run's files what was written?"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sdsiqa.errors import RunMismatchError
from sdsiqa.manifest import NAME, Manifest


def main(args: list[str] | None = None) -> int:
    """Compare the files of runs with their checksums.

    Args:
        args: Words after `sdsiqa verify`; none takes the process's own.

    Returns:
        0 if every file is what was written, 1 if not.
    """
    parser = argparse.ArgumentParser(
        prog="sdsiqa verify", description=f"Compare the files of runs with the checksums in their {NAME}.", allow_abbrev=False
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folder, or a folder of them")
    bad = 0
    for folder in _folders(parser.parse_args(args).runs):
        manifest = Manifest(folder)
        problems = manifest.problems()
        bad += bool(problems)
        if problems:
            print(f"{folder}: {len(problems)} of {len(manifest.read())} files are not what was written")
            print("\n".join(f"  {line}" for line in problems))
        else:
            print(f"{folder}: {len(manifest.read())} files, all as they were written")
    if bad:
        print("copy these files again from where they were good, or remove the folder and run again", file=sys.stderr)
    return 1 if bad else 0


def _folders(runs: Sequence[Path]) -> list[Path]:
    """Folders with a manifest, among those given or directly below them."""
    found = []
    for run in runs:
        folders = [run] if (run / NAME).exists() else sorted(file.parent for file in run.glob(f"*/{NAME}"))
        if not folders:
            raise RunMismatchError(f"{run} has no {NAME}; name a folder that `sdsiqa fit` made, or a folder of them")
        found += folders
    return found
