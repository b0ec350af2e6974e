"""Every name, verb, link and path in the documents exists."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from sdsiqa.cli import STAGES, TOOLS
from sdsiqa.report.read import read_results
from sdsiqa.report.readme import a_row_per_method
from sdsiqa.report.statistics import Evidence

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = "\n".join(file.read_text() for file in DOCUMENTS)
EXAMPLES = set(re.findall(r"^class (\w+)", TEXT, re.MULTILINE))  # written by a reader, and by tests/test_examples.py
PATHS = sorted(name for name in set(re.findall(r"class_path: (sdsiqa\.[\w.]+)", TEXT)) if name.split(".")[-1] not in EXAMPLES)
NAMED = set(re.findall(r"(?<![\w./-])sdsiqa(?:\.[A-Za-z_]\w*)+", TEXT)) - {*PATHS}
NAMES = sorted(name for name in NAMED if name.split(".")[-1] not in EXAMPLES)
SOURCE = ROOT / "src" / "sdsiqa"
ASIDE = {"data", "node_modules", "runs", "site"}  # made here, as is what begins with a dot: no documents of the project
FOLDERS = [folder for folder in sorted(ROOT.iterdir()) if folder.is_dir() and folder.name not in ASIDE and folder.name[0] != "."]
MARKDOWN = [*ROOT.glob("*.md"), *(file for folder in FOLDERS for file in sorted(folder.rglob("*.md")))]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
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


def test_the_package_has_twelve_rooms() -> None:
    packages = [file.parent.name for file in SOURCE.glob("*/__init__.py")]
    assert len(packages) <= 12
    assert len(list(SOURCE.glob("*.py"))) <= 7
    assert all(f"{name}/" in ARCHITECTURE for name in packages)


def test_every_name_is_there_after_one_import() -> None:
    assert {"sdsiqa.load", "sdsiqa.report.write"} <= set(NAMES)
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


def anchors(file: Path) -> set[str]:
    """Give the anchors of a document's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("file", MARKDOWN, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_link_is_dead(file: Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^()\s]+)\)", re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path) if path else file
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_a_document_that_a_page_links_to_is_a_page() -> None:
    """`make docs` fails otherwise."""
    included = re.compile(r"^```\{include\} (\S+)$", re.MULTILINE)
    pages = set((ROOT / "docs").rglob("*.md"))
    beside = {(page.parent / name).resolve() for page in pages for name in included.findall(page.read_text())}
    assert ROOT / "CONTRIBUTING.md" in beside
    linked = {
        f"{file.relative_to(ROOT)}: {link}": (file.parent / link).resolve()
        for file in (*pages, *beside)
        for link in re.findall(r"\]\(([^()\s#]+\.md)", file.read_text() if file.suffix == ".md" else "")
        if not re.match(r"[a-z]+:", link)
    }
    assert [link for link, target in linked.items() if target not in {*pages, *beside}] == []


def test_every_page_is_reached_and_every_included_file_is_there() -> None:
    """As `make docs` demands, which the tests do without."""
    pages, reached = {file for file in DOCUMENTS if file.is_relative_to(ROOT / "docs")}, {ROOT / "docs" / "index.md"}
    for page in pages:
        text = page.read_text()
        included = re.findall(r"^```\{(?:literal)?include\} (\S+)$", text, re.MULTILINE)
        assert [name for name in included if not (page.parent / name).is_file()] == []
        for tree in re.findall(r"^```\{toctree\}\n(.*?)```", text, re.MULTILINE | re.DOTALL):
            reached |= {page.parent / f"{name}.md" for name in tree.split() if not name.startswith(":")}
        linked = re.findall(r"^:link: (\S+)$", text, re.MULTILINE)
        assert [name for name in linked if not (page.parent / f"{name}.md").is_file()] == []
    assert reached == pages


def test_pictures_are_small_and_shown() -> None:
    pictures = list((ROOT / "docs" / "images").iterdir())
    assert {"explained.webp", "sds-iqa.svg"} <= {file.name for file in pictures}
    assert [file.name for file in pictures if file.stat().st_size > 150_000 or f"images/{file.name})" not in TEXT] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 100


def test_the_readme_s_results_are_kept_ones() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("| method |"))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[head + 2 :]]
    rows = rows[: next(number for number, row in enumerate(rows) if len(row) == 1)]
    kept = pd.read_csv(ROOT / "results" / "livec-methods" / "tables" / "benchmark-livec-test.csv").set_index("method")
    report = (ROOT / "results" / "livec-methods" / "report.md").read_text().partition("\n- [a]")[0]
    under_trained = {line.split()[1] for line in report.splitlines() if "under-trained" in line}
    ranked = kept.drop(index=sorted(under_trained)).sort_values("srcc_mean", ascending=False, kind="stable")
    assert [row[0] for row in rows] == list(ranked.index)
    means = ranked[["srcc_mean", "plcc_mean"]].to_numpy()
    assert [row[3:5] for row in rows] == [[f"{srcc:.3f}", f"{plcc:.3f}"] for srcc, plcc in means]

    [table] = a_row_per_method(read_results([ROOT / "results" / "livec"]), Evidence())
    summary = {str(cells[0]).split()[0]: [str(cells[1]).partition(" [")[0], str(cells[3])] for cells in table.cells}
    assert {row[0]: row[1:3] for row in rows if row[1]} == summary


