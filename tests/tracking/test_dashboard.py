"""The dashboard of a real offline project: made without a login, brought to a server once."""

import json
from pathlib import Path
from typing import Any

import pytest
import wandb
from offline_runs import FLAT, records
from wandb_server import serve

from runs import fit
from sdsiqa.cli import main
from sdsiqa.tracking.dashboard import Shown, build, survey

pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.slow]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six runs of one ablation, logged offline."""
    root = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDSIQA_TEST_SUBSET", "1")
        patch.setenv("WANDB_MODE", "offline")
        for ablation, gate in (("full", "gct"), ("no_gate", "glu"), ("se", "se")):
            for split in (0, 1):
                labels = ["--run.ablation", ablation, "--run.group", "gates", "--run.tags", f'["gates", "{ablation}"]']
                more = ["--data.split", str(split), "--model.network.init_args.fusion.gate", gate]
                more += ["--run.figures", str(ablation == "full").lower()]
                fit(root, *labels, *more, "--run.job_type", "cell", "--wandb.checkpoints", "false", benchmark="live", epochs=1)
    return root / "runs"


@pytest.fixture(autouse=True)
def _place(logged_out: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def sections(view: dict[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """Name kind and content of each panel, section by section."""
    keys = ("metrics", "mediaKeys", "columns", "diffOnly")
    found = {}
    for section in view["spec"]["section"]["panelBankConfig"]["sections"]:
        panels = []
        for panel in section["panels"]:
            config = panel["config"]
            what = next((config[key] for key in keys if key in config), None)
            panels.append((panel["viewType"], what if what is not None else json.dumps(config)))
        found[section["name"]] = panels
    return found


def test_runs_read_back_from_offline_files_carry_group_tags_and_flat_keys(project: Path) -> None:
    seen = []
    for folder in sorted(project.iterdir()):
        begun = next(record["run"] for record in records(folder) if record["type"] == "run")
        assert (begun["run_group"], begun["job_type"], begun["project"]) == ("gates", "cell", "sdsiqa")
        config = begun["config"]["update"]
        assert begun["tags"] == ["gates", config["ablation"]]
        assert set(FLAT) <= set(config)
        seen.append((config["ablation"], config["benchmark"], config["split"], config["backbone"], config["saliency"]))
    assert sorted(seen) == [
        (name, "live", split, "test_resnet", "SDSP") for name in ("full", "no_gate", "se") for split in (0, 1)
    ]


def test_without_a_login_the_workspace_is_a_file_and_the_same_one_each_time(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["dashboard", "sdsiqa", "--runs", str(project)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "sdsiqa-dashboard.json: the workspace of 6 runs of sdsiqa" in said
    assert "`wandb login`, then `sdsiqa sync" in said
    file = tmp_path / "sdsiqa-dashboard.json"
    first = file.read_bytes()
    assert main(words) == 0
    assert file.read_bytes() == first
    view = json.loads(first)
    found = sections(view)
    assert list(found) == ["Leaderboard", "Ablation", "Per distortion", "Scatter plots", "Learning curves", "Run comparer"]
    srcc, plcc = ("Bar Chart", ["summary_metrics.live-test/srcc"]), ("Bar Chart", ["summary_metrics.live-test/plcc"])
    assert found["Leaderboard"] == [srcc, plcc]
    assert found["Ablation"][:2] == [srcc, plcc]
    assert [column["accessor"] for column in found["Ablation"][2][1]] == [
        *("config:ablation.value", "config:backbone.value", "config:saliency.value", "summary:live-test/srcc"),
    ]
    assert "distortions/live-test" in found["Per distortion"][0][1]
    assert [what for _, what in found["Scatter plots"]] == [["figures/scatter"], ["figures/panel"]]
    assert [what for _, what in found["Learning curves"]] == [["val/srcc"], ["train/loss_epoch"], ["train/lr"]]
    assert found["Run comparer"] == [("Run Comparer", "split")]
    bars = view["spec"]["section"]["panelBankConfig"]["sections"][1]["panels"][0]["config"]
    assert (bars["groupBy"], bars["groupAgg"], bars["groupArea"]) == ("ablation.value", "mean", "stddev")
    pinned = view["spec"]["section"]["runSets"][0]["runFeed"]["columnPinned"]
    assert {f"config:{name}" for name in ("ablation", "benchmark", "split", "backbone", "saliency")} < set(pinned)


def test_every_panel_shows_what_the_runs_have_logged(project: Path) -> None:
    logged = json.dumps([records(folder) for folder in sorted(project.iterdir())])
    view = build("me", "sdsiqa", survey(project, "sdsiqa"))._to_model().model_dump(by_alias=True, exclude_none=True, mode="json")
    for kind, what in [panel for panels in sections(view).values() for panel in panels]:
        if kind == "Bar Chart":
            what = [key.removeprefix("summary_metrics.") for key in what]
        if kind in ("Bar Chart", "Media Browser", "Run History Line Plot"):
            assert all(key in logged for key in what), (kind, what)


def test_a_second_call_changes_nothing_on_the_server(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wandb.teardown()  # forgets the settings of the runs above
    with serve() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.address)
        monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef0123456789abcdef01234567")
        words = ["dashboard", "sdsiqa", "--runs", str(project)]
        assert main(words) == 0
        address = capsys.readouterr().out.strip().splitlines()[-1]
        assert address.startswith(f"{server.address}/me/sdsiqa?nw=")
        assert main(words) == 0
        assert capsys.readouterr().out.strip().splitlines()[-1] == address
        assert len(server.saved) == 1
        (view,) = server.views.values()
        view["displayName"] = "changed by hand"
        assert main(words) == 0
        assert len(server.saved) == 2
        assert len(server.views) == 1  # updated, not made again


def test_a_project_without_runs_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboard", "other", "--runs", str(project)]) == 1
    assert "holds no run of the project 'other'; there are runs of sdsiqa; name its folder" in capsys.readouterr().err


def test_a_workspace_without_results_still_stands() -> None:
    view = build("", "empty", Shown(1, (), ()))._to_model().model_dump(by_alias=True, mode="json")
    assert len(sections(view)) == 6
