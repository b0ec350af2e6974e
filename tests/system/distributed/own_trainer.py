"""A trainer of one's own, as a user starts it: Lightning starts the other processes by the same words.

python own_trainer.py FOLDER DEVICES [CHECKPOINT]
"""

import json
import sys
from pathlib import Path

from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import WandbLogger

from sdsiqa import SDSIQA, QualityDataModule, QualityTask
from sdsiqa.benchmarks import Folder
from sdsiqa.models import FusionHead, ImageBranch, SaliencyBranch
from sdsiqa.saliency import SDSP


def main(folder: Path, devices: int, checkpoint: Path | None) -> None:
    """Train without a checkpoint; validate and test in any case; write what the trainer says."""
    out = folder / f"{'fit' if checkpoint is None else 'test'}-{devices}"
    seed_everything(1, verbose=False)
    benchmark = Folder(folder / "pictures", scale=(1, 5))
    data = QualityDataModule(benchmark, SDSP(), crop=48, patches_per_image=1, batch_size=6, num_workers=0, view="whole")
    fusion = FusionHead(proj_dim=8, head_dim=8)
    task = QualityTask(SDSIQA(ImageBranch("test_resnet"), SaliencyBranch("test_resnet"), fusion))
    best = ModelCheckpoint(out, monitor="val/srcc", mode="max")
    trainer = Trainer(
        max_epochs=2,
        accelerator="cpu",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        callbacks=[best],
        logger=WandbLogger(save_dir=out, offline=True),
        enable_progress_bar=False,
    )
    said = {}
    if checkpoint is None:
        trainer.fit(task, data)
        checkpoint = Path(best.best_model_path)
        summary = dict(trainer.logger.experiment.summary) if trainer.is_global_zero else {}  # type: ignore[union-attr]
        said = {
            "steps": trainer.global_step,
            "images": len(data.rows("train")),
            "best": float(best.best_model_score or 0),
            "checkpoint": str(checkpoint),
        }
        said["wandb"], said["last"] = summary.get("val/srcc"), float(trainer.callback_metrics["val/srcc"])
    (val,) = trainer.validate(task, data, ckpt_path=checkpoint, verbose=False)
    (test,) = trainer.test(task, data, ckpt_path=checkpoint, verbose=False)
    if trainer.is_global_zero:
        (folder / f"{out.name}.json").write_text(json.dumps({**said, **val, **test}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
