"""Training in two stages: the first one is a run of its own, whose weights the second one starts from.

The first stage has a configuration, a folder, checkpoints and a lock like every run, so it is stopped, resumed and
shared by all runs that start from the same one. It trains on the training part of the run's own benchmark and split, or on
another benchmark; it never reads a test part.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from jsonargparse.typing import Path_fr
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.utilities import rank_zero_info, rank_zero_only
from omegaconf import OmegaConf
from torch import nn

from sdsiqa.errors import CheckpointError, RunMismatchError, SplitLeakError
from sdsiqa.inference.checkpoint import read_checkpoint
from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.objective import Objective
from sdsiqa.runs.class_paths import class_name
from sdsiqa.runs.environment import code_version
from sdsiqa.runs.fingerprint import decisive, hash_of
from sdsiqa.runs.folder import RunFolder

_OWN = ("network", "objective", "optimizer", "backbone_lr_scale", "schedule", "warmup")
"""Arguments that the task of the first stage takes over as they are."""
_DATA = ("crop", "patches_per_image", "batch_size")
"""Arguments that replace those of the data of the first stage."""


class Pretraining:
    """What is trained first, how, and on what. Trainer settings but the number of epochs are those of the run.

    Args:
        network: What is trained; it has the parts that the run's network names in `stage_one`.
        objective: What is minimised.
        optimizer: Steps the weights; `None`: AdamW.
        epochs: Epochs over the training part; the validation part chooses among them by the network's own scores.
        backbone_lr_scale: Factor on the learning rate of parts that start from pretrained weights.
        schedule: Schedule of the learning rate, as in the task.
        warmup: As in the task.
        data: Benchmark and view, as in `configs/data/`: a file, or what stands in one; `None` takes the training part of the
            run's own benchmark and split.
        crop: Side of a crop in pixels; `None` takes that of the data.
        patches_per_image: Training crops cut from one decoded image; `None` takes that of the data.
        batch_size: Images per step; `None` takes that of the data.
    """

    checkpoint: Path | None = None
    """File to start from, once the first stage is finished."""

    def __init__(
        self,
        network: Callable[[], QualityNetwork],
        objective: Callable[[], Objective],
        optimizer: OptimizerCallable | None = None,
        epochs: int = 8,
        backbone_lr_scale: float = 0.1,
        schedule: Literal["cosine", "one_cycle", "constant"] = "cosine",
        warmup: float = 0.05,
        data: Path_fr | dict | None = None,  # type: ignore[type-arg] # values of `Any` would be built
        crop: int | None = None,
        patches_per_image: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        self.epochs = epochs

    def start(self, network: QualityNetwork) -> None:
        """Give a network the parts that the first stage has learnt.

        Args:
            network: Names them in `stage_one`.

        Raises:
            CheckpointError: It names none, or the first stage has learnt others.
        """
        if self.checkpoint is None:
            return
        names: tuple[str, ...] = getattr(network, "stage_one", ())
        if not names:
            raise CheckpointError(f"{type(network).__name__} takes no weights from a first stage; set model.pretraining to null")
        found = read_checkpoint(self.checkpoint)["state_dict"]
        for name in names:
            part = cast(nn.Module, getattr(network, name))
            prefix = f"network.{name}."
            state = {key[len(prefix) :]: value for key, value in found.items() if key.startswith(prefix)}
            try:
                part.load_state_dict(state)
            except RuntimeError as error:
                reason = " ".join(str(error).split())[:300]
                raise CheckpointError(
                    f"{self.checkpoint}: its {name!r} is not the one of {type(network).__name__} ({reason}); give the "
                    "networks of both stages the same arguments"
                ) from error


class FirstStage:
    """The run of a first stage.

    Args:
        config: The resolved configuration of the run that starts from it, as plain values (`with_data`).
        beside: Folder of that run; the first stage lies in `stage-one/` next to it.

    Raises:
        SplitLeakError: It would train on what the run tests.
    """

    def __init__(self, config: Mapping[str, Any], beside: Path) -> None:
        settings = config["model"]["pretraining"]["init_args"]
        given = settings["data"]
        self.shares_data = given is None
        if given is not None and _benchmark(given) == _benchmark(config["data"]):
            raise SplitLeakError(
                f"the first stage trains on {_benchmark(given)}, parts of which this run tests; set model.pretraining's data to "
                "null, and it trains on the training part alone, or to another benchmark"
            )
        data = {**(config["data"] if given is None else given), **{n: settings[n] for n in _DATA if settings[n] is not None}}
        self.config = {
            "seed_everything": config["seed_everything"],
            "trainer": {**config["trainer"], "max_epochs": settings["epochs"]},
            "model": {name: settings[name] for name in _OWN},
            "data": {**data, "test_on": "test"},
        }
        network = class_name(settings["network"]["class_path"]).lower()
        # weights of other code are other weights, and cells of one experiment share the code
        mark = hash_of({"config": decisive(self.config), "code_version": code_version()})[:8]
        split = data.get("split", 0)
        self.name = f"{network}-{_benchmark(data)}-{split}-{config['seed_everything']}-{mark}"
        self.folder = RunFolder(beside.parent / "stage-one" / self.name)
        run = {"name": self.name, "folder": str(self.folder.path), "job_type": "stage-one", "method": network, "test": False}
        kept = {name: config["run"][name] for name in ("root", "group", "tags", "checkpoint_every")}
        self.config |= {"run": {**kept, **run}, "wandb": {**config["wandb"], "checkpoints": False}}

    @classmethod
    def of(cls, config: Mapping[str, Any], beside: Path) -> "FirstStage | None":
        """Give the first stage of a run, if it has one.

        Args:
            config: As for the class.
            beside: As for the class.
        """
        return None if config["model"].get("pretraining") is None else cls(config, beside)

    def train(self, fit: Callable[[list[str]], object], processes: int) -> None:
        """Train the first stage unless it is finished; wait while another process trains it.

        Args:
            fit: Does what a command line says, given the words after `sdsiqa`.
            processes: How many processes the run has.

        Raises:
            RunMismatchError: There are several, which cannot do it between them.
            StoppedError: A signal came; what was learnt is saved.
        """
        if self.folder.finished:
            return
        file = self.folder.path / "config.yaml"
        if processes > 1:
            self._write()
            raise RunMismatchError(
                f"the first stage {self.folder.path} is not finished, and {processes} processes do not run it on their way; run "
                f"it before, on one device or several: sdsiqa fit -c {file}"
            )
        self._lock()
        try:
            if not self.folder.finished:
                self._write()
                rank_zero_info(f"first stage: {self.folder.path}")
                fit(["fit", "-c", str(file)])
                rank_zero_info("first stage finished")
        finally:
            self.folder.lock.release()

    def weights(self, facts: Mapping[str, str]) -> Path | None:
        """Give the file of what it has learnt; `None` after a mere trial (`fast_dev_run`).

        Args:
            facts: Version of the annotation and hash of the split of the run that starts from it.

        Raises:
            RunMismatchError: It shares the benchmark with that run, and has seen another version or another split.
        """
        if not self.folder.finished:
            return None
        if self.shares_data:
            self.folder.check({name: facts[name] for name in ("data_version", "split_hash")})
        return self.folder.best

    @property
    def record(self) -> dict[str, Any]:
        """Name and hours of training, for the record of the run that starts from it."""
        return {"run": self.name, "training_hours": (self.folder.record.get("cost") or {}).get("training_hours")}

    @rank_zero_only
    def _write(self) -> None:
        self.folder.write("config.yaml", yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True).encode())

    def _lock(self) -> None:
        """Take the folder; wait while another process has it."""
        told = False
        while True:
            try:
                self.folder.lock.acquire()
            except RunMismatchError as busy:
                if not told:
                    print(f"waiting for the first stage: {busy}", flush=True)
                told = True
            else:
                return
            time.sleep(0.5)  # a signal ends it


def with_data(config: Any) -> None:
    """Put what a data file of a first stage says in its place: the identity of a run covers it, not its name.

    Args:
        config: Parsed configuration of a verb; changed in place.
    """
    stage = config.model.get("pretraining")
    file = None if stage is None else stage.init_args.data
    if isinstance(file, Path_fr):
        stage.init_args.data = OmegaConf.to_container(OmegaConf.load(file.absolute), resolve=True)


def _benchmark(data: Mapping[str, Any]) -> str:
    """Name of the benchmark of a data section, as its module is called."""
    return class_name(data["benchmark"]["class_path"]).lower()
