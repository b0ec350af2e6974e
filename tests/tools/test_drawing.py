"""The drawing of SDS-IQA in the documents is what its script draws."""

from pathlib import Path
from xml.etree import ElementTree

from tools.drawing import LEVELS, drawing, main

FILE = Path(__file__).parents[2] / "docs" / "images" / "sds-iqa.svg"


def test_the_committed_drawing_is_what_the_script_draws(tmp_path: Path) -> None:
    main(["--output", str(tmp_path / "drawn.svg")])
    assert FILE.read_text() == (tmp_path / "drawn.svg").read_text(), "run make drawing"


def test_each_level_has_two_stages_attention_and_a_gate() -> None:
    root = ElementTree.fromstring(drawing())
    texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for number in range(1, LEVELS + 1):
        assert texts.count(f"stage {number}") == 2
        assert f"A{number}" in texts
    assert texts.count("gate,") == LEVELS
