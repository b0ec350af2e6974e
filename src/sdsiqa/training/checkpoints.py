"""How Lightning writes and reads checkpoints of a run: whole or not at all, and never as code."""

import errno
import hashlib
import io
import os
import uuid
from pathlib import Path
from typing import Any, cast

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from sdsiqa.errors import StorageError
from sdsiqa.inference.checkpoint import read_checkpoint
from sdsiqa.runs.manifest import Manifest


class WholeCheckpoints(TorchCheckpointIO):
    """Writes checkpoints beside their place and renames them; a full disk costs the new one and leaves the old one.

    Args:
        manifest: Keeps their checksums.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a checkpoint.

        Args:
            checkpoint: What Lightning collected.
            path: Where it ends up.
            storage_options: Not used.

        Raises:
            StorageError: There is no room, or no permission; says what is still good.
        """
        path = Path(path)
        part = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for left in path.parent.glob(f".{path.name}.*.part"):  # by a life that was killed while it wrote
                left.unlink()
            with part.open("wb") as file:
                counted = _Hashed(file)
                torch.save(checkpoint, cast(Any, counted))
                file.flush()
                os.fsync(file.fileno())
            self.manifest.replace(part, path, counted.sha256.hexdigest(), counted.size)
        except (OSError, RuntimeError) as error:  # torch turns some errors of the file into its own
            cause = error if isinstance(error, OSError) else error.__context__
            if not isinstance(cause, OSError):
                raise
            raise StorageError(_lost(path, cause)) from error
        finally:
            part.unlink(missing_ok=True)

    def load_checkpoint(self, path: str | Path, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint, to the CPU, whatever is asked for: files from elsewhere may carry code.

        Args:
            path: The file.
            map_location: Not used.
            weights_only: Not used: always true.

        Raises:
            CheckpointError: As `read_checkpoint`.
        """
        return read_checkpoint(Path(path))


class _Hashed(io.RawIOBase):
    """A file to write to that counts and hashes on the way, which saves reading it again."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self.file, self.sha256, self.size = file, hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        self.size += memoryview(data).nbytes
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


def _lost(path: Path, error: OSError) -> str:
    room = " make room, and" if error.errno == errno.ENOSPC else ""
    still = f"{path} is the one written before and is good;" if path.exists() else "no checkpoint was written before;"
    return f"{path} could not be written ({error.strerror}); {still}{room} the same command goes on from the last good one"
