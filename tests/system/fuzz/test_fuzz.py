"""Seeded faults in valid commands: each ends in a result or in a sentence, never in a traceback.

A case that fails names its number. `make test-fuzz ARGS="-k '[25]'"` runs cases 25 to 49 alone; `FIRST=1000` tries other seeds.
"""

import os
import re
import signal

import pytest
from commands import STAGES, Command, broken
from place import Place
from process import HANGS, run

pytestmark = pytest.mark.filterwarnings("default")
FIRST, COUNT, BLOCK = int(os.environ.get("FIRST", "0")), 300, 25
STATUSES = {0, 1, 2, 75, 129, 130, 141, 143}
PROGRAMMING = re.compile(r"Traceback|Exception ignored|Namespace\(|object at 0x|<class '")
SENTENCE = re.compile(
    r"^sdsiqa( [\w-]+)?: |could not be scored|without a map|problem|are not what was written|has no manifest|this sdsiqa reads",
    re.MULTILINE,
)


@pytest.mark.parametrize("first", range(FIRST, FIRST + COUNT, BLOCK))
def test_no_fault_in_a_command_ends_in_a_traceback(first: int, place: Place) -> None:
    wrong = []
    for number in range(first, first + BLOCK):
        place.restore()
        command = broken(number, place)
        status, said = run(command, place.path)
        why = complaint(command, status, said)
        if why:
            wrong.append(f"case {number} {why} (status {status})\n  wrong: {command.what}\n  {command.words}\n{said[-2000:]}")
    assert not wrong, "\n\n".join(wrong)


def complaint(command: Command, status: int, said: str) -> str:
    """Say what is wrong with the end of a command; empty if nothing is."""
    if status == HANGS:
        return "hangs"
    if found := PROGRAMMING.search(said):
        return f"says {found[0]!r}"
    if status < 0 and status == -command.signal and not (said and set(command.words[:1]) & set(STAGES)):
        return ""  # the tools are ended by signals as other programs are, and so is a training that has not begun to listen
    if status not in STATUSES:
        return "ends in another status"
    if status in (1, 2) and command.output != "closed" and not SENTENCE.search(said):
        return "says nothing"
    return ""


def test_the_same_number_is_the_same_command(place: Place) -> None:
    place.restore()
    first = broken(3, place)
    place.restore()
    again = broken(3, place)
    assert (first.words, first.what, first.signal) == (again.words, again.what, again.signal)
    assert signal.SIGKILL not in (first.signal, again.signal)
