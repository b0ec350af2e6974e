"""`sdsiqa grid`: run the cells of an experiment here, skip what is done, end with its tables."""

import os
import queue
import shlex
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import FrameType

from rich.console import Console

from sdsiqa import report
from sdsiqa.errors import ExperimentError
from sdsiqa.experiments.cell import Cell, State
from sdsiqa.experiments.definition import Experiment
from sdsiqa.experiments.plan import plan
from sdsiqa.experiments.progress import Board
from sdsiqa.experiments.runner import run_cell
from sdsiqa.runs.arguments import Arguments, any_path, at_least, folder
from sdsiqa.runs.lock import CELL, RunLock
from sdsiqa.runs.signals import STATUS, heeded, note, received

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def main(args: list[str] | None = None) -> int:
    """Run an experiment.

    Args:
        args: Words after `sdsiqa grid`; `None`: use `sys.argv`.

    Returns:
        0 if every cell that was asked for is done, 1 if some failed or cannot be run; if interrupted, 130, or what
        `sdsiqa.runs.signals` says of the signal.
    """
    options = _parser().parse_args(args)
    console = Console()
    experiment = Experiment.load(options.experiment, _benchmarks(options.benchmark))
    variants = [
        variant
        for variant in [*experiment.variants(), *experiment.first_stages_of_variants()]
        if (options.only is None or variant.matches(options.only)) and (options.cell is None or variant.index == options.cell)
    ]
    if not variants:
        known = ", ".join(variant.name for variant in experiment.variants()[:3])
        raise ExperimentError(f"{experiment.name} has no such cell; its {len(experiment.variants())} cells are {known}, …")
    with console.status(f"planning {len(variants)} cells"):
        cells, gpus = plan(experiment, options.runs, variants)
    if options.dry_run:
        _list(console, cells)
        return 0
    _refuse_stale(cells)
    states = run_all(cells, environments(options.jobs, gpus, os.environ), console, options.retry_failed)
    done = [cell for cell in cells if states[cell.name] is State.DONE]
    if {State.NEW, State.INTERRUPTED} & set(states.values()):
        console.print("interrupted; the same command resumes")
        return next((STATUS[number] for number in received()), 130)
    tested = [cell for cell in done if not cell.variant.is_first]
    if tested and options.cell is None:
        out = options.out or options.runs / experiment.group / "report" / experiment.name
        blanks = {report.Blank(cell.benchmark, (cell.variant.method, cell.variant.ablation), cell.blocked): None
                  for cell in cells if cell.blocked and not cell.variant.is_first}  # fmt: skip
        folders = [cell.folder for cell in tested]
        # `--only`, or a failure, may leave none of it to compare with
        there = {name for cell in tested for name in (cell.variant.method, cell.variant.ablation)}
        baseline = experiment.baseline if experiment.baseline in there else None
        if experiment.tests or any((cell.config.get("run") or {}).get("test", True) for cell in tested):
            report.write(folders, out, baseline, with_images=not options.no_images, blanks=list(blanks))
            files = f"{out / 'report.md'}, {out / 'report.html'}"
        elif tables := report.validation_tables(report.read_validated(folders)):
            report.show_validation(tables)
            files = ", ".join(map(str, report.write_validation(tables, out)))
        else:
            files = "no report, for they test and validate nothing"
        asked = sum(not cell.variant.is_first for cell in cells)
        console.print(f"from {len(tested)} of {asked} cells: {files}", highlight=False, soft_wrap=True)
    return 0 if len(done) == len(cells) else 1


