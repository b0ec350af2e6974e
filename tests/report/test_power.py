"""Before the results, a report says which differences its design can see, and what more seeds would change."""

import re
from pathlib import Path

import numpy as np
import pytest
from report_runs import column, make_run, tables

from sdsiqa import metrics
from sdsiqa.report.comparisons import verdicts
from sdsiqa.report.power import power_note, reach_with, seed_variance
from sdsiqa.report.read import read_results
from sdsiqa.report.result import by_group, by_label
from sdsiqa.report.statistics import Evidence
from sdsiqa.runs.scores import read_scores


def test_a_design_that_sees_one_difference_says_one_number(ablated: Path) -> None:
    some = by_group(read_results([ablated]), is_cross=False)["live-test"]
    against = verdicts(by_label(some), "sdsiqa", Evidence(200))
    one, other = ("sdsiqa (no_gate)", "sdsiqa (saliency_only)")
    (two,) = power_note({label: against[label] for label in (one, other)})
    assert re.search(r"difference of 0\.\d{3} to 0\.\d{3} SRCC", two)
    (twice,) = power_note({"first": against[one], "second": against[one]})
    assert re.search(r"difference of 0\.\d{3} SRCC", twice)


def test_what_other_numbers_of_seeds_would_leave_is_what_they_leave() -> None:
    rng, training, rest, splits = np.random.default_rng(0), 0.008, 0.005, 40000

    def scatter(seeds: int) -> float:
        one, other = (training * rng.normal(size=(splits, seeds)).mean(1) for _ in range(2))
        return float(np.var(one - other + rest * rng.normal(size=splits), ddof=1))

    once = scatter(1)
    for seeds in (2, 4):
        assert reach_with(once, training**2, 2, seeds) == pytest.approx((scatter(seeds) / once) ** 0.5, rel=0.02)
    assert reach_with(once, training**2, 2, np.inf) == pytest.approx(rest / once**0.5, rel=0.05)
    assert reach_with(once, training**2, 2, 1) == 1
    assert reach_with(0.5 * training**2, training**2, 2, np.inf) == 0  # an estimate may exceed what it is a part of
    assert reach_with(0, training**2, 2, 2) == 1


def test_seeds_of_one_split_say_how_far_training_moves_a_measure(tmp_path: Path) -> None:
    for split in range(4):
        for seed in (0, 1, 2):
            make_run(tmp_path, split=split, seed=seed, noise=0.2)
        make_run(tmp_path, ablation="no_gate", split=split, noise=0.3)
    some = by_label(by_group(read_results([tmp_path]), is_cross=False)["live-test"])
    evidence = Evidence(200)
    variance, freedom = seed_variance(some, evidence)
    values = np.array([evidence.figures(run)["srcc"] for run in some["sdsiqa"]]).reshape(4, 3)
    assert freedom == 8
    assert variance == pytest.approx(values.var(axis=1, ddof=1).mean(), rel=1e-12)
    lead = tables(tmp_path)["ablation-live-test-sdsiqa"].lead
    assert len(lead) == 2
    assert re.match(
        r"Training a split again with another seed moves SRCC by 0\.\d{3} \(standard deviation of 8 degrees of", lead[1]
    )
    said, low, high = (float(word) for word in re.findall(r"0\.\d{3}", lead[1])[:3])
    assert [low / said, high / said] == pytest.approx([(8 / 17.535) ** 0.5, (8 / 2.180) ** 0.5], abs=0.02)  # χ² of tables
    seen = float(re.findall(r"true difference of (0\.\d{3})", lead[0])[0])
    ever = float(re.findall(r"no number of seeds less than (0\.\d{3})", lead[1])[0])
    assert 0 < ever < seen


def test_seeds_that_explain_all_are_too_few_to_say_what_more_would_find(tmp_path: Path) -> None:
    make_run(tmp_path, split=0, seed=1, noise=3.0)  # far from seed 0 of the same split
    for split in range(3):
        make_run(tmp_path, split=split, noise=0.05)
        make_run(tmp_path, ablation="no_gate", split=split, noise=0.05)
    (_, line) = tables(tmp_path)["ablation-live-test-sdsiqa"].lead
    assert "1 degree of freedom" in line
    assert line.endswith("and what more would find, so few seeds cannot say.")


def test_one_seed_says_nothing_of_training(ablated: Path) -> None:
    assert len(tables(ablated)["ablation-live-test-sdsiqa"].lead) == 1


def test_scores_are_averaged_over_seeds_where_all_have_as_many(tmp_path: Path) -> None:
    for split in range(3):
        for seed in (0, 1):
            make_run(tmp_path, split=split, seed=seed, noise=0.2)
            make_run(tmp_path, ablation="no_gate", split=split, seed=seed, noise=0.3)
        make_run(tmp_path, ablation="no_guidance", split=split, noise=0.3)
    table = tables(tmp_path)["ablation-live-test-sdsiqa"]
    found = dict(zip(column(table, "ablation"), column(table, "Δ SRCC of mean scores"), strict=True))
    assert found["full"] == found["no_guidance"] == ""  # of one seed, which compares with no mean of two

    def srcc(ablation: str, split: int) -> float:
        files = sorted(tmp_path.glob(f"live-sdsiqa-{ablation}-{split}-*/scores/live-test.csv"))
        one, other = (read_scores(file).set_index("image") for file in files)
        return metrics.srcc((one["score"] + other.loc[one.index, "score"]) / 2, one["quality"])

    expected = np.mean([srcc("no_gate", split) - srcc("full", split) for split in range(3)])
    assert float(found["no_gate"].split()[0].replace("−", "-")) == pytest.approx(expected, abs=6e-4)