@pytest.mark.parametrize("file", MARKDOWN, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_table_renders_as_one(file: Path) -> None:
    """A line that starts with a bar is a row of a table, and has as many cells as the table's head."""
    tokens = MarkdownIt("commonmark").enable("table").parse(file.read_text())
    tables = [token.map for token in tokens if token.type == "table_open" and token.map]
    code = [token.map for token in tokens if token.type in ("fence", "code_block") and token.map]
    lines = file.read_text().splitlines()
    rows = {n for n, line in enumerate(lines) if line.startswith("|")} - {n for start, end in code for n in range(start, end)}
    assert rows == {n for start, end in tables for n in range(start, end)}
    for start, end in tables:
        cells = {len(re.findall(r"(?<!\\)\|", lines[n])) for n in range(start, end)}
        assert len(cells) == 1, (start + 1, cells)


def test_the_protocol_names_what_enforces_it() -> None:
    table = (ROOT / "docs" / "protocol.md").read_text().split("| --- | --- | --- | --- |\n")[1].split("\n\n")[0].splitlines()
    assert len(table) >= 12
    source = "\n".join(file.read_text() for file in SOURCE.rglob("*.py"))
    for row in table:
        _, _, enforced, when, tested, _ = (cell.strip() for cell in row.split("|"))
        assert when
        files = re.findall(r"`((?:\w+/)*\w+\.py)`", enforced)
        names = [name for name in re.findall(r"`([\w.]+)`", enforced) if not name.endswith((".py", ".json")) and "/" not in name]
        assert files or names
        assert [name for name in files if not (SOURCE / name).exists()] == []
        missing = [name for name in names if not re.search(rf"(def|class) {name.split('.')[-1]}\b", source)]
        assert [name for name in missing if name not in ("init_from",)] == [], row
        assert all((ROOT / name).exists() for name in re.findall(r"`(tests/[\w/]+\.py)`", tested)), row


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name)
def test_every_path_of_the_project_exists(file: Path) -> None:
    """Such as `configs/data/demo.yaml`, in text and in commands; examples of CONTRIBUTING.md are files that it writes."""
    text = file.read_text()
    own = set(re.findall(r"^`(\S+)`:$", text, re.MULTILINE))
    places = r"(?:configs|experiments|results|docs|src|tests|tools|bench)/[\w./-]*\w/?"
    named = set(re.findall(rf"(?<![\w/.<>$-])({places})", text)) - own
    made = {"configs/data/garden.yaml"}  # written by a command that the text names
    assert [name for name in sorted(named - made) if not (ROOT / name).exists() and not (SOURCE / name).exists()] == []


def test_every_file_that_the_architecture_names_exists() -> None:
    _, *walks = ARCHITECTURE.split("\n## ")
    named = set(re.findall(r"`((?:\w+/)*\w+(?:\.py|/))`", "".join(walks)))
    components = {"saliency_branch.py", "fusion_head.py"}  # named after their neighbour, in the same sentence
    named = named - components | {f"models/components/{name}" for name in components & named}
    assert {"training/scores.py", "models/components/image_branch.py"} <= named
    assert [name for name in sorted(named) if not (SOURCE / name).exists()] == []


def test_the_tree_of_the_architecture_is_that_of_the_source() -> None:
    tree, floors, *_ = re.findall(r"```text\n(.*?)```", ARCHITECTURE, re.DOTALL)
    packages = {file.parent.name for file in SOURCE.glob("*/__init__.py")}
    files = {file.name for file in SOURCE.glob("*.py")} - {"__init__.py", "__main__.py"}
    named = {line.split()[0] for line in tree.splitlines() if not line.startswith(" ")}
    assert named == {f"{name}/" for name in packages} | files
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert floors.splitlines() == layers


def test_constructors_that_raise_say_so() -> None:
    """In the docstring of the class, where the help of the command line reads it."""
    silent = []
    for file in sorted(SOURCE.rglob("*.py")):
        for kind in (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ClassDef)):
            makers = [
                node for node in kind.body if isinstance(node, ast.FunctionDef) and node.name in ("__init__", "__post_init__")
            ]
            raised = [node.exc for maker in makers for node in ast.walk(maker) if isinstance(node, ast.Raise) and node.exc]
            raised = [error for error in raised if not ast.unparse(error).startswith("AssertionError")]  # a fault of our own
            if raised and "Raises:" not in (ast.get_docstring(kind) or ""):
                silent.append(f"{file.relative_to(SOURCE)}: {kind.name}")
    assert silent == []
