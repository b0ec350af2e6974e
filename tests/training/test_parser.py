"""The parser of the verbs that train."""

import pytest

from sdsiqa.training.parser import StrictParser


class Inner:
    """A part that a configuration names by its class."""

    def __init__(self, share: float | int | None = None) -> None:
        self.share = share


class Outer:
    """Takes a number of batches, or a share of all."""

    def __init__(self, batches: float | int | None = None, part: Inner | None = None) -> None:
        self.batches, self.part = batches, part


@pytest.mark.parametrize(("written", "read"), [("1", int), ("1.0", float), ("12", int), ("0.5", float), ("null", type(None))])
def test_one_batch_is_not_all_batches(written: str, read: type) -> None:
    parser = StrictParser(exit_on_error=False)
    parser.add_class_arguments(Outer, "outer")
    words = [f"--outer.batches={written}", f"--outer.part={__name__}.Inner", f"--outer.part.share={written}"]
    outer = parser.instantiate_classes(parser.parse_args(words)).outer
    assert (type(outer.batches), type(outer.part.share)) == (read, read)
