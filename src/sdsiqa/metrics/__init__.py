"""Numbers from two arrays, scores and quality, one value per image; nothing here needs torch."""

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
