"""`sdsiqa verify`: are a run's files what was written?"""

import sys
from collections.abc import Sequence
from pathlib import Path

from sdsiqa.errors import RunMismatchError
from sdsiqa.runs.arguments import Arguments
from sdsiqa.runs.found import LeftOut, check_paths, run_folders
from sdsiqa.runs.manifest import NAME, Manifest


def main(args: list[str] | None = None) -> int:
    """Compare the files of runs with their checksums.

    Args:
        args: Words after `sdsiqa verify`; none takes the process's own.

    Returns:
        0 if every file is what was written, 1 if not.
    """
    parser = Arguments(prog="sdsiqa verify", description=f"Compare the files of runs with the checksums in their {NAME}.")
    parser.add_finished()
    bad = 0
    for folder in _folders(parser.parse_args(args).runs):
        manifest = Manifest(folder)
        try:
            problems = manifest.problems()
        except RunMismatchError as error:  # of this folder alone: the others are still looked at
            bad += 1
            print(f"{folder}: {error}")
            continue
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
    """Folders with a manifest, among those given or one or two levels below them; finished or not."""
    check_paths(runs)
    found: dict[Path, None] = {}
    left_out = LeftOut("verify")
    for run in runs:
        folders = [run] if (run / NAME).exists() else run_folders(run)
        for folder in folders or [run]:
            if (folder / NAME).exists():
                found[folder] = None
            else:
                left_out.add(folder, f"has no {NAME}")
    left_out.tell(bool(found), "name a folder that `sdsiqa fit` made, or a folder of them")
    return list(found)
