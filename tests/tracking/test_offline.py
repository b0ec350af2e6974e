"""What was logged offline goes up in order and once."""

import time
from pathlib import Path

import pytest
from wandb_server import serve

from sdsiqa.cli import main
from sdsiqa.files import write_bytes
from sdsiqa.runs.folder import RunSettings
from sdsiqa.tracking import artifacts, session
from sdsiqa.tracking.offline import offline_parts

pytestmark = pytest.mark.usefixtures("logged_out")

KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, one of which was interrupted once."""
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        for name, fresh in (("second", True), ("first", True), ("second", False)):
            logger = session.open_logger(session.WandbSettings(), RunSettings(group="grid"), root / "deep" / name)
            assert logger is not None
            if fresh:
                artifacts.use_data([logger], "livec", {"data_version": "0123abcd"})
            for file in ("scores/livec-test.csv", "split.json", "run.json", "best.ckpt"):
                write_bytes(root / "deep" / name / file, name.encode())
            artifacts.log_results([logger], root / "deep" / name, root / "deep" / name / "best.ckpt")
            session.close()
            time.sleep(1)  # folders are named by the second
    return root


def test_parts_are_found_at_any_depth_and_in_order_of_time(runs: Path) -> None:
    names = [part.parent.parent.name for part in offline_parts([runs])]
    assert names == ["second", "first", "second"]
    assert offline_parts([runs / "deep" / "first", runs]) == offline_parts([runs])


def test_without_a_login_nothing_goes_up_and_it_says_how_to_log_in(runs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", str(runs)]) == 1
    said = capfd.readouterr()
    assert "0 of 3 offline logs are on the server already" in said.out
    assert "log in first: `wandb login`" in said.err
    assert main(["sync", str(runs), "--dry-run"]) == 0


def test_a_folder_without_logs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", str(tmp_path)]) == 1
    assert "holds no wandb/offline-run-*; was WANDB_MODE disabled" in capsys.readouterr().err


def test_everything_goes_up_in_order_and_once(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with serve() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.address)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        assert main(["sync", str(runs)]) == 0
        assert "3 logs went up" in capfd.readouterr().out
        assert sorted({run["name"] for run in server.runs}) == ["grid-first", "grid-second"]
        begun = [run for run in server.runs if run["groupName"]]  # later ones only bring news
        assert {run["name"] for run in begun if run["groupName"] == "grid"} == {"grid-first", "grid-second"}
        kinds = [(artifact["artifactTypeName"], artifact["artifactCollectionName"]) for artifact in server.artifacts]
        second = [kind for kind in kinds if "second" in kind[1]]
        # artifacts of one log are sent side by side; whichever is committed first
        both = [("model", "model-grid-second"), ("scores", "scores-grid-second")]
        assert [sorted(second[:2]), sorted(second[2:])] == [both, both]
        assert kinds.count(("dataset", "livec")) == 2
        assert len(server.used) == 2
        before = len(server.runs)
        assert main(["sync", str(runs)]) == 0
        assert "3 of 3 offline logs are on the server already" in capfd.readouterr().out
        assert len(server.runs) == before
