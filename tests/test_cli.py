"""The command answers at once, names what there is, and says what is wrong in one line."""

import errno
import inspect
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from fakes import write_fake

from runs import words
from sdsiqa.cli import STAGES, TOOLS, main, overview
from sdsiqa.images import write_image
from sdsiqa.runs.last_words import tell
from sdsiqa.training.setting_names import GROUPS

pytestmark = pytest.mark.filterwarnings("default")


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; from sdsiqa.cli import main; main([]); print([m for m in ('torch', 'pandas', 'cv2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_may_leave_early(unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-m", "sdsiqa", "--help"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("words_", [["--help"], ["check-data", "livec", "--root", "{}", "--jobs", "1"]])
def test_output_that_cannot_be_written_is_told_in_one_line(
    words_: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    write_fake("livec", tmp_path)
    command = [sys.executable, "-m", "sdsiqa", *(word.format(tmp_path) for word in words_)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "the output could not be written (No space left on device); make room where it goes" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_closed_streams_and_letters_that_a_terminal_lacks_end_nothing() -> None:
    code = "import sys; from sdsiqa.cli import main; sys.exit(main(['scor', 'é']))"
    close = "import os, sys; os.close(1); os.close(2); os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])"
    for command in ([sys.executable, "-c", code], [sys.executable, "-c", close, code]):
        environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_a_current_folder_that_is_gone_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert main(["verify", "runs"]) == 2
    assert capsys.readouterr().err == "sdsiqa verify: the current folder is gone; change to one that is there, and call again\n"


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK", "SLURM_PROCID"])
def test_a_number_of_a_launcher_that_is_none_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, "first")
    assert main(["fit"]) == 2
    said = f"sdsiqa fit: {name} is 'first' in the environment; expected a whole number, as launchers set it; unset {name}\n"
    assert capsys.readouterr().err == said


def test_an_error_that_is_not_foreseen_is_one_line_and_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sdsiqa.runs.manifest.main", lambda words: {}["no such key"])
    assert main(["verify", "runs"]) == 70
    error = capsys.readouterr().err
    (file,) = tmp_path.glob("sdsiqa-*.txt")
    assert error.startswith("sdsiqa verify: an error that sdsiqa does not foresee, KeyError: 'no such key' (test_cli.py, line ")
    assert error.endswith(f"please report it with the command and {file}, which holds the traceback\n")
    assert error.count("\n") == 1
    assert "Traceback (most recent call last)" in file.read_text()


def test_a_link_to_itself_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = RuntimeError(f"Symlink loop from {str(tmp_path)!r}")
    assert tell(error, print) == 1
    assert capsys.readouterr().out == f"{str(tmp_path)!r} is a link that leads back to itself; remove it, or name another\n"


def status_of(words: list[str]) -> object:
    """Run a command; parsers end by `SystemExit`."""
    try:
        return main(words)
    except SystemExit as stop:
        return stop.code


def test_a_stop_while_an_error_is_told_is_a_stop(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("sdsiqa.runs.last_words.tell", interrupted)
    assert main(["report", "nowhere"]) == 130
    assert capsys.readouterr().err == "sdsiqa report: stopped; files are whole or not there\n"


def test_the_overview_names_every_verb_with_a_line() -> None:
    for name, line in {**STAGES, **{name: line for name, (_, line) in TOOLS.items()}}.items():
        assert any(row.split(maxsplit=1) == [name, line] for row in overview().splitlines())


def test_every_tool_is_there_and_helps(capsys: pytest.CaptureFixture[str]) -> None:
    for name, (module, _) in TOOLS.items():
        assert callable(import_module(module).main)
        assert status_of([name, "--help"]) == 0
        assert f"sdsiqa {name}" in capsys.readouterr().out


@pytest.mark.parametrize("verb", STAGES)
def test_the_help_of_a_run_names_every_setting(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "-c", "nowhere.yaml", "--help"]) == 0
    said = capsys.readouterr().out
    named = set(re.findall(r"^  --([\w.]+)", said, re.MULTILINE))
    for group, path in GROUPS.items():
        module, _, name = path.rpartition(".")
        expected = {f"{group}.{argument}" for argument in inspect.signature(getattr(import_module(module), name)).parameters}
        assert {setting for setting in named if setting.startswith(f"{group}.")} - {"model.network.help"} == expected
    assert "--data.split_folder" in said
    assert "(default: runs)" in said
    assert max(map(len, said.splitlines())) <= 118


@pytest.mark.parametrize("tool", [*TOOLS, *STAGES])
def test_the_help_of_a_verb_starts_without_torch(tool: str) -> None:
    run = f"from sdsiqa.cli import main\ntry: main(['{tool}', '--help'])"
    code = f"import sys\n{run}\nexcept SystemExit: pass\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_the_document_of_the_command_line_has_every_option_of_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    rows = (Path(__file__).parent.parent / "docs" / "command-line.md").read_text().splitlines()
    for verb in TOOLS:
        documented = {option for row in rows if f"`{verb}`" in row for option in re.findall(r"`(--[a-z][\w.-]*)`", row)}
        assert status_of([verb, "--help"]) == 0
        taken = set(re.findall(r"^  (--[\w.-]+)", capsys.readouterr().out, re.MULTILINE))
        assert documented == taken, verb


def test_an_unknown_verb_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scor"]) == 2
    assert "there is no verb 'scor'; did you mean 'score'?" in capsys.readouterr().err
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == import_module("sdsiqa").__version__


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--data.croop", "64"], "did you mean 'data.crop'"),
        (["--model.network.init_args.fusion.gat", "se"], "did you mean 'model.network.init_args.fusion.gate'"),
        (["--data.spl", "5"], "data.spl"),
    ],
)
def test_unknown_keys_are_refused_with_the_nearest_name(
    tmp_path: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", *words(tmp_path, "livec", *more)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--trainer.max_epochs", "ten"], "trainer.max_epochs is 'ten'; expected a whole number or null"),
        (["--data.crop", "3.5"], "data.crop is '3.5'; expected a whole number"),
        (["--data.view", "hole"], "data.view is 'hole'; expected one of whole, grid or null"),
        (["--data.split", "five"], "data.split is 'five'; expected a whole number or official"),
        (["--data.grid", "[1]"], "data.grid is '[1]'; expected tuple with 2 elements"),
        (
            ["--model.schedule", "cosin"],
            "model.schedule is 'cosin'; expected one of cosine, one_cycle, constant",
        ),
        (
            ["--model.network.init_args.fusion.gate", "gtc"],
            "model.network.init_args.fusion.gate is 'gtc'; expected one of gct, se, eca, glu or null",
        ),
        (
            ["--model.network.init_args.image_branch.levels", "abc"],
            "network.init_args.image_branch.levels is 'abc'; expected a list or null",
        ),
        (["--model.loss", "L2"], "model.loss is 'L2'; expected the path of a class"),
        (["--model.network", "sdsiqa.losses.L1"], "L1 does not correspond to a subclass of QualityNetwork"),
        (["--trainer.callbacks", "foo"], "trainer.callbacks is 'foo'; expected a list or the path of a class"),
        (["--trainer.logger", "lightning.pytorch.loggers.CSVLoger"], "did you mean 'lightning.pytorch.loggers.CSVLogger'"),
        (["--data.split", "${nothing}"], "Interpolation key"),
        (["stray"], "'stray' belongs to no option"),
        (["--data.crop"], "argument --data.crop: expected one argument"),
    ],
)
def test_a_wrong_value_is_told_in_one_line(
    tmp_path: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    with pytest.raises(SystemExit) as stop:
        main(["fit", *words(tmp_path, "livec", *more)])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("sdsiqa")
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("check-data livec --rot x", "sdsiqa check-data: there is no '--rot'; did you mean '--root'?"),
        ("check-data livec --roo x", "sdsiqa check-data: there is no '--roo'; did you mean '--root'?"),
        ("report runs --forma latex", "sdsiqa report: there is no '--forma'; did you mean '--format'?"),
        ("report runs --format pdf", "sdsiqa report: --format: invalid choice: 'pdf'"),
        ("grid x.yaml --dry", "sdsiqa grid: there is no '--dry'"),
        ("saliency --out maps", "sdsiqa saliency: the following arguments are required: folder"),
        ("sync", "sdsiqa sync: the following arguments are required: RUN"),
        ("verify x --zzz", "sdsiqa verify: there is no '--zzz'; `sdsiqa verify --help` lists what there is"),
        ("submit x.yaml --gpu 2", "sdsiqa submit: there is no '--gpu'; did you mean '--gpus'?"),
        (f"prefetch {__file__} --weights", "sdsiqa prefetch: there is no '--weights'; did you mean '--weights-only'?"),
        ("score x.png --checkpont y", "sdsiqa score: "),
        ("dashboard --projekt y", "sdsiqa dashboard: "),
        ("grid x.yaml --jobs 0", "sdsiqa grid: --jobs: '0' is not possible; expected a whole number, at least 1"),
        ("grid x.yaml --cell -1", "sdsiqa grid: --cell: '-1' is not possible; expected a whole number, at least 0"),
        ("submit x.yaml --nodes 0", "sdsiqa submit: --nodes: '0' is not possible; expected a whole number, at least 1"),
        ("submit x.yaml --lead soon", "sdsiqa submit: --lead: 'soon' is not possible; expected a whole number, at least 1"),
        ("submit x.yaml --cluster slurm", "sdsiqa submit: there is no '--cluster'"),
        ("report runs --readme no.md", "sdsiqa report: --readme: no.md does not exist"),
        ("prefetch no.yaml", "sdsiqa prefetch: CONFIG: no.yaml does not exist"),
    ],
)
def test_tools_take_no_abbreviations_and_say_what_is_wrong_in_one_line(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(line.split())
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(said)
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "line",
    [
        "report runs --out {}",
        "report runs --out {}/inside",
        "grid x.yaml --out {}",
        "grid x.yaml --runs {}",
        "submit x.yaml --runs {}/inside",
        "score x.png --map {}",
    ],
)
def test_a_file_where_a_folder_is_to_be_is_named_before_any_work(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(SystemExit) as stop:
        main(line.format(file).split())
    assert stop.value.code == 2
    option = line.split()[-2]
    said = f"sdsiqa {line.split()[0]}: {option}: {file} is a file; expected a folder\n"
    assert capsys.readouterr().err == said
    assert file.read_text() == "mine"


@pytest.mark.parametrize("line", ["grid {}", "submit {}", "prefetch {}", "check-data {}", "saliency . --out x --provider {}"])
def test_a_file_that_is_no_yaml_is_named_in_one_line(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "binary.yaml"
    for content in (b"\xff\xfe\x00", b"a: ["):
        file.write_bytes(content)
        try:
            status = main(line.format(file).split())
        except SystemExit as stop:
            status = int(str(stop.code))
        assert status in (1, 2)
        error = capsys.readouterr().err
        assert str(file) in error
        assert error.count("\n") == 1


def test_what_the_system_refuses_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    write_image(tmp_path / "photos" / "a.png", np.zeros((32, 32, 3), np.uint8))
    out = tmp_path / ("name" * 100)  # longer than file systems take
    assert main(["saliency", str(tmp_path / "photos"), "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"sdsiqa saliency: {out}")
    assert error.count("\n") == 1


@pytest.mark.parametrize("number", [*(getattr(errno, name) for name in ("ENOENT", "ENOTDIR", "EACCES", "EROFS", "ENOSPC")), 999])
def test_an_error_of_the_system_is_told_with_a_remedy(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(OSError(number, os.strerror(number), "/a/b"), print) == 1
    said = capsys.readouterr().out
    assert said.startswith(f"/a/b: {os.strerror(number)}; ")
    assert said.count("\n") == 1


def test_a_folder_where_a_file_is_to_be_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["dashboard", "sdsiqa", "--out", str(tmp_path)])
    assert capsys.readouterr().err == f"sdsiqa dashboard: --out: {tmp_path} is a folder; expected a file\n"


def test_missing_data_says_where_to_get_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = words(tmp_path)
    args[args.index("--data.benchmark.init_args.root") + 1] = str(tmp_path / "nowhere")
    assert main(["fit", *args]) == 1
    error = capsys.readouterr().err
    assert "nowhere" in error
    assert "http" in error
    assert any(line.startswith("sdsiqa fit: ") for line in error.splitlines())


@pytest.mark.slow
def test_a_run_repeats_no_advertisements_or_hints_of_lightning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sdsiqa", "fit", *words(tmp_path, epochs=1)]
    environment = {**os.environ, "WANDB_MODE": "disabled", "SDSIQA_TEST_SUBSET": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    said = done.stdout + done.stderr
    for noise in ("Tip:", "TPU", "FLOPs", "Unexpected keys", "`srun`", "LeafSpec", "in eval mode", "self.log("):
        assert noise not in said
    assert "AgreementWarning: 2 images are too few" in said  # what is news is heard