def environments(jobs: int | None, gpus: int, environ: Mapping[str, str]) -> list[dict[str, str]]:
    """Share out devices and threads: the variables of each process that runs at a time.

    Args:
        jobs: Cells at a time; `None` takes one per GPU, or one where there is no GPU.
        gpus: Number of GPUs that are visible here.
        environ: The variables here.

    Returns:
        Variables per process; on GPUs one device each.

    Raises:
        ExperimentError: More cells at a time are asked for than there are GPUs.
    """
    if jobs is not None and jobs < 1:
        raise ExperimentError(f"--jobs is {jobs}; expected 1 or more")
    if gpus and jobs is not None and jobs > gpus:
        raise ExperimentError(
            f"--jobs is {jobs} and there are {gpus} GPUs, one for each cell; ask for at most {gpus}, or set "
            "CUDA_VISIBLE_DEVICES='' to run on the CPU"
        )
    count = jobs or gpus or 1
    # a smaller number that is set already is kept, and for all: torch takes MKL's over OpenMP's, and two cells with two threads
    # each on two cores spin while they wait for each other, and take many times as long
    kept = [int(environ[name]) for name in _THREADS if environ.get(name, "").isdigit()]
    threads = str(max(1, min([len(os.sched_getaffinity(0)) // count, *kept])))
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(number) for number in range(gpus)]
    shared = []
    for place in range(count):
        device = {"CUDA_VISIBLE_DEVICES": names[place].strip()} if gpus else {}
        shared.append({**environ, **dict.fromkeys(_THREADS, threads), **device})
    return shared


def run_all(
    cells: Sequence[Cell], environments: Sequence[Mapping[str, str]], console: Console, retry_failed: bool = False
) -> dict[str, State]:
    """Run cells until each is done or has failed; Ctrl-C and SIGTERM let those that run save themselves, then stop.

    A cell starts when the first stage that it starts from is done; it cannot run if that one has failed.

    Args:
        cells: The cells.
        environments: Variables per process that runs at a time.
        console: Where to show how it goes.
        retry_failed: Also run cells that failed before.

    Returns:
        What became of each cell, by name; `NEW` and `INTERRUPTED` are what Ctrl-C left undone.
    """
    states = {cell.name: cell.state for cell in cells}
    wanted = {State.NEW, State.INTERRUPTED, State.RUNNING} | ({State.FAILED} if retry_failed else set())
    todo = sorted((cell for cell in cells if states[cell.name] in wanted), key=_order)
    stop = threading.Event()
    free: queue.SimpleQueue[Mapping[str, str]] = queue.SimpleQueue()
    for environment in environments:
        free.put(environment)
    board = Board(cells, states, len(environments), console)

    def work(cell: Cell) -> State:
        environment = free.get()
        try:
            while not stop.is_set():
                board.change(cell, State.RUNNING)
                state = run_cell(cell, environment, stop)
                if state is not State.RUNNING:
                    return state
                stop.wait(2)  # another process has it; its end is awaited here, so that no more run at a time than asked for
            return cell.state
        finally:
            free.put(environment)

    with _Interrupt(stop), board, ThreadPoolExecutor(len(environments)) as pool:
        running: dict[Future[State], Cell] = {}
        while running or (todo and not stop.is_set()):
            under_way = {cell.name for cell in (*todo, *running.values())}
            for cell in list(todo):
                first = cell.first
                ready = State.DONE if first is None else board.states[first.name]
                if first is None or ready is State.DONE:
                    running[pool.submit(work, cell)] = cell
                elif ready in (State.FAILED, State.BLOCKED, State.STALE) and first.name not in under_way:
                    board.block(cell, f"its first stage {first.name} is {ready}")
                elif first.name in under_way:
                    continue  # and wait
                todo.remove(cell)
            for future in [future for future in running if future.done()]:
                board.change(running.pop(future), future.result())
            board.show()
            time.sleep(0.2)
    return board.states


class _Interrupt:
    """While it lasts, Ctrl-C and the signals of a cluster set an event."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def __enter__(self) -> None:
        self.before = {number: signal.signal(number, self._set) for number in heeded()}

    def __exit__(self, *args: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _set(self, number: int, frame: FrameType | None) -> None:
        note(number)
        self.stop.set()


def _parser() -> Arguments:
    parser = Arguments(
        prog="sdsiqa grid",
        description="Run the cells of an experiment: benchmarks × methods × ablations × splits × seeds, first stages of training "
        "before the cells that start from them. Finished cells are skipped, interrupted ones resume, and a report is written at "
        "the end.",
    )
    parser.add_argument("experiment", type=any_path, metavar="EXPERIMENT", help="experiment file, as in experiments/")
    parser.add_argument("--dry-run", action="store_true", help="list the cells, their state and their commands; run nothing")
    parser.add_jobs("cells at a time (default: one per GPU, or one)", None)
    parser.add_argument("--only", metavar="PATTERN", help="only cells with this in their name; * and ? stand for anything")
    parser.add_argument("--retry-failed", action="store_true", help="also run cells that failed before")
    parser.add_argument(
        "--cell", type=at_least(0), metavar="INDEX", help="run the one cell with this number in the list of --dry-run; no report"
    )
    parser.add_argument(
        "--benchmark",
        action="append",
        type=_paths,
        metavar="FILE[,FILE]",
        default=[],
        help="data file, such as configs/data/livec.yaml, and what is laid over it, in place of the experiment's benchmarks; "
        "may be repeated",
    )
    parser.add_runs()
    parser.add_argument("--out", type=folder, metavar="FOLDER", help="where the report goes (default: beside the runs)")
    parser.add_argument("--no-images", action="store_true", help="leave the benchmarks' images out of the report, to publish it")
    return parser


def _paths(words: str) -> tuple[Path, ...]:
    return tuple(any_path(name) for name in words.split(","))


def _benchmarks(chosen: Sequence[tuple[Path, ...]]) -> dict[str, tuple[Path, ...]]:
    for file in (file for files in chosen for file in files):
        if not file.is_file():
            raise ExperimentError(f"--benchmark {file} does not exist; name a data file, such as configs/data/livec.yaml")
    return {files[0].stem: files for files in chosen}


def _order(cell: Cell) -> tuple[int, bool, int]:
    """Sort: cells that run on this machine first, because they use its devices; those that run elsewhere last."""
    owner = RunLock(cell.folder, CELL).owner
    place = 1 if owner is None else 0 if owner.get("host") == os.uname().nodename else 2
    return place, not cell.variant.is_first, cell.variant.index


def _refuse_stale(cells: Sequence[Cell]) -> None:
    """Let no table mix results of two codes, configurations or versions of the data."""
    stale = [(cell, other) for cell in cells for other in cell.stale]
    if stale:
        told = "\n".join(f"{other}\n  " + "\n  ".join(cell.difference(other)) for cell, other in stale)
        raise ExperimentError(
            f"{len(stale)} cells were made from something else than they would be now (folder's → now):\n{told}\n"
            "go back to what they were made from, remove these folders, or give another folder as --runs"
        )


def _list(console: Console, cells: Sequence[Cell]) -> None:
    for cell in cells:
        console.print(f"{cell.variant.index:>4}  {cell.state:<12}{cell.name}", style="bold", highlight=False)
        for other in cell.stale:
            console.print(f"      {other} was made from something else:", highlight=False)
            for line in cell.difference(other):
                console.print(f"        {line}", highlight=False, soft_wrap=True)
        why = cell.blocked or (f"failed: {cell.failure['said']} ({cell.log})" if cell.failure else "")
        if why:
            console.print(f"      {why}", highlight=False, soft_wrap=True, markup=False)
        if not cell.blocked:
            console.print(f"      {shlex.join(['sdsiqa', 'fit', *cell.argv])}", highlight=False, soft_wrap=True, markup=False)
    counts = ", ".join(
        f"{sum(cell.state is state for cell in cells)} {state}" for state in State if any(c.state is state for c in cells)
    )
    console.print(f"{len(cells)} cells: {counts}", highlight=False)
