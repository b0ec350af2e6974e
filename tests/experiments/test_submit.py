"""Job scripts, and what is put in place before a job starts; that they run is shown by `make test-cluster`."""

import shutil
import subprocess
from pathlib import Path

import pytest
import safetensors.torch
import timm

from runs import words
from sdsiqa.cli import main
from sdsiqa.errors import LaunchError
from sdsiqa.experiments.slurm import Job

pytestmark = pytest.mark.filterwarnings("default")


def job(tmp: Path, **changes: object) -> Job:
    return Job(**{"name": "livec-0", "log": tmp / "slurm-%j.log", **changes})  # type: ignore[arg-type]


def test_a_script_says_what_it_asks_for(tmp_path: Path) -> None:
    script = job(tmp_path, nodes=2, gpus=4, cpus=8, time="1-00:00:00", partition="gpu", extra=["account=lab"]).script(
        ["sdsiqa", "fit", "-c", "a file.yaml"]
    )
    asked = [line.removeprefix("#SBATCH --") for line in script.splitlines() if line.startswith("#SBATCH")]
    assert asked == [
        *("job-name=livec-0", "nodes=2", "ntasks-per-node=4", "cpus-per-task=8", "gpus-per-node=4", "time=1-00:00:00"),
        *("partition=gpu", f"output={tmp_path}/slurm-%j.log", "open-mode=append", "requeue", "signal=USR1@120", "account=lab"),
    ]
    assert "srun --kill-on-bad-exit=0 --wait=60 sdsiqa fit -c 'a file.yaml'\n" in script
    assert '  75|138) scontrol requeue "$SLURM_JOB_ID" ;;' in script


def test_scripts_are_sound_shell(tmp_path: Path) -> None:
    table = tmp_path / "a b.cells"
    for script in (job(tmp_path).script(["sdsiqa"]), job(tmp_path).array(["sdsiqa", "grid", "it's.yaml"], table, 6, 2)):
        done = subprocess.run([shutil.which("bash") or "bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_an_array_counts_its_cells(tmp_path: Path) -> None:
    script = job(tmp_path, gpus=0).array(["sdsiqa", "grid", "e.yaml"], tmp_path / "e.cells", 6, 2)
    assert "#SBATCH --array=0-5%2\n" in script
    assert "gpus-per-node" not in script
    assert 'sdsiqa grid e.yaml --cell "$cell"' in script


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "bash"}, "the job's name 'bash' is none that SLURM and Lightning take"),
        ({"nodes": 0}, "got 0 nodes, 1 GPUs and 4 cores"),
        ({"time": "tomorrow"}, "--time is 'tomorrow'; expected minutes"),
    ],
)
def test_what_slurm_would_not_take_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(LaunchError, match=message):
        job(tmp_path, **changes)


def test_a_line_break_in_an_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="has more than one line"):
        job(tmp_path, extra=["account=a\nrm -rf x"]).script(["sdsiqa"])


@pytest.mark.slow
def test_submit_prints_the_script_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    _, config, *more = words(tmp_path)
    assert main(["submit", config, "--gpus", "2", "--partition", "gpu", "--dry-run", "--", *more]) == 0
    script = capsys.readouterr().out
    assert f"--output={tmp_path}/runs/livec-0-0-" in script
    assert "#SBATCH --ntasks-per-node=2" in script
    assert "--trainer.enable_progress_bar false" in script
    assert not (tmp_path / "runs").exists()
    assert main(["submit", str(tmp_path / "absent.yaml")]) == 1
    assert "does not exist; name a run file" in capsys.readouterr().err


def test_prefetch_loads_weights_and_fills_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    file = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(timm.create_model("test_resnet").state_dict(), file)
    more = ["--data.cache", str(tmp_path / "cache"), "--model.network.init_args.image_branch.weights", str(file)]
    _, config, *rest = words(tmp_path, "livec", *more)
    assert main(["prefetch", config, "--", *rest]) == 0
    said = capsys.readouterr().out
    assert f"test_resnet: from {file}" in said
    assert "20 images in" in said
    assert len(list((tmp_path / "cache").glob("livec-*.bin"))) == 1
    assert not (tmp_path / "runs").exists()
    rest[rest.index(str(file))] = "timm"  # there is no internet in a test
    assert main(["prefetch", config, "--weights-only", "--", *rest]) == 1
    assert "weights of test_resnet could not be loaded from 'timm'" in capsys.readouterr().err
