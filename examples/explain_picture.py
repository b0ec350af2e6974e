"""Explain the scores of pictures: the saliency map, and what the network attends to at each level.

    python examples/explain_picture.py CHECKPOINT PICTURE ...

It writes `explained.png`. CHECKPOINT is `checkpoints/best.ckpt` in the folder of a run.
"""

import sys
from pathlib import Path

from sdsiqa import load
from sdsiqa.plots import PanelRow, panels, save

scorer = load(sys.argv[1])
rows = []
for name in sys.argv[2:]:
    image, saliency = scorer.look(name)  # the whole picture as the network sees it, and its map
    score = scorer.score_planes(image, saliency)  # 0 to 1, higher is better
    attention = scorer.guides(image, saliency)  # a map for each level; none for a network without attention
    rows.append(
        PanelRow(image, saliency / 255, attention, 100 * score, None, Path(name).name, scale="0 to 100, higher is better")
    )
    print(f"{name}: {100 * score:.1f}")
save(panels(rows), Path("explained.png"))
