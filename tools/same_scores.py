"""Do two versions of the code give the same scores, byte for byte? Short runs of several kinds, and a comparison of their tables.

    python -m tools.same_scores make FOLDER     run every case with the code at hand; a finished case is not run again
    python -m tools.same_scores compare OLD NEW

LIVEC is looked for in `SDSIQA_DATA`, ImageNet weights of MobileNetV2 (TensorFlow's padding) in `SDSIQA_WEIGHTS`. Scores are
equal on one kind of processor with one number of threads alone, so both folders must come from the same machine.
"""

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path

DEMO = ["-c", "configs/demo.yaml"]
SHORT = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "20", "--data.crop", "96"]
BODY = ["-c", "configs/overlay/mobilenetv2.yaml"]
# what the Demo's small network said of every method in the scores that are compared with
SMALL = ["--model.channels_last", "true"]
LIVEC = ["-c", "configs/base.yaml", "--data", "configs/data/livec.yaml"]
CPU = ["-c", "configs/overlay/cpu.yaml", "-c", "configs/overlay/cpu_sdsiqa.yaml"]
CASES = {
    "sdsiqa": [*DEMO, "--trainer.max_epochs", "2"],
    "cnniqa": [*DEMO, "--model", "configs/model/cnniqa.yaml", *SMALL, *SHORT],
    "hyperiqa": [*DEMO, "--model", "configs/model/hyperiqa.yaml", *BODY, *SMALL, *SHORT],
    "dbcnn": [*DEMO, "--model", "configs/model/dbcnn.yaml", *BODY, *SMALL, *SHORT],
    "psnr": [*DEMO, "--model", "configs/model/psnr.yaml", *SMALL],
    "ssim": [*DEMO, "--model", "configs/model/ssim.yaml", *SMALL],
    "bliinds2": [*DEMO, "--model", "configs/model/bliinds2.yaml", *SMALL],
    "ridge-livec": [*LIVEC, *CPU, "--trainer.max_epochs", "0"],
}
"""Words after `sdsiqa fit`, by case: from scratch, from ImageNet, in two stages, without training, in closed form."""
FIRST = {
    "dbcnn": [*DEMO, *SHORT, "-c", "configs/overlay/dbcnn_first.yaml", "-c", "configs/overlay/first_short.yaml"],
}
"""Words of the run whose weights a case starts from (`model.init_from`)."""


def make(folder: Path) -> int:
    """Run every case that `folder` has no scores of; give the number of cases that failed."""
    failed = 0
    for name, words in CASES.items():
        if list((folder / name).glob("scores/*.csv")):
            continue
        first = f"{name}-first"
        if name in FIRST:
            if not _fit(folder, first, FIRST[name]):
                failed += 1
                continue
            words = [*words, "--model.init_from", str(folder / first)]
        failed += not _fit(folder, name, words)
    return failed


def _fit(folder: Path, name: str, words: list[str]) -> bool:
    """Run `sdsiqa fit` in a folder of its own; say whether it came to its end."""
    command = [sys.executable, "-m", "sdsiqa", "fit", *words, "--run.folder", str(folder / name), "--run.name", name]
    print(f"{name}: {' '.join(command[3:])}", flush=True)
    environment = {**os.environ, "WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1"}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.log").open("w") as log:
        status = subprocess.run(command, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
    if status:
        print(f"  ended with {status}; see {folder / name}.log")
    return status == 0


def compare(old: Path, new: Path) -> int:
    """Print for every score table of `old` whether `new` has the same bytes; give the number of those that differ."""
    tables = sorted(path.relative_to(old) for path in old.glob("*/scores/*.csv"))
    differ = 0
    for table in tables:
        first, second = old / table, new / table
        verdict = "missing" if not second.exists() else "same" if first.read_bytes() == second.read_bytes() else "DIFFERS"
        differ += verdict != "same"
        print(f"{verdict:8} {hashlib.sha256(first.read_bytes()).hexdigest()[:12]} {table}")
    print(f"{len(tables) - differ} of {len(tables)} score tables have the same bytes")
    return differ + (not tables)


def main() -> int:
    """Run or compare; the status is 1 where a case failed or differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0], allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("make").add_argument("folder", type=Path)
    comparison = verbs.add_parser("compare")
    comparison.add_argument("old", type=Path)
    comparison.add_argument("new", type=Path)
    options = parser.parse_args()
    return int(bool(make(options.folder) if options.verb == "make" else compare(options.old, options.new)))


if __name__ == "__main__":
    sys.exit(main())
