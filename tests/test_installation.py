"""What `make install` would do: by uv or by pip, with torch for GPUs or for the CPU alone; nothing is installed here."""

import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAIR = re.findall(r"^(torch|torchvision)===(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)


def say(*words: str, check: bool = True) -> str:
    """Give the commands that make would run, or its refusal."""
    command = ["make", "--dry-run", "--no-print-directory", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == check, done.stderr
    return " ".join((done.stdout + done.stderr).replace("\\\n", " ").split())


def test_the_constraints_name_torch_and_torchvision_exactly() -> None:
    assert [name for name, _ in PAIR] == ["torch", "torchvision"]


def test_pip_installs_where_uv_is_missing(tmp_path: Path) -> None:
    said = say("install", f"VENV={tmp_path}/v", "UV=")
    assert f"{tmp_path}/v/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'" in said
    assert "uv pip" not in said
    assert "-m pip install --quiet --editable '.[dev]'" in say("install", f"VENV={tmp_path}/v", "UV=", "CONSTRAINTS=")


def test_uv_installs_where_it_is_found_and_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "uv"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    for status, expected in (
        (0, f"{program} pip install --compile-bytecode --python {tmp_path}/v/bin/python --quiet"),
        (127, "-m pip install"),
    ):
        program.write_text(f"#!/bin/sh\nexit {status}\n")  # a shim for a program that is not there ends with 127
        program.chmod(0o755)
        for target in ("install", "docs"):
            assert expected in say(target, f"VENV={tmp_path}/v")


@pytest.mark.parametrize("uv", ["", "/bin/uv"])
def test_torch_for_the_cpu_comes_from_an_index_or_a_folder(tmp_path: Path, uv: str) -> None:
    words = ("install", f"VENV={tmp_path}/v", f"UV={uv}", "TORCH=cpu")
    lock, best = f"--constraint {tmp_path}/v/constraints-cpu.txt", "--index-strategy unsafe-best-match" if uv else ""
    for index, option in (("https://there/cpu", "--extra-index-url"), (str(tmp_path), "--find-links"), ("", "--extra-index-url")):
        said = say(*words, *([f"TORCH_INDEX={index}"] if index else []))
        place = f"{option} '{index or 'https://download.pytorch.org/whl/cpu'}'"
        assert " ".join(f"{lock} {place} {best} --editable '.[dev]'".split()) in said
        assert " ".join(f"--dry-run --no-deps {place} {best} $pair".split()) in said
    assert "constraints-cpu" not in say(*words[:-1])


def test_an_environment_keeps_its_choice_of_torch(tmp_path: Path) -> None:
    for kept, other, found in (("", "cpu", "with CUDA"), ("cpu", "", "for the CPU")):
        (tmp_path / ".torch").write_text(f"{kept}\n")
        (tmp_path / ".installed").touch()
        os.utime(tmp_path / ".installed", (0, 0))  # older than pyproject.toml: it is to be renewed
        assert ("constraints-cpu.txt" in say("install", f"VENV={tmp_path}", "UV=")) == (kept == "cpu")
        assert f"{tmp_path} has torch {found}: remove that folder first" in say(
            "install", f"VENV={tmp_path}", f"TORCH={other}", check=False
        )
        (tmp_path / ".installed").unlink()  # stopped half-way: another choice may follow
        say("install", f"VENV={tmp_path}", f"TORCH={other}")
    assert "TORCH=gpu is no build: TORCH=cpu takes CPU builds" in say("install", f"VENV={tmp_path}", "TORCH=gpu", check=False)


def test_the_lowest_versions_have_an_environment_of_their_own(tmp_path: Path) -> None:
    said = say("test-lowest", f"LOWEST={tmp_path}/low", "UV=", "JOBS=3", "ARGS=-k some")
    assert f"{tmp_path}/low/bin/python -m pip install --quiet 'uv>=" in said
    words = f"--compile-bytecode --python {tmp_path}/low/bin/python --quiet --resolution lowest-direct"
    assert f"{tmp_path}/low/bin/uv pip install {words}" in said
    marks = re.search(r"-n 3 --dist worksteal -m '([^']+)'", said)
    assert marks
    assert f"-m '{marks[1]}'" in say("test", f"VENV={tmp_path}/v")  # the same tests
    assert "-m pip install" not in say("test-lowest", f"LOWEST={tmp_path}/low", "UV=/bin/uv")
    assert "make test-lowest" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.slow
def test_missing_builds_for_the_cpu_are_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real pip, which may look into one folder alone: with both builds there, it goes on to the rest, which is not there."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    wheels, venv = tmp_path / "wheels", tmp_path / "v"
    wheels.mkdir()

    def install(*words: str) -> str:
        command = ["make", "install", f"VENV={venv}", "UV=", "TORCH=cpu", f"TORCH_INDEX={wheels}", *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        return done.stderr

    (_, torch), (_, vision) = PAIR
    missing = f"found no CPU builds torch==={torch}+cpu torchvision==={vision}+cpu in {wheels}: name an index or a folder"
    for name, version in PAIR:
        assert missing in install()
        tag = f"{name}-{version}+cpu"
        with zipfile.ZipFile(wheels / f"{tag}-py3-none-any.whl", "w") as wheel:
            for file, text in {
                "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}+cpu\n",
                "WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                "RECORD": "",
            }.items():
                wheel.writestr(f"{tag}.dist-info/{file}", text)
    assert missing not in (said := install())
    assert "installing into" in said
    assert "TORCH=cpu needs the versions of torch and torchvision" in install("CONSTRAINTS=")
    mine = tmp_path / "mine.txt"
    mine.write_text("torch==2.14.0\ntorchvision===0.29.0\nrich==15.0.0\n")
    assert "torch===2.14.0+cpu torchvision===0.29.0+cpu" in install(f"CONSTRAINTS={mine}")
    assert "rich==15.0.0" in (venv / "constraints-cpu.txt").read_text()
