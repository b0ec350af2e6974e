"""Numbers from two arrays, scores and quality, one value per image; nothing here needs torch."""

from sdsiqa.metrics.agreement import agreement, fit_logistic4, fit_logistic5, krcc, outlier_ratio, plcc, plcc_fit, rmse, srcc
from sdsiqa.metrics.score_pairs import AgreementWarning

__all__ = [
    "AgreementWarning",
    "agreement",
    "fit_logistic4",
    "fit_logistic5",
    "krcc",
    "outlier_ratio",
    "plcc",
    "plcc_fit",
    "rmse",
    "srcc",
]
