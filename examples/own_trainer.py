"""Train and test SDS-IQA on pictures of your own, with a trainer of your own.

    python examples/own_trainer.py FOLDER

FOLDER holds the pictures and `scores.csv`, with the columns image (paths in FOLDER) and score (1 to 5 here).
"""

import sys

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from sdsiqa import SDSIQA, QualityDataModule, QualityTask
from sdsiqa.benchmarks import Folder
from sdsiqa.models import FusionHead, ImageBranch, SaliencyBranch
from sdsiqa.saliency import SDSP

data = QualityDataModule(Folder(sys.argv[1], scale=(1, 5)), SDSP(), split=0, crop=224, batch_size=4)
network = SDSIQA(ImageBranch("resnet50", weights="timm"), SaliencyBranch("resnet50", weights="timm"), FusionHead())
trainer = Trainer(max_epochs=10, callbacks=[ModelCheckpoint(monitor="val/srcc", mode="max")])
trainer.fit(QualityTask(network), data)
print({name: round(float(value), 3) for name, value in trainer.callback_metrics.items()})
trainer.test(datamodule=data, ckpt_path="best")  # SRCC, KRCC, PLCC, RMSE: each image once, on any number of devices
