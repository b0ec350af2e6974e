"""What each process of a test does: several commands one after the other, for starting Python takes longer than they do.

torchrun --nproc-per-node N work.py COMMANDS.json
"""

import json
import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "helpers")]

import numpy as np  # noqa: E402 - the path comes first

from sdsiqa.cli import main  # noqa: E402
from sdsiqa.training.scores import Agreement, Scores, _joined  # noqa: E402


def keep_repeats(self: Agreement) -> Scores:
    """Give all rows, those that a sampler repeated twice: what happens without the removal."""
    index, score, quality = (_joined(state) for state in (self.index, self.score, self.quality))
    order = np.argsort(index, kind="stable")
    return Scores(index[order].astype(np.int64), score[order].astype(np.float64), quality[order].astype(np.float64))


if __name__ == "__main__":
    if os.environ.get("KEEP_REPEATS") == "1":
        Agreement.scores = keep_repeats  # type: ignore[method-assign]
    for words in json.loads(Path(sys.argv[1]).read_text()):
        status = main(words)
        if status:
            sys.exit(status)
