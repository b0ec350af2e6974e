"""Compare two methods on the same split: is the difference larger than chance?

    python examples/compare_methods.py FOLDER

FOLDER holds pictures and `scores.csv`, as for `examples/own_trainer.py`.
"""

import sys

import torch
from lightning.pytorch import Trainer

from sdsiqa import SDSIQA, QualityDataModule, QualityTask, metrics
from sdsiqa.benchmarks import Folder
from sdsiqa.models import CNNIQA, FusionHead, ImageBranch, QualityNetwork, SaliencyBranch
from sdsiqa.saliency import SDSP


def scores(network: QualityNetwork) -> metrics.PartScores:
    """Train a network for a fixed number of epochs, then score the test part, each picture once."""
    data = QualityDataModule(Folder(sys.argv[1], scale=(1, 5)), SDSP(), split=0, fit_on="train+val", crop=224, batch_size=4)
    task, trainer = QualityTask(network), Trainer(max_epochs=10)
    trainer.fit(task, data)
    batches = trainer.predict(task, data)
    score, quality = (torch.cat([batch[name] for batch in batches]).double().numpy() for name in ("score", "quality"))
    return metrics.PartScores(score, quality)


a = scores(CNNIQA())
b = scores(SDSIQA(ImageBranch("resnet50", weights="timm"), SaliencyBranch("resnet50", weights="timm"), FusionHead()))
print(f"SRCC of CNNIQA {metrics.srcc(a.score, a.quality):.3f}, of SDS-IQA {metrics.srcc(b.score, b.quality):.3f}")
found = metrics.paired_bootstrap([a], [b])
print(f"difference {found.difference:+.3f}, 95 % [{found.low:+.3f}, {found.high:+.3f}], p = {found.p:.3f}")
