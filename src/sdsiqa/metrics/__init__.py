"""Numbers from two arrays, scores and quality, one value per image; nothing here needs torch.

They are the metrics of the protocol, for scores of any origin:

>>> from sdsiqa import metrics
>>> score, quality = [0.2, 0.4, 0.5, 0.9], [0.1, 0.5, 0.4, 0.8]
>>> metrics.srcc(score, quality)
0.8
>>> round(metrics.plcc(score, quality), 3)
0.941
"""

from sdsiqa.metrics.agreement import (
    AgreementWarning,
    agreement,
    fit_logistic4,
    fit_logistic5,
    krcc,
    outlier_ratio,
    plcc,
    plcc_fit,
    rmse,
    srcc,
)
from sdsiqa.metrics.bootstrap import PartScores
from sdsiqa.metrics.significance import Comparison, corrected_t, holm, meng_rosenthal_rubin, paired_bootstrap, pitman_morgan

__all__ = [
    "AgreementWarning",
    "Comparison",
    "PartScores",
    "agreement",
    "corrected_t",
    "fit_logistic4",
    "fit_logistic5",
    "holm",
    "krcc",
    "meng_rosenthal_rubin",
    "outlier_ratio",
    "paired_bootstrap",
    "pitman_morgan",
    "plcc",
    "plcc_fit",
    "rmse",
    "srcc",
]


def __dir__() -> list[str]:
    """Name what is listed here, and not the files that it comes from."""
    return __all__
