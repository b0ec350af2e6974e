"""Job scripts for SLURM: plain text to read, keep and change."""

import dataclasses
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from string import Template

from sdsiqa.errors import LaunchError

LEAD = 120
"""Seconds before the time limit at which a job is asked to save itself; SLURM may be up to a minute early."""

_SCRIPT = Template("""\
#!/bin/bash
$directives
# A step of a job may be sent SIGTERM together with this shell, which then has to wait for it.
trap ':' TERM

# The address that SLURM itself uses for the first node: names of nodes need not resolve on them.
first=$$(scontrol show hostnames "$$SLURM_JOB_NODELIST" | head -n 1)
MASTER_ADDR=$$(scontrol show node "$$first" | sed -n 's/.*NodeAddr=\\([^ ]*\\).*/\\1/p' | head -n 1)
# This shell runs there too, and finds a port that is free; one made from the job's number may be another job's.
MASTER_PORT=$$($python -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
export MASTER_ADDR MASTER_PORT PYTHONUNBUFFERED=1
$setup
$run
status=$$?
# 75: saved at the signal before the time limit; 138: the signal came while Python was starting. Back into the queue.
case $$status in
  75|138) scontrol requeue "$$SLURM_JOB_ID" ;;
esac
exit "$$status"
""")

_ONE = Template("""\
srun --kill-on-bad-exit=0 --wait=60 $command""")

_ARRAY = Template("""\
# One line per task: number of the cell, folder of its run. A finished cell is skipped.
read -r cell folder < <(sed -n "$$((SLURM_ARRAY_TASK_ID + 1))p" $table)
mkdir -p "$$folder"
srun --kill-on-bad-exit=0 --wait=60 --output "$$folder/slurm-%A_%a.log" --open-mode=append \\
  $command --cell "$$cell\"""")


@dataclasses.dataclass(frozen=True)
class Job:
    """Resources and options of a SLURM job.

    Args:
        name: What queues show.
        log: File for what the job says; `%j`, `%A` and `%a` are filled in by SLURM.
        nodes: Machines.
        gpus: GPUs, and so processes, on each; 0 trains on CPUs with one process on each machine.
        cpus: Cores of each process: one for training, the rest for loading.
        time: Time limit, as SLURM reads it.
        partition: Queue; `None` takes the site's default.
        extra: More options of `sbatch`, such as `account=...`.
        setup: Shell lines before the run, such as `module load cuda`.
        lead: Seconds before the time limit at which the run is asked to save itself.

    Raises:
        LaunchError: A value is out of range, or SLURM does not take it.
    """

    name: str
    log: Path
    nodes: int = 1
    gpus: int = 1
    cpus: int = 4
    time: str = "04:00:00"
    partition: str | None = None
    extra: Sequence[str] = ()
    setup: Sequence[str] = ()
    lead: int = LEAD

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.:+-]+", self.name) or self.name in ("bash", "interactive"):
            raise LaunchError(f"the job's name {self.name!r} is none that SLURM and Lightning take; use letters, digits, - and _")
        if self.nodes < 1 or self.gpus < 0 or self.cpus < 1:
            raise LaunchError(f"got {self.nodes} nodes, {self.gpus} GPUs and {self.cpus} cores; expected 1, 0 and 1 at least")
        if self.lead < 1:
            raise LaunchError(f"--lead is {self.lead}; expected seconds before the time limit, 1 or more")
        if not re.fullmatch(r"(\d+-)?\d+(:\d+){0,2}", self.time):
            raise LaunchError(f"--time is {self.time!r}; expected minutes, hours:minutes:seconds or days-hours:minutes:seconds")

    @property
    def per_node(self) -> int:
        """Processes on each machine."""
        return max(1, self.gpus)

    def script(self, command: Sequence[str]) -> str:
        """Write the script of one run.

        Args:
            command: Words that start one process of it.
        """
        return self._script([], _ONE.substitute(command=_quoted(command)))

    def array(self, command: Sequence[str], table: Path, tasks: int, parallel: int | None) -> str:
        """Write the script of a job array.

        Args:
            command: Words that run a cell, without its number.
            table: File with number and folder of each task's cell.
            tasks: How many tasks.
            parallel: How many run at a time; `None` leaves that to SLURM.
        """
        limit = "" if parallel is None else f"%{parallel}"
        run = _ARRAY.substitute(command=_quoted(command), table=shlex.quote(str(table)))
        return self._script([f"--array=0-{tasks - 1}{limit}"], run)

    def _script(self, more: Sequence[str], run: str) -> str:
        directives = [
            f"--job-name={self.name}",
            f"--nodes={self.nodes}",
            f"--ntasks-per-node={self.per_node}",
            f"--cpus-per-task={self.cpus}",
            *([f"--gpus-per-node={self.gpus}"] if self.gpus else []),
            f"--time={self.time}",
            *([f"--partition={self.partition}"] if self.partition else []),
            f'--output="{self.log}"' if " " in str(self.log) else f"--output={self.log}",
            "--open-mode=append",
            "--requeue",
            f"--signal=USR1@{self.lead}",
            *more,
            *(f"--{word.removeprefix('--')}" for word in self.extra),
        ]
        broken = [word for word in directives if "\n" in word]
        if broken:
            raise LaunchError(f"{broken[0]!r} has more than one line")
        lines = "\n".join(f"#SBATCH {word}" for word in directives)
        return _SCRIPT.substitute(directives=lines, python=_quoted([sys.executable]), setup="\n".join(self.setup), run=run)


def _quoted(command: Sequence[str]) -> str:
    """Quote words for a shell."""
    return " ".join(shlex.quote(str(word)) for word in command)
