"""`python -m tools.pretrained RUN`: make the model that ships with the package out of a run's best checkpoint."""

import argparse
from pathlib import Path

from omegaconf import OmegaConf

from sdsiqa.files import write_bytes
from sdsiqa.inference.checkpoint_paths import SHIPPED
from sdsiqa.inference.onnx_check import drawn_pictures
from sdsiqa.inference.scorer import Scorer, load
from sdsiqa.inference.shipped import card_of, to_safetensors
from sdsiqa.runs.folder import RunFolder
from sdsiqa.runs.records import read_record

FURTHEST = 0.005
"""Largest difference that half precision may make to a score, on the scale of 0 to 1."""


def main(words: list[str] | None = None) -> None:
    """Write the file, compare its scores with the checkpoint's, and leave it where they agree.

    Args:
        words: Words of the command line; `None`: use `sys.argv`.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.pretrained", description=__doc__, allow_abbrev=False)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument("--out", type=Path, default=SHIPPED / "sdsiqa-livec.safetensors", metavar="FILE", help="where it goes")
    options = parser.parse_args(words)
    run = RunFolder(options.run)
    if not run.finished or run.best is None:
        raise SystemExit(f"{options.run}: is no finished run with a checkpoint; name the folder of one")
    if options.out.suffix != ".safetensors":
        raise SystemExit(f"{options.out}: expected a name that ends in .safetensors")
    scorer = load(run.best)
    config = OmegaConf.to_container(OmegaConf.load(options.run / "config.yaml"))
    assert isinstance(config, dict)
    card = card_of(
        run.record, {str(key): value for key, value in config.items()}, read_record(options.run / "metrics.json"), scorer.recipe
    )
    part = options.out.with_name(f".{options.out.stem}.try{options.out.suffix}")
    try:
        write_bytes(part, content := to_safetensors(scorer.network.state_dict(), scorer.recipe, card))
        difference = _largest_difference(scorer, load(part))
        if not difference <= FURTHEST:
            raise SystemExit(f"half precision moves a score by {difference:.4f}, more than {FURTHEST}; nothing was written")
        part.replace(options.out)
    finally:
        part.unlink(missing_ok=True)
    print(f"wrote {options.out}: {len(content) / 2**20:.1f} MiB; half precision moves no score by more than {difference:.1e}")
    print("\n".join(f"  {name}: {value}" for name, value in card.items()))


def _largest_difference(one: Scorer, other: Scorer) -> float:
    return max(abs(one.score_planes(*planes) - other.score_planes(*planes)) for planes in drawn_pictures())


if __name__ == "__main__":
    main()
