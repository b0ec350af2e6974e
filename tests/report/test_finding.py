"""After the results, a report says in one sentence what was found."""

from pathlib import Path

import pytest
from report_runs import column, make_run, tables

from sdsiqa.metrics.significance import Comparison
from sdsiqa.report.finding import finding
from sdsiqa.report.statistics import Difference

NAN = float("nan")


def test_what_ablations_came_to_can_be_quoted(ablated: Path) -> None:
    table = tables(ablated)["ablation-live-test-sdsiqa"]
    (sentence,) = table.found
    apart = dict(zip(column(table, "ablation"), column(table, "Δ SRCC"), strict=True))
    ends = column(table, "95 % of splits")[2]
    visible = f"{table.frame.set_index('ablation').loc['no_gate', 'visible']:.3f}"
    assert sentence == (
        f"Found, by SRCC: saliency_only ({apart['saliency_only']} {ends}) is worse than full; no_gate ({apart['no_gate']}) is "
        f"not told from full: either there is no difference, or one that this design is likely to miss, below {visible}."
    )


def test_methods_are_told_from_the_baseline_by_the_marks_of_the_table(ablated: Path) -> None:
    table = tables(ablated, baseline="saliency_only")["benchmark-live-test"]
    (sentence,) = table.found
    marks = {cells[0]: cells[list(table.head).index("Δ to sdsiqa (saliency_only)")][-1] for cells in table.cells}
    better, _, level = sentence.partition(" better than sdsiqa (saliency_only)")
    told = [name for name, mark in marks.items() if mark == "▲"]
    assert len(told) == better.count("(+") >= 2
    assert all(f"{name} (+" in better for name in told)
    assert ("not told" in level) == ("≈" in marks.values())


def test_one_run_or_none_to_compare_with_finds_nothing(tmp_path: Path) -> None:
    make_run(tmp_path)
    assert tables(tmp_path)["benchmark-live-test"].found == []


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (NAN, []),
        (0.01, ["Found, by SRCC: new (+0.020) is better than old."]),
        (
            0.5,
            [
                "Found, by SRCC: new (+0.020) is not told from old: either there is no difference, or one that this design is "
                "likely to miss."
            ],
        ),
    ],
)
def test_without_an_interval_nothing_is_made_up(p: float, said: list[str]) -> None:
    one = Comparison(0.02, NAN, NAN, p, "some test")
    assert finding({"new": (Difference(one, one, ("0",)), p)}, "old") == said
