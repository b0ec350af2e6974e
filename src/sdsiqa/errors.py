"""Every error that `sdsiqa` raises for a person to read.

```text
SdsiqaError
├── BenchmarkNotFoundError  (FileNotFoundError)  what was looked for, where, and the address to get it from
├── BenchmarkMismatchError  (ValueError)         which row, found what, expected what
├── SplitLeakError          (ValueError)         which content is on both sides
├── ImageError              (ValueError)         which file, and why it cannot be used
├── MapNotFoundError        (FileNotFoundError)  which saliency map, and the command that makes it
├── RunMismatchError        (ValueError)         which setting differs from the run folder's, and the way out
├── ExperimentError         (ValueError)         which key of which experiment, and what it may be
├── CheckpointError         (ValueError)         which file, what is wrong with it, and the way out
├── WeightsNotFoundError    (FileNotFoundError)  which file, and the command that makes it
├── StorageError            (OSError)            which file could not be written, why, and what is still good
├── TrainingFaultError      (RuntimeError)       which step failed, of what, and what is still good
├── LaunchError             (ValueError)         what of a job's description is wrong, or what SLURM refused
├── StoppedError                                 a signal asked to stop; the run is saved, the same command resumes it
├── SettingError            (ValueError)         which key of which file and line names nothing, and the nearest name
├── ClassDefinitionError    (TypeError)          which attributes of a class are missing or wrong, and an example of each
├── ClassNotFoundError      (LookupError)        which class path names nothing, and the nearest name
└── MissingExtraError       (ImportError)        which optional package, and the install line
```
"""

from collections.abc import Iterator


class SdsiqaError(Exception):
    """Base of all errors whose message is meant for the user."""


class BenchmarkNotFoundError(SdsiqaError, FileNotFoundError):
    """A benchmark's folder or label file is not where it was looked for."""


class BenchmarkMismatchError(SdsiqaError, ValueError):
    """A benchmark's content is not what its authors ship."""


class SplitLeakError(SdsiqaError, ValueError):
    """A content stands on two sides of a split, or a part is empty."""


class ImageError(SdsiqaError, ValueError):
    """A file is no image that can be scored."""


class MapNotFoundError(SdsiqaError, FileNotFoundError):
    """A stored saliency map is missing."""


class RunMismatchError(SdsiqaError, ValueError):
    """A run folder belongs to another configuration or to other data."""


class ExperimentError(SdsiqaError, ValueError):
    """A file of an experiment does not say what it has to, or its cells cannot be run."""


class CheckpointError(SdsiqaError, ValueError):
    """A checkpoint cannot be used."""


class WeightsNotFoundError(SdsiqaError, FileNotFoundError):
    """A file of pretrained weights is missing."""


class StorageError(SdsiqaError, OSError):
    """A file that matters could not be written."""


class TrainingFaultError(SdsiqaError, RuntimeError):
    """A training step failed: a NaN loss, no memory left, a device that does not answer."""


class LaunchError(SdsiqaError, ValueError):
    """A job cannot be described or submitted."""


class ClassDefinitionError(SdsiqaError, TypeError):
    """A class does not state what its base class asks for."""


class ClassNotFoundError(SdsiqaError, LookupError):
    """A class path names no class of the kind that is asked for."""

    status = 2


class SettingError(SdsiqaError, ValueError):
    """A setting is wrong usage: its name is not known, or its file is none."""

    status = 2


class StoppedError(SdsiqaError):
    """A signal asked the run to stop; it is saved, and the same command resumes it.

    Args:
        message: What a person reads.
        status: Exit status that says which signal it was.
    """

    def __init__(self, message: str, status: int = 75) -> None:
        super().__init__(message)
        self.status = status


class MissingExtraError(SdsiqaError, ImportError):
    """An optional package is needed and not installed."""


def in_short(error: object, longest: int = 160) -> str:
    """Say in a part of a sentence what an error of another library says.

    Args:
        error: The error, or its text.
        longest: Characters, beyond which words are left out.

    Returns:
        One line; the error's type where it says nothing.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= longest else f"{text[:longest].rpartition(' ')[0] or text[:longest]} …"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Go from an error to what it was raised from, or in the handling of, and so on.

    Args:
        error: The error, which comes first.
    """
    seen = list[BaseException]()
    while error is not None and error not in seen:
        yield error
        seen.append(error)
        error = error.__cause__ or error.__context__
