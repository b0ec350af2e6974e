"""A real SLURM of two nodes on one machine, started for the tests and stopped after them."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("srun", "sbatch", "scontrol", "squeue", "slurmctld", "slurmd", "munged")
PACKAGES = ("slurm-wlm", "munge")
CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# a job that is put back into the queue waits until its old credential has expired
AuthInfo=socket={folder}/munge.socket,cred_expire=6
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=bf_interval=5,sched_interval=5,batch_sched_delay=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=30
MinJobAge=600
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1 RealMemory=4000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1 RealMemory=4000
PartitionName=main Nodes=n1,n2 Default=YES State=UP MaxTime=INFINITE
"""


class Slurm:
    """The cluster.

    Args:
        folder: Where its files go; short, for a socket's path has little room.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        self._processes: list[subprocess.Popen[bytes]] = []

    @staticmethod
    def install() -> str:
        """Install what is missing; say why that is not possible, or nothing."""
        missing = [name for name in PROGRAMS if _which(name) is None]
        if not missing:
            return ""
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            return f"{', '.join(missing)} are missing, and only root can install {' and '.join(PACKAGES)} with apt-get"
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
            done = subprocess.run(["apt-get", "--quiet", *words], env=quiet, capture_output=True, text=True, check=False)
            if done.returncode:
                return f"apt-get {words[0]} failed: {done.stderr[-500:]}"
        return ""

    def start(self) -> None:
        """Start munge, the controller and two nodes, and wait until both are idle."""
        for name in ("state", "spool-n1", "spool-n2"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "munge.key").write_bytes(os.urandom(1024))
        (self.folder / "munge.key").chmod(0o400)
        conf = CONF.format(host=socket.gethostname(), folder=self.folder, ports=_free_ports(3))
        (self.folder / "slurm.conf").write_text(conf)
        names = {name: f"--{name}-file={self.folder}/munge.{name}" for name in ("key", "pid", "log", "seed")}
        self._spawn("munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket", *names.values())
        _wait(lambda: (self.folder / "munge.socket").exists(), 20, "munge has no socket")
        self._spawn("slurmctld", "-D")
        for node in ("n1", "n2"):
            self._spawn("slurmd", "-D", "-N", node)
        _wait(lambda: self.run("sinfo", "--noheader", "--format=%D %T").split() == ["2", "idle"], 60, "the nodes are not idle")

    def run(self, program: str, *words: str) -> str:
        """Run a client; give what it says."""
        path = _which(program)
        assert path is not None
        return subprocess.run([path, *words], env=self.environment, capture_output=True, text=True, check=False).stdout.strip()

    def state(self, job: str) -> str:
        """State of a job, or of a task of an array; empty when SLURM does not know it."""
        return self.run("squeue", "--noheader", "--states=all", "--format=%T", "--jobs", job)

    def wait(self, job: str, seconds: float) -> list[str]:
        """Wait until a job and all its tasks have ended; give their states."""
        last: list[str] = []

        def ended() -> bool:
            nonlocal last
            last = self.state(job).split()
            return bool(last) and not {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "REQUEUED"} & set(last)

        _wait(ended, seconds, lambda: f"job {job} is {last}: {self.run('scontrol', 'show', 'job', job)}")
        return last

    def stop(self) -> None:
        """End everything that was started, jobs included, and see that nothing is left."""
        if len(self._processes) > 1:
            self.run("scancel", "--user=root", "--signal=KILL", "--full")
            self.run("scancel", "--user=root")
            deadline = time.monotonic() + 20
            while self.run("squeue", "--noheader") and time.monotonic() < deadline:
                time.sleep(0.5)
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        for process in self.left():
            os.kill(process, signal.SIGKILL)
        _wait(lambda: not self.left(), 10, lambda: f"processes are left: {self.left()}")

    def left(self) -> list[int]:
        """Processes of this cluster and of its jobs that still live: its configuration is in their environment."""
        mark = f"SLURM_CONF={self.folder / 'slurm.conf'}".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if int(entry.name) != os.getpid() and mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:  # gone, or another user's
                continue
        return found

    def _spawn(self, program: str, *words: str) -> None:
        path = _which(program)
        assert path is not None
        with (self.folder / f"{program}-said.log").open("ab") as log:
            self._processes.append(subprocess.Popen([path, *words], env=self.environment, stdout=log, stderr=log))


def _which(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def _free_ports(count: int) -> list[int]:
    holders = [socket.socket() for _ in range(count)]
    for holder in holders:
        holder.bind(("127.0.0.1", 0))
    ports = [int(holder.getsockname()[1]) for holder in holders]
    for holder in holders:
        holder.close()
    return ports


def _wait(done: object, seconds: float, why: object) -> None:
    deadline = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise AssertionError(why() if callable(why) else why)
        time.sleep(0.5)
