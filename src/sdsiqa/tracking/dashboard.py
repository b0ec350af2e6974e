"""`sdsiqa dashboard`: the Weights & Biases workspace of a project, as code."""

import dataclasses
import hashlib
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from sdsiqa.errors import MissingExtraError, RunMismatchError, SdsiqaError
from sdsiqa.files import write_json
from sdsiqa.runs.arguments import Arguments, file_to_write
from sdsiqa.runs.found import MARKS, LeftOut, check_paths
from sdsiqa.runs.records import read_record

if TYPE_CHECKING:  # a preview interface and an extra: imported where it is used
    from wandb_workspaces.workspaces import Workspace

FILTERS = ("ablation", "method", "benchmark", "split", "seed", "backbone", "saliency")
"""Flat keys of a run's configuration that its table shows, and by which it is filtered and grouped."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """Benchmarks and metrics of the runs of a project.

    Args:
        runs: How many there are.
        parts: Benchmarks and parts that were tested, such as `livec-test`, the most frequent first.
        distorted: Those whose images are of several distortions.
    """

    runs: int
    parts: tuple[str, ...]
    distorted: tuple[str, ...]


def main(args: list[str] | None = None) -> int:
    """Create or update the workspace; without a login, write it to a file.

    Args:
        args: Words after `sdsiqa dashboard`; `None`: use `sys.argv`.
    """
    parser = Arguments(
        prog="sdsiqa dashboard",
        description="Create or update the Weights & Biases workspace of a project: leaderboard, ablation, distortions, scatter "
        "plots, learning curves, comparison of runs. Without a login it is written to a file.",
    )
    parser.add_argument("project", metavar="PROJECT", help="project on Weights & Biases, as in wandb.project")
    parser.add_runs()
    parser.add_entity()
    parser.add_argument("--out", type=file_to_write, metavar="FILE", help="write it there, even with a login")
    options = parser.parse_args(args)
    shown = survey(options.runs, options.project)
    entity = None if options.out else _account(options.entity)
    view = build(options.entity or entity or "", options.project, shown)
    if entity is not None:
        print(_publish(view))
        return 0
    file = options.out or Path(f"{options.project}-dashboard.json")
    write_json(file, view._to_model().model_dump(by_alias=True, exclude_none=True, mode="json"))
    print(f"{file}: the workspace of {shown.runs} runs of {options.project}")
    if not options.out:
        print(
            "there is no login to Weights & Biases. To create it there: `wandb login`, then `sdsiqa sync "
            f"{options.runs}`, which uploads the runs, then this command again"
        )
    return 0


def survey(runs: Path, project: str) -> Shown:
    """Find out what the runs of a project have to show.

    Args:
        runs: Folder of runs, at any depth.
        project: Project on Weights & Biases.

    Raises:
        RunMismatchError: No run below the folder belongs to the project.
    """
    counts: dict[str, int] = {}
    distorted: set[str] = set()
    found, others = 0, set()
    check_paths([runs])
    left_out = LeftOut("dashboard")
    for file in sorted(runs.rglob("config.yaml")):
        if not any((file.parent / mark).exists() for mark in MARKS):
            continue  # W&B's own, or another program's
        try:
            theirs = (yaml.safe_load(file.read_text(encoding="utf-8")).get("wandb") or {}).get("project")
        except (OSError, yaml.YAMLError, AttributeError, ValueError) as error:
            left_out.add(file.parent, f"has a config.yaml that cannot be read ({type(error).__name__})")
            continue
        if theirs != project:
            others.add(str(theirs))
            continue
        found += 1
        for part in read_record(file.parent / "metrics.json"):
            counts[part] = counts.get(part, 0) + 1
        for table in (file.parent / "scores").glob("*.csv"):
            try:
                distorted |= {table.stem} if _is_distorted(table) else set()
            except (OSError, ValueError, IndexError, StopIteration) as error:
                left_out.add(table, f"is no table of scores ({type(error).__name__})")
    if not found:
        known = f"; there are runs of {', '.join(sorted(others))}" if others else ""
        raise RunMismatchError(f"{runs} holds no run of the project {project!r}{known}; name its folder with --runs")
    left_out.tell(True, "")
    parts = sorted(counts, key=lambda part: (-counts[part], part))
    return Shown(found, tuple(parts), tuple(part for part in parts if part in distorted))


def build(entity: str, project: str, shown: Shown) -> "Workspace":
    """Lay the workspace out; the same runs give the same, to the last identity.

    Args:
        entity: User or team.
        project: Project.
        shown: What its runs have to show.

    Raises:
        MissingExtraError: `wandb-workspaces` is not installed.
    """
    os.environ.setdefault("WANDB_SILENT", "true")
    try:
        ws, wr, expr = (import_module(f"wandb_workspaces.{name}") for name in ("workspaces", "reports.v2", "expr"))
    except ImportError as error:
        raise MissingExtraError("a dashboard needs wandb-workspaces: pip install 'sdsiqa[dashboard]'") from error
    first = shown.parts[0] if shown.parts else None
    spread = {"groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}
    by_ablation, by_method = ({"groupby": wr.Config(name), **spread} for name in ("ablation", "method"))

    def bars(figure: str, **how: Any) -> list[Any]:
        return [
            wr.BarPlot(title=f"{part}: {figure.upper()}", metrics=[wr.SummaryMetric(f"{part}/{figure}")], **how)
            for part in shown.parts
        ]

    def curve(title: str, key: str) -> Any:
        return wr.LinePlot(title=title, x="trainer/global_step", y=[key], **by_ablation)

    columns = [wr.ParallelCoordinatesPlotColumn(wr.Config(name), name) for name in ("ablation", "backbone", "saliency")]
    columns += [wr.ParallelCoordinatesPlotColumn(wr.SummaryMetric(f"{part}/srcc"), f"{part}: SRCC") for part in shown.parts]
    sections = {
        "Leaderboard": [*bars("srcc", **by_method), *bars("plcc", **by_method)],
        "Ablation": [*bars("srcc", **by_ablation), *bars("plcc", **by_ablation), wr.ParallelCoordinatesPlot(columns)],
        "Per distortion": [wr.WeavePanelSummaryTable(table_name=f"distortions/{part}") for part in shown.distorted],
        "Scatter plots": [
            wr.MediaBrowser(title="score against opinion", media_keys=["figures/scatter"], num_columns=3),
            wr.MediaBrowser(title="where the network looks", media_keys=["figures/panel"], num_columns=1),
        ],
        "Learning curves": [
            curve("SRCC of the validation part", "val/srcc"),
            curve("loss", "train/loss_epoch"),
            curve("learning rate", "train/lr"),
        ],
        "Run comparer": [wr.RunComparer(diff_only="split")],
    }
    for name, panels in sections.items():
        for place, panel in enumerate(panels):
            panel._id = _identity(project, name, place)
    figures = [f"summary:{part}/{figure}" for part in shown.parts for figure in ("srcc", "plcc")]
    order = [expr.Ordering(expr.Summary(f"{first}/srcc"), ascending=False)] if first else []
    view: Workspace = ws.Workspace(
        entity=entity,
        project=project,
        name="sdsiqa",
        sections=[ws.Section(name=name, panels=panels, is_open=bool(panels)) for name, panels in sections.items()],
        settings=ws.WorkspaceSettings(x_axis="trainer/global_step", max_runs=100),
        runset_settings=ws.RunsetSettings(
            pinned_columns=[*(f"config:{name}" for name in FILTERS), *figures], **({"order": order} if order else {})
        ),
    )
    view._internal_name = f"nw-{_identity(entity, project, 'workspace')}-v"
    view._internal_runset_id = _identity(project, "runs")
    return view


def _publish(view: "Workspace") -> str:
    """Bring the workspace to the server unless it is there; give its address."""
    internal = import_module("wandb_workspaces.workspaces.internal")
    model = view._to_model()
    try:
        there = internal.View.from_name(view.entity, view.project, view._internal_name)
    except ValueError as error:  # no such project, or no such workspace in it
        if "Project" in str(error):
            raise SdsiqaError(f"{error} Upload its runs first: `sdsiqa sync runs`") from error
        there = None
    if there is not None:
        view._internal_id = there.id
    if there is None or (there.spec, there.display_name) != (model.spec, model.display_name):
        view.save()  # type: ignore[no-untyped-call]
    return str(view.url)


def _account(entity: str | None) -> str | None:
    """Name the user or team of the workspace; `None` without a login."""
    account: str | None = import_module("sdsiqa.tracking.session").account()
    return None if account is None else entity or account


def _is_distorted(table: Path) -> bool:
    with table.open(encoding="utf-8") as lines:
        place = next(lines).rstrip("\n").split(",").index("distortion")
        return len({line.split(",")[place] for line in lines}) > 1


def _identity(*names: object) -> str:
    """Name something by what it is, as long as W&B's own random names are."""
    return hashlib.sha256("/".join(map(str, names)).encode()).hexdigest()[:11]
