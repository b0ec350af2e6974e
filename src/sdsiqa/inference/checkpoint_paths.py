"""Which checkpoint a person means: a file, the folder of a run, the newest of several, the model that ships."""

from pathlib import Path

from sdsiqa.errors import CheckpointError
from sdsiqa.files import user_path

SHIPPED = Path(__file__).parents[1] / "pretrained"
"""Where the model lies that ships with sdsiqa."""
SHIPPED_SUFFIX = ".safetensors"
"""By which such files are known."""


def named_file(path: Path, kind: str, remedy: str) -> Path:
    """Give the place of a file that a person named.

    Args:
        path: The file.
        kind: What it is, in a word.
        remedy: End of an error message.

    Raises:
        CheckpointError: There is no file.
    """
    path = user_path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is no file" if path.exists() else f"there is no such {kind}"
        raise CheckpointError(f"{path}: {what}; {remedy}")
    return path


def newest_checkpoint(runs: Path) -> Path:
    """Find the checkpoint that was chosen last among the runs of a folder; one that was only saved last, if none was chosen.

    Args:
        runs: Folder of runs.

    Raises:
        CheckpointError: There is none.
    """
    for name in ("best.ckpt", "last.ckpt"):
        found = [file for file in runs.glob(f"*/checkpoints/{name}") if file.is_file()]
        if found:
            return max(found, key=lambda file: file.stat().st_mtime)
    raise CheckpointError(f"no checkpoint in {runs}/*/checkpoints; name one with --checkpoint, or train one with `make demo`")


def checkpoint_in(path: Path) -> Path:
    """Give the checkpoint that is meant by the folder of a run; a file is taken as it is.

    Args:
        path: File, or folder of a run.

    Raises:
        CheckpointError: The folder holds none.
    """
    if not path.is_dir():
        return path
    for name in ("best.ckpt", "last.ckpt"):
        for place in (path / "checkpoints" / name, path / name):
            if place.is_file():
                return place
    raise CheckpointError(f"{path}: holds neither checkpoints/best.ckpt nor checkpoints/last.ckpt; name a run's folder or a file")


def shipped_model() -> Path:
    """Find the model that ships with sdsiqa.

    Raises:
        CheckpointError: None does.
    """
    found = sorted(SHIPPED.glob(f"*{SHIPPED_SUFFIX}"))
    if not found:
        raise CheckpointError(
            "no checkpoint is named, and this sdsiqa ships without a model; name a file or the folder of a run with "
            "--checkpoint, or --runs for the newest of your runs (in Python: sdsiqa.load(file)); `make demo` trains a small one"
        )
    return found[0]
