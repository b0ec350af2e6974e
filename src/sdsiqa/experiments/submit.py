"""`sdsiqa submit`: a run or an experiment as jobs of a cluster."""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sdsiqa.errors import LaunchError
from sdsiqa.experiments.cell import State
from sdsiqa.experiments.definition import Experiment, read_yaml
from sdsiqa.experiments.plan import folder_of_run, plan
from sdsiqa.experiments.slurm import LEAD, Job
from sdsiqa.files import write_bytes
from sdsiqa.runs.arguments import Arguments, any_path, at_least


def main(args: list[str] | None = None) -> int:
    """Submit a run, or the unfinished cells of an experiment.

    Args:
        args: Words after `sdsiqa submit`; `None`: use `sys.argv`. What follows `--` goes to `sdsiqa fit`.

    Returns:
        0 if a job was submitted, or nothing is left to do.
    """
    words = sys.argv[2:] if args is None else args
    cut = words.index("--") if "--" in words else len(words)
    options = _parser().parse_args(words[:cut])
    more = words[cut + 1 :]
    if not options.config.is_file():
        raise LaunchError(f"{options.config} does not exist; name a run file such as configs/base.yaml, or an experiment")
    build = _array if _is_experiment(options.config) else _one
    before: str | None = None
    for script, file in build(options, more):
        if options.dry_run:
            print(script, end="")
            continue
        write_bytes(file, script.encode())
        number = _sbatch(file, before)
        after = "" if before is None else f", after job {before}"
        print(f"job {number}{after}: {file}\nlogs: {file.parent}; `squeue --job {number}` shows how far it is")
        before = number
    return 0


def _one(options: argparse.Namespace, more: Sequence[str]) -> list[tuple[str, Path]]:
    """Write the script of one run; none if it is finished."""
    words = ["-c", str(options.config.absolute()), *more]
    run = folder_of_run(words)
    folder = run.path
    if run.finished and not options.dry_run:
        print(f"{folder} is finished already; nothing to submit")
        return []
    job = _job(options, folder.name, folder.absolute() / "slurm-%j.log")
    command = [sys.executable, "-P", "-m", "sdsiqa", "fit", *words, "--trainer.enable_progress_bar", "false"]
    return [(job.script(command), folder.absolute() / "job.sh")]


def _array(options: argparse.Namespace, more: Sequence[str]) -> list[tuple[str, Path]]:
    """Write the scripts of an experiment and the tables of their tasks; none if all is done.

    First stages are an array of their own, after which the array of the cells starts. A cell whose first stage did not come to
    its end runs it again.
    """
    if more:
        raise LaunchError(f"{more[0]!r}: an experiment's runs are what its file says; leave out what follows --")
    if options.nodes != 1 or options.gpus > 1:
        raise LaunchError("a cell of an experiment runs on one GPU of one node; leave out --nodes, and set --gpus to 0 or 1")
    experiment = Experiment.load(options.config, {})
    cells, _ = plan(experiment, options.runs.absolute())
    left = [cell for cell in cells if cell.state not in (State.DONE, State.BLOCKED)]
    stale = [cell.name for cell in cells if cell.state is State.STALE]
    if stale:
        raise LaunchError(f"{stale[0]} was made from something else; `sdsiqa grid {options.config} --dry-run` says from what")
    for cell in cells:
        if cell.blocked:
            print(f"{cell.name} is left out: {cell.blocked}", file=sys.stderr)
    if not left:
        print(f"all {len(cells)} cells are done; nothing to submit")
        return []
    print(f"{len(left)} of {len(cells)} cells are to be run", file=sys.stderr)
    place = options.runs.absolute() / experiment.group / "jobs"
    command = [
        sys.executable,
        "-P",
        "-m",
        "sdsiqa",
        "grid",
        str(options.config.absolute()),
        "--runs",
        str(options.runs.absolute()),
    ]
    scripts = []
    for name, is_first in ((f"{experiment.name}-first", True), (experiment.name, False)):
        tasks = [cell for cell in left if cell.variant.is_first == is_first]
        if not tasks:
            continue
        job, table = _job(options, name, place / f"{name}-%A_%a.log"), place / f"{name}.cells"
        if not options.dry_run:
            write_bytes(table, "".join(f"{cell.variant.index} {cell.folder}\n" for cell in tasks).encode())
        script = job.array([*command, "--retry-failed"], table, len(tasks), options.array_parallel)
        scripts.append((script, place / f"{name}.sh"))
    return scripts


def _job(options: argparse.Namespace, name: str, log: Path) -> Job:
    return Job(
        name=name,
        log=log,
        nodes=options.nodes,
        gpus=options.gpus,
        cpus=options.cpus,
        time=options.time,
        partition=options.partition,
        extra=options.sbatch,
        setup=options.setup,
        lead=options.lead,
    )


def _sbatch(file: Path, before: str | None = None) -> str:
    """Hand a script to SLURM, to start after another job has ended; give the job's number."""
    tool = shutil.which("sbatch")
    if tool is None:
        raise LaunchError(f"there is no `sbatch` here; run this where jobs are submitted. The script is {file}")
    after = [] if before is None else [f"--dependency=afterany:{before}"]
    done = subprocess.run([tool, "--parsable", *after, str(file)], capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise LaunchError(f"sbatch refused {file}: {' '.join(done.stderr.split())}")
    return done.stdout.strip().partition(";")[0]


def _is_experiment(file: Path) -> bool:
    """Say whether a file is an experiment rather than a run."""
    content = read_yaml(file)
    return isinstance(content, dict) and bool({"extends", "benchmarks", "stack", "axes"} & set(content))


def _parser() -> Arguments:
    parser = Arguments(
        prog="sdsiqa submit",
        description="Submit a run, or the unfinished cells of an experiment as a job array. A job saves itself before its time "
        "limit and is requeued; submitting again runs what is left.",
        epilog="What follows -- goes to `sdsiqa fit`: sdsiqa submit configs/base.yaml -- --data configs/data/livec.yaml",
    )
    parser.add_argument(
        "config", type=any_path, metavar="CONFIG", help="run file such as configs/base.yaml, or experiment as in experiments"
    )
    parser.add_argument("--nodes", type=at_least(1), default=1, metavar="N", help="machines of a run (default: 1)")
    parser.add_argument("--gpus", type=at_least(0), default=1, metavar="G", help="GPUs on each; 0 for CPUs (default: 1)")
    parser.add_argument("--cpus", type=at_least(1), default=4, metavar="C", help="cores of each process (default: 4)")
    parser.add_argument("--time", default="04:00:00", metavar="T", help="time limit of a job, not of the run (default: 04:00:00)")
    parser.add_argument("--partition", metavar="P", help="queue (default: the site's)")
    parser.add_argument("--array-parallel", type=at_least(1), metavar="K", help="cells that run at a time (default: all)")
    parser.add_argument("--lead", type=at_least(1), default=LEAD, metavar="S", help=f"seconds to save in (default: {LEAD})")
    parser.add_argument(
        "--sbatch", action="append", default=[], metavar="OPTION", help="more for sbatch: account=...; repeatable"
    )
    parser.add_argument("--setup", action="append", default=[], metavar="LINE", help="shell line before the run; repeatable")
    parser.add_runs()
    parser.add_argument("--dry-run", action="store_true", help="print the script and submit nothing")
    return parser
