"""Every command in the documents is one: its words are read by the parser that would read them."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from fakes import distorted, scene

from sdsiqa.cli import STAGES, TOOLS
from sdsiqa.experiments.resolve_config import ResolvingCLI
from sdsiqa.images import write_image
from sdsiqa.runs.arguments import OneLine
from sdsiqa.training.preflight import check_names, settings_of

pytestmark = pytest.mark.filterwarnings("default")
ROOT = Path(__file__).parent.parent
PLACES = ("README.md", "CONTRIBUTING.md", "experiments/README.md", "docs/*.md", "docs/*/*.md")
DOCUMENTS = [file for place in PLACES for file in sorted(ROOT.glob(place))]
OTHERS = {
    "torchrun": "several machines",
    "srun": "SLURM",
    "wandb": "an account of Weights & Biases",
    "export": "",
    "source": "",
    "python": "bench.busy alone, an hour",
    "for": "",
    "done": "",
}
"""Other words at the beginning of a line, and what those need that no test has."""
STAND_INS = {"runs/<id>": "runs/some", "$split": "0"}
PARSERS: list[ResolvingCLI] = []
"""The parser of a run, once there is one: making it takes longer than reading words."""
OWN_FILES = "CONTRIBUTING.md"  # its commands of sdsiqa need the files that it writes; tests/test_examples.py runs them


def commands(file: Path) -> Iterator[str]:
    """Give the commands of a document's blocks of shell: continued lines joined, variables filled in."""
    for block in re.findall(r"^```(?:sh|text)\n(.*?)^```", file.read_text(), re.DOTALL | re.MULTILINE):
        text = block.replace("\\\n", "")
        for name, value in [*re.findall(r'^ *(\w+)="(.*)"$', text, re.MULTILINE)]:
            text = re.sub(rf'^ *{name}=".*"$', "", text, flags=re.MULTILINE).replace(f"${name}", value)
        for name, value in STAND_INS.items():
            text = text.replace(name, value)
        if re.search(rf"^ *(?:sdsiqa|make|{'|'.join(OTHERS)})\b", text, re.MULTILINE):  # not a tree of files
            yield from (line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def found(program: str) -> list[tuple[str, list[str]]]:
    """Give documents and words of the commands of a program, also where a launcher starts it."""
    listed = []
    for file in DOCUMENTS:
        for line in commands(file):
            words = shlex.split(line, comments=True)
            if words[0] == program or (words[0] in ("srun", "torchrun") and program in words):
                listed.append((str(file.relative_to(ROOT)), words[words.index(program) + 1 :]))
    return listed


OURS = [(file, words) for file, words in found("sdsiqa") if file != OWN_FILES]
MAKE = found("make")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all files that the commands name."""
    for name in ("configs", "experiments", "results"):
        (tmp_path / name).symlink_to(ROOT / name)
    for name in ("photos/a.png", "more/b.jpg", "one.png", "pictures/0.png"):
        write_image(tmp_path / name, distorted(scene(0), 0))
    own = (ROOT / "docs" / "tutorials" / "own-data.md").read_text()
    (tmp_path / "pictures.yaml").write_text(own.partition("```yaml\n")[2].partition("```")[0])
    for name in ("some", "niqe", "livec-0"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    (tmp_path / "runs" / "some" / "config.yaml").write_text(
        "data: ../../configs/data/demo.yaml\nmodel: ../../configs/model/small.yaml\n"
    )
    (tmp_path / "runs" / "niqe" / "scores.csv").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_line_is_a_command_that_is_tested_or_says_what_it_needs() -> None:
    first = {shlex.split(line, comments=True)[0] for file in DOCUMENTS for line in commands(file)}
    assert first - {"sdsiqa", "make"} <= set(OTHERS)
    assert {words[0] for _, words in OURS} <= {*STAGES, *TOOLS}
    assert len(OURS) > 30
    assert len(MAKE) > 10


def named_in_text() -> Iterator[tuple[str, list[str]]]:
    """Give the commands that stand in sentences of the documents, and in the headers of files of settings."""
    for file in [*DOCUMENTS, *sorted(ROOT.glob("configs/**/*.yaml")), *sorted(ROOT.glob("experiments/**/*.yaml"))]:
        text = re.sub(r"^```.*?^```", "", file.read_text(), flags=re.DOTALL | re.MULTILINE)
        text = re.sub(r"\\\n# +", "", text)  # a command of several lines
        header = re.findall(r"^# +((?:sdsiqa|make) .*?)(?: {2,}.*)?$", text, re.MULTILINE) if file.suffix == ".yaml" else []
        for line in [*re.findall(r"`((?:sdsiqa|make|python) [^`\n]+)`", text), *header]:
            yield str(file.relative_to(ROOT)), shlex.split(line)


def test_a_command_in_a_sentence_or_a_header_names_what_there_is() -> None:
    """Its target, verb or module, and each file of ours behind it."""
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    targets |= {f"train-{file.stem}" for file in ROOT.glob("configs/data/*.yaml")}
    named = list(named_in_text())
    assert {words[0] for _, words in named} == {"sdsiqa", "make", "python"}
    for file, (program, first, *words) in named:
        said = f"{file}: {program} {first} {shlex.join(words)}"
        if program == "make":
            assert first in targets, said
        elif program == "sdsiqa":
            assert first in {*STAGES, *TOOLS, "VERB", "--help"}, said
        else:
            assert first != "-m" or find_spec(words[0]) is not None, said
        for word in (part for each in words for part in each.partition("ARGS=")[2].split() or [each]):
            if word.startswith(("configs/", "experiments/")) and not any(sign in word for sign in "<*"):
                assert (ROOT / word).exists(), said


class Read(Exception):  # noqa: N818 - it is no error
    """The words were read, and nothing is to be done."""


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("verb", sorted({words[0] for _, words in OURS} & {*TOOLS}))
def test_a_tool_reads_its_words(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parse = OneLine.parse_args

    def read(self: OneLine, *args: object, **options: object) -> None:
        parse(self, *args, **options)  # type: ignore[call-overload]
        raise Read

    monkeypatch.setattr(OneLine, "parse_args", read)
    for file, (name, *words) in OURS:
        if name != verb:
            continue
        try:
            import_module(TOOLS[verb][0]).main(words)
        except Read:
            pass
        except SystemExit:
            pytest.fail(f"{file}: sdsiqa {verb} {shlex.join(words)}")
        if "--" in words:
            check_names(settings_of(["-c", words[0], *words[words.index("--") + 1 :]]))


@pytest.mark.slow
def test_make_has_every_target_and_gives_training_its_words(project: Path) -> None:
    own = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}  # or ARGS of `make test-runs` were theirs
    for file, words in MAKE:
        command = ["make", "--dry-run", "--no-print-directory", *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=own)
        assert done.returncode == 0, f"{file}: make {shlex.join(words)}: {done.stderr}"
        for line in re.findall(r"^\S*/sdsiqa (fit .*)$", done.stdout.replace("\\\n", ""), re.MULTILINE):
            read_training(file, shlex.split(line))


@pytest.mark.slow
def test_training_reads_its_words(project: Path) -> None:
    for file, words in OURS:
        if words[0] in STAGES:
            read_training(file, words)


def read_training(file: str, words: list[str]) -> None:
    """Read the words of `sdsiqa fit` and its kin: names first, then values by the parser of a run."""
    _, *rest = words
    check_names(settings_of(rest))
    try:
        if not PARSERS:
            PARSERS.append(ResolvingCLI.start(["fit", "-c", str(ROOT / "configs" / "demo.yaml")]))
        PARSERS[0].parse_arguments(PARSERS[0].parser, ["fit", *rest])
    except SystemExit:
        pytest.fail(f"{file}: sdsiqa {shlex.join(words)}")
