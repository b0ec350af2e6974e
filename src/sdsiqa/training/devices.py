"""Several devices: who started the processes, how gradients travel, and what every device must agree on."""

import datetime
import os
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.layer_sync import LayerSync, TorchSyncBatchNorm
from lightning.pytorch.strategies import DDPStrategy
from timm.layers.norm_act import BatchNormAct2d, convert_sync_batchnorm
from torch import nn

from sdsiqa.errors import SdsiqaError

PATIENCE = datetime.timedelta(minutes=10)
"""Time that a device waits for the others, which may be filling a cache."""


@dataclass(frozen=True)
class Processes:
    """Processes that a launcher has started, of which this one is one.

    Args:
        nodes: Machines.
        per_node: Processes, and so devices, on each.
    """

    nodes: int
    per_node: int

    @classmethod
    def started(cls, environment: MutableMapping[str, str] = os.environ) -> "Processes | None":
        """Read what `torchrun` or `srun` says; `None` if this process was started alone.

        Args:
            environment: Variables of this process; Lightning asks for one that `srun -n` leaves out, which is added.

        Raises:
            SdsiqaError: A SLURM job has several tasks and `srun` was forgotten, or nodes have unequally many tasks.
        """
        if "TORCHELASTIC_RUN_ID" in environment:
            per_node = int(environment["LOCAL_WORLD_SIZE"])
            return cls(int(environment["WORLD_SIZE"]) // per_node, per_node)
        if "SLURM_STEP_NUM_TASKS" not in environment:
            tasks = int(environment.get("SLURM_NTASKS", "1"))
            if tasks > 1 and environment.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
                raise SdsiqaError(
                    f"this SLURM job has {tasks} tasks and only this process was started, which would wait for the others "
                    "for ever; put `srun` in front of the command, or let `sdsiqa submit` write the script"
                )
            return None
        tasks, nodes = int(environment["SLURM_STEP_NUM_TASKS"]), int(environment.get("SLURM_STEP_NUM_NODES", "1"))
        if tasks % nodes:
            raise SdsiqaError(f"srun started {tasks} processes on {nodes} nodes; give each node equally many: --ntasks-per-node")
        environment.setdefault("SLURM_NTASKS_PER_NODE", str(tasks // nodes))
        return cls(nodes, tasks // nodes)


def spread(config: Any) -> None:
    """Fill in the trainer's settings that the launcher has decided, unless the configuration says otherwise.

    Args:
        config: Arguments of the trainer; changed in place.

    Raises:
        SdsiqaError: As `Processes.started`.
    """
    processes = Processes.started()
    if processes is not None and config.devices == "auto":
        config.devices, config.num_nodes = processes.per_node, processes.nodes
    if config.strategy == "auto" and _world(config) > 1:
        # gradients live in the buckets that are sent, which saves a copy of them; 25 MB a bucket, torch's default, is
        # four messages for a pair of ResNet-50, of which three hide behind the backward pass (docs/cluster.md)
        config.strategy = DDPStrategy(gradient_as_bucket_view=True, timeout=PATIENCE)
    config.plugins = [*_as_list(config.plugins)]
    if config.sync_batchnorm:
        config.sync_batchnorm = False  # Lightning takes either its own or a plugin
        config.plugins.append(TimmSyncBatchNorm())
    if "SLURM_NTASKS" in os.environ and "TORCHELASTIC_RUN_ID" not in os.environ and SLURMEnvironment.detect():
        # Lightning would save and requeue from inside a signal handler, in the middle of a step (docs/runs.md)
        config.plugins.append(SLURMEnvironment(auto_requeue=False))


def check_devices(config: Any) -> None:
    """Refuse more GPUs than there are; two processes on one machine's cores would be slower than one, and no GPU training.

    Args:
        config: Arguments of the trainer.

    Raises:
        SdsiqaError: There are too few GPUs; says how many, and what to ask for.
    """
    if config.accelerator not in ("auto", "gpu", "cuda") or torch.backends.mps.is_available():
        return
    there, needed = torch.cuda.device_count(), _needed(config.devices)
    if config.accelerator == "auto" and needed <= 1 and there == 0:
        return  # one process on the CPU, as without any setting
    if needed > there or (there == 0 and config.accelerator != "auto"):
        have = "no GPU" if there == 0 else f"{there} GPU{'s' if there > 1 else ''}"
        raise SdsiqaError(
            f"trainer.devices is {config.devices} with trainer.accelerator {config.accelerator}, and this machine has {have}; "
            "leave out trainer.devices (GPUS of make) to use what there is, or ask for processes on CPUs with "
            "--trainer.accelerator cpu"
        )


class TimmSyncBatchNorm(LayerSync):
    """Batch normalisation over all devices.

    torch's own conversion replaces timm's layers, which hold an activation, by layers without one: another network.
    """

    def apply(self, model: nn.Module) -> nn.Module:
        """Convert a model's layers.

        Args:
            model: The model; changed in place.
        """
        converted: nn.Module = convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return converted

    def revert(self, model: nn.Module) -> nn.Module:
        """Leave the layers as they are: outside of training they compute what they replaced.

        Args:
            model: The model.
        """
        return model


class SameStatistics(Callback):
    """Gives all devices the statistics of the first one before a validation.

    Each device's batch normalisation has seen its own images, so the devices would score with different networks, and
    none of them with the one that the checkpoint keeps.
    """

    def on_validation_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Send them; after a callback that averages weights has put its own network in place."""
        if trainer.world_size == 1 or trainer.sanity_checking:
            return
        for buffer in pl_module.buffers():
            torch.distributed.broadcast(buffer, 0)


def check_layer_sync(trainer: lightning.Trainer, network: nn.Module) -> None:
    """Refuse PyTorch's own normalisation over devices for a network whose layers it would replace by others.

    Args:
        trainer: Of a training that is about to begin.
        network: What it trains.

    Raises:
        SdsiqaError: Says what to give the trainer in its place.
    """
    is_torchs = isinstance(getattr(trainer.strategy, "_layer_sync", None), TorchSyncBatchNorm)
    if is_torchs and any(isinstance(module, BatchNormAct2d) for module in network.modules()):
        raise SdsiqaError(
            "Trainer(sync_batchnorm=True) would replace timm's normalisation by one without its activation, which is another "
            "network; use Trainer(plugins=[sdsiqa.training.TimmSyncBatchNorm()])"
        )


def _world(config: Any) -> int:
    """Devices of all nodes."""
    devices = config.devices
    if devices in ("auto", -1, "-1"):
        count = torch.cuda.device_count() if config.accelerator in ("auto", "gpu", "cuda") else 0
        devices = max(1, count)
    elif isinstance(devices, str):
        devices = len([word for word in devices.split(",") if word]) if "," in devices else int(devices)
    return int(config.num_nodes) * (len(devices) if isinstance(devices, list | tuple) else int(devices))


def _needed(devices: Any) -> int:
    """GPUs that a setting of devices needs: their number, or one more than the highest index of a list; 0 for any number."""
    if devices == "auto":
        return 0
    if isinstance(devices, str):
        devices = [int(word) for word in devices.split(",") if word.strip()] if "," in devices else int(devices)
    return max(devices, default=-1) + 1 if isinstance(devices, list | tuple) else int(devices)


def _as_list(plugins: Any) -> list[Any]:
    if plugins is None:
        return []
    return list(plugins) if isinstance(plugins, list | tuple) else [plugins]
