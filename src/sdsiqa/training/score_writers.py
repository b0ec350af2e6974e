"""Callbacks that write the scores of a whole part: metrics, a score table, figures."""

import warnings
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from sdsiqa import metrics, plots
from sdsiqa.models.base import QualityNetwork
from sdsiqa.runs.scores import write_scores
from sdsiqa.tracking import session
from sdsiqa.training.scores import ScoredPart, log_values

_HEARD: dict[Any, Any] = {}  # each warning is told once


def score_writers(method: str, figures: bool = True) -> list[Callable[[ScoredPart], None]]:
    """Give all of them, in the order in which they are called.

    Args:
        method: The method with its ablation, for titles.
        figures: Whether to draw.
    """
    tables: list[Callable[[ScoredPart], None]] = [log_agreement, write_table]
    if not figures:
        return tables
    return [*tables, lambda part: draw_scatter(part, method), lambda part: draw_panel(part, method)]


def log_agreement(part: ScoredPart) -> None:
    """Log SRCC, PLCC, KRCC and RMSE of each epoch, and keep those of `test` and `validate` in `metrics.json`.

    The file gets float64, the loggers float32.

    Args:
        part: On every rank.
    """
    if part.stage == "predict":
        return
    trainer, scores = part.trainer, part.scores
    start = part.is_fitting and trainer.global_step == 0
    with warnings.catch_warnings(record=True) as heard:
        # a collapsed epoch is shown as NaN; training continues. Before the first step it is expected
        warnings.simplefilter("ignore" if start else "always", metrics.AgreementWarning)
        values = metrics.agreement(scores.score, scores.quality)
    with warnings.catch_warnings():
        warnings.simplefilter("default", metrics.AgreementWarning)
        for warning in heard:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno, registry=_HEARD)
    log_values(part.module, part.stage, values, logger=part.is_fitting)  # of a test they are a summary and no curve
    if trainer.is_global_zero and not part.is_fitting:
        why = {"why": "; ".join(str(warning.message) for warning in heard)} if heard else {}
        differs = {} if part.entry is None or part.is_first else {"differs": "; ".join(part.entry.differs)}
        part.folder.add_metrics(part.key, {"n": len(scores.index), **values, "of": "quality in [0, 1]", **why, **differs})
        # by benchmark, and as dashboards compare runs
        names = (f"{part.key}/", *([f"{part.stage}/"] if part.is_first else []))
        session.log_summary(trainer.loggers, {f"{start}{name}": v for start in names for name, v in values.items()})


def write_table(part: ScoredPart) -> None:
    """Write one row per image into `scores/<benchmark>-<part>.csv`, from which every report is made.

    Args:
        part: Of a test, a prediction or a validation outside of training; others are left out.
    """
    if part.is_fitting or not part.trainer.is_global_zero:
        return
    file = part.folder.path / "scores" / f"{part.key}.csv"
    part.folder.manifest.publish(file, lambda beside: write_scores(beside, part.table))
    session.log_table(part.trainer.loggers, f"scores/{part.key}", part.table)
    if part.table["distortion"].nunique() > 1:
        session.log_table(part.trainer.loggers, f"distortions/{part.key}", _by_distortion(part.table))


def draw_scatter(part: ScoredPart, method: str) -> None:
    """Draw MOS against score with the fitted curve after a test.

    Args:
        part: Of a test; others are left out.
        method: The method with its ablation, for the title.
    """
    if part.stage != "test" or not part.trainer.is_global_zero:
        return
    data, table = part.data, part.table
    benchmark = data.benchmark
    figure = plots.scatter(
        benchmark.to_mos(part.scores.score),
        table["mos"].to_numpy(),
        title=plots.heading(method, benchmark.title, part.part, data.split_number, data.seed),
        distortion=table["distortion"].tolist() if table["distortion"].any() else None,
        label=benchmark.opinion,
        axes_labels=benchmark.axes_labels(benchmark.higher_is_better),
    )
    file = part.folder.path / "figures" / f"scatter-{part.key}.png"
    plots.publish(figure, file, part.folder.path)
    session.log_figure(part.trainer.loggers, "figures/scatter", file)


def draw_panel(part: ScoredPart, method: str) -> None:
    """Draw, after a test, what the network looked at: image, map, attention per level, score.

    Six images are shown: the three with the smallest and the three with the largest error.

    Args:
        part: Of a test; others are left out, and so are networks without saliency.
        method: The method with its ablation, for the title.
    """
    if part.stage != "test" or not part.trainer.is_global_zero or len(part.scores.index) == 0:
        return
    data, network, scores = part.data, cast(QualityNetwork, part.module.network), part.scores
    if "saliency" not in network.inputs:
        return
    table, read = data.benchmark.table(), data.reader()
    order = np.argsort(np.abs(scores.score - scores.quality), kind="stable")
    rows = []
    for place in dict.fromkeys([*order[:3], *order[-3:]]):
        entry = table.loc[scores.index[place]]
        image, saliency = read(entry["image"])
        if saliency is None:
            raise AssertionError("the network asks for saliency, so the reader gives it")
        pictures = [_to_batch(planes, part.module.device) for planes in (image, saliency)]
        guides, _ = network.explain(*pictures)
        rows.append(
            plots.PanelRow(
                image,
                saliency / np.float32(255),
                [guide[0, 0].float().cpu().numpy() for guide in guides],
                score=float(data.benchmark.to_mos(scores.score[place])),
                mos=float(entry["mos"]),
                title=entry["image"],
                opinion=data.benchmark.opinion,
            )
        )
    file = part.folder.path / "figures" / f"panel-{part.key}.png"
    above = plots.heading(method, data.benchmark.title, part.part, data.split_number, data.seed)
    figure = plots.panels(rows, f"{above}: images with the smallest and the largest errors")
    plots.publish(figure, file, part.folder.path)
    session.log_figure(part.trainer.loggers, "figures/panel", file)


def _by_distortion(table: pd.DataFrame) -> pd.DataFrame:
    """Give the metrics of each distortion, a row each; NaN where there are too few images for one."""
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", metrics.AgreementWarning)
        for name, part in table.groupby("distortion", sort=True):
            values = metrics.agreement(part["score"].to_numpy(), part["quality"].to_numpy())
            rows.append({"distortion": name, "n": len(part), **values})
    return pd.DataFrame(rows)


def _to_batch(planes: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Bring `(H, W[, 3])` uint8 to `(1, C, H, W)` float32 in [0, 1]."""
    tensor = torch.from_numpy(np.array(planes)).to(device).float().div_(255)
    return tensor.permute(2, 0, 1)[None] if tensor.dim() == 3 else tensor[None, None]
