"""The table of the model card counts neighbouring levels."""

import pandas as pd
import pytest

from tools.levels import levels


def test_neighbouring_levels_of_one_photograph_are_compared() -> None:
    rows = [
        {"reference": reference, "distortion": kind, "level": level, "quality": 1 - level / 10, "score": score}
        for reference, kind, scores in (
            ("a", "jpeg", (0.9, 0.5, 0.1)),
            ("b", "jpeg", (0.3, 0.4, 0.2)),  # one of two in order
            ("a", "wn", (0.1, 0.1, 0.2)),  # equal scores are in no order
        )
        for level, score in enumerate(scores, start=1)
    ]
    table = levels(pd.DataFrame(rows).sample(frac=1, random_state=0)).set_index("distortion")
    assert table["images"].to_dict() == {"jpeg": 6, "wn": 3}
    assert table["ordered"].to_dict() == {"jpeg": 0.75, "wn": 0.0}
    assert table.loc["wn", "srcc"] == pytest.approx(-0.866, abs=1e-3)
