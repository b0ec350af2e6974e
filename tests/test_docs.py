"""Every name of Python in the documents exists after `import sdsiqa`, and every verb is one."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sdsiqa.cli import STAGES, TOOLS

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(file.read_text() for file in DOCUMENTS)
PATHS = sorted(set(re.findall(r"class_path: (sdsiqa\.[\w.]+)", TEXT)))
NAMES = sorted(set(re.findall(r"(?<![\w./-])sdsiqa(?:\.[A-Za-z_]\w*)+", TEXT)) - {*PATHS})
CALLS = sorted(set(re.findall(r"`(sdsiqa\.[\w.]+\([^`]*\))`", TEXT)))
TRY = """
import inspect, json, sys
from importlib import import_module
import sdsiqa
names, paths, calls = json.loads(sys.argv[1])
wrong = []
def find(name):
    found = sdsiqa
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    return found
for name in names:
    try:
        find(name)
    except AttributeError as error:
        wrong.append(f"{name}: {error}")
for path in paths:  # as a configuration names a class
    module, _, name = path.rpartition(".")
    if not hasattr(import_module(module), name):
        wrong.append(path)
for name, places, keywords in calls:
    try:
        inspect.signature(find(name)).bind(*places, **dict.fromkeys(keywords))
    except (AttributeError, TypeError) as error:
        wrong.append(f"{name}(...): {error}")
print(json.dumps(wrong))
"""


def parsed(code: str) -> tuple[str, list[str], list[str]]:
    """Take a call of a document apart: name, places, keywords."""
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    return ast.unparse(call.func), [ast.unparse(item) for item in call.args], [str(item.arg) for item in call.keywords]


def test_every_name_is_there_after_one_import() -> None:
    assert {"sdsiqa.load", "sdsiqa.report.write"} <= set(NAMES)
    assert PATHS
    assert CALLS
    given = json.dumps([NAMES, PATHS, [parsed(code) for code in CALLS]])
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", TRY, given], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
def test_every_block_of_python_is_python(code: str) -> None:
    compile(code, "document", "exec")


def test_every_verb_is_one() -> None:
    verbs = set(re.findall(r"(?:^|`)sdsiqa ([a-z][\w-]*)", TEXT, re.MULTILINE))
    assert verbs - {*STAGES, *TOOLS} == set()
    assert {"fit", "report", "check-data"} <= verbs


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, sdsiqa; print(hasattr(sdsiqa, '_x'), hasattr(sdsiqa, 'nothing'), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "False"]
