"""The verbs that need Lightning: fit, validate, test, predict."""

import dataclasses
import sys
import time
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml
from jsonargparse import Namespace, set_parsing_settings
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities import rank_zero_info, rank_zero_only

from sdsiqa import public_classes
from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.errors import (
    CheckpointError,
    RunMismatchError,
    SdsiqaError,
    SettingError,
    StoppedError,
    StorageError,
    TrainingFaultError,
)
from sdsiqa.files import now, user_path
from sdsiqa.inference.recipe import Recipe
from sdsiqa.runs import signals
from sdsiqa.runs.environment import surroundings
from sdsiqa.runs.fingerprint import fingerprint, short_paths, without
from sdsiqa.runs.first_stage import FirstStage
from sdsiqa.runs.folder import RunFolder, RunSettings, check_name
from sdsiqa.runs.lock import RunLock, patience
from sdsiqa.runs.process import keep_freed_memory
from sdsiqa.runs.trainings import Training
from sdsiqa.tracking import artifacts, session
from sdsiqa.tracking.logger import RunLogger
from sdsiqa.tracking.session import WandbSettings
from sdsiqa.training.checkpoints import BestCheckpoint, CurrentValidation, RecipeKeeper, WholeCheckpoints
from sdsiqa.training.config_stack import one_config
from sdsiqa.training.devices import SameStatistics, check_devices, spread
from sdsiqa.training.explain_errors import explained, settings_checked
from sdsiqa.training.first_stage import first_stage
from sdsiqa.training.history import Cost, History
from sdsiqa.training.naming import names
from sdsiqa.training.null_settings import check_nulls
from sdsiqa.training.parser import StrictParser
from sdsiqa.training.protocol import check_whole, refuse_seen_by, trainings_of_fit
from sdsiqa.training.rerun import end, request
from sdsiqa.training.resume import Restart, StepSeeds
from sdsiqa.training.score_writers import score_writers
from sdsiqa.training.scores import EpochScores
from sdsiqa.training.step_progress import displays
from sdsiqa.training.step_sync import StepSync
from sdsiqa.training.task import QualityTask
from sdsiqa.training.trainer_options import check_monitors, check_seed, check_trainer

# resolves ${...} after all files and the command line, under subcommands too
set_parsing_settings(omegaconf_absolute_to_relative_paths=True)

_SECTIONS = {"data": QualityDataModule, "model": QualityTask, "run": RunSettings, "wandb": WandbSettings, "trainer": Trainer}

_PARSER = {"parser_mode": "omegaconf+", "allow_abbrev": False}


class QualityCLI(LightningCLI):
    """Builds everything from the configuration, inside one run folder."""

    folder: RunFolder
    plain: dict[str, Any]
    request: str | None
    first: FirstStage | None
    _loggers: Any
    begun: ClassVar[float] = 0.0
    verb: ClassVar[str] = "fit"

    @classmethod
    def start(cls, args: list[str] | None) -> Self:
        """Parse and do what a command line says.

        Args:
            args: Words after `sdsiqa`; `None`: use `sys.argv`.
        """
        cls.begun = time.perf_counter()
        cls.verb = (sys.argv[1:] if args is None else args)[0]
        for package in ("sdsiqa.benchmarks", "sdsiqa.saliency"):  # the parser takes bare names of classes that are imported
            public_classes(package)
        return cls(
            QualityTask,
            QualityDataModule,
            parser_class=StrictParser,
            save_config_callback=None,
            seed_everything_default=0,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            parser_kwargs={cls.verb: _PARSER} | _PARSER,
            args=args,
        )

    @classmethod
    def subcommands(cls) -> dict[str, set[str]]:
        """The verb that is asked for, with what the command line does not set: parsers of the others would cost their time."""
        return {cls.verb: LightningCLI.subcommands()[cls.verb]}

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse all files as one; Lightning's own version warns whenever another Python function hands over the words."""
        verb, *words = sys.argv[1:] if args is None else args
        self.request = request(words)
        StrictParser.words = words
        self.config = parser.parse_args([verb, *one_config(words)])
        config = self.config[verb]
        for section in _SECTIONS:
            if config.get(section) is None:
                raise SettingError(f"{section} is null; expected keys and values, or leave it out")
        check_trainer(config.trainer)
        check_seed(config.seed_everything)
        if config.run.name is not None:
            with settings_checked("run"):
                check_name(config.run.name)

    def _parse_ckpt_path(self) -> None:
        """Leave checkpoints shut: Lightning would look into them for arguments, and ours hold none."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what belongs to the run."""
        parser.add_class_arguments(RunSettings, "run")
        parser.add_class_arguments(WandbSettings, "wandb")

    def before_instantiate_classes(self) -> None:
        """Find the run's folder, and the checkpoint to resume from or to evaluate."""
        config = self.config[self.subcommand]
        self.plain = self.to_plain(config)
        settings = self.plain["run"]
        self.first = first_stage(self.plain, is_fit=self.subcommand == "fit" and config.get("ckpt_path") in (None, "last"))
        with settings_checked("run"):
            path = user_path(settings["folder"] or Path(settings["root"]) / f"{settings['name']}-{self._hash()}")
        self.plain["run"]["folder"] = str(path)
        self.folder = RunFolder(path)
        config.trainer.default_root_dir = str(path)
        check_devices(config.trainer)
        check_whole(self.plain, str(self.subcommand))
        if self.subcommand == "fit":
            self._end_if_finished()
            self._check_start(config)
        else:
            self._choose_checkpoint(config)

    def to_plain(self, config: Namespace) -> dict[str, Any]:
        """Turn the parsed configuration of a verb into plain values, which is what is hashed and written."""
        dumped = yaml.safe_load(self._parser(self.subcommand).dump(config, skip_none=False, skip_validation=True))
        plain = dict(short_paths(dumped))
        check_nulls(plain, _SECTIONS)
        for key, value in names(plain).items():
            config.run[key] = plain["run"][key] = value
        return plain

    def instantiate_classes(self) -> None:
        """Build network, data and trainer; only then make the folder, so that wrong settings, told in one line, leave none."""
        with settings_checked():
            super().instantiate_classes()
        if self.subcommand == "fit":
            self._prepare_fit(self.config_init["fit"])
        self._add_loggers()

    def instantiate_trainer(self, **kwargs: Any) -> Any:
        """Build the trainer with the callbacks that make a run complete."""
        if self.subcommand == "fit":
            self.datamodule.make_split()  # says that there is none
        trainings = self._refuse_leak()
        config = self._get(self.config_init, "trainer")
        given = config.callbacks or []
        given = given if isinstance(given, list) else [given]
        check_monitors(given)
        settings = self.plain["run"]
        method = settings["method"] if settings["ablation"] == "full" else f"{settings['method']} ({settings['ablation']})"
        folder, recipe, step_sync = self.folder, Recipe.of(self.plain, self.datamodule.benchmark), StepSync()
        own = [
            *(CurrentValidation(), EpochScores(folder, score_writers(method, settings["figures"]), self._evaluation(recipe))),
            *(SameStatistics(), StepSeeds(), step_sync, Cost(folder, self.begun), History(folder, step_sync)),
            *(RecipeKeeper(recipe, trainings), BestCheckpoint(folder), Restart(folder, step_sync, settings["checkpoint_every"])),
        ]
        config.callbacks = [*given, *own, *displays(config)]
        if not self.model.learns:  # the network as it starts is the result; devices would wait for gradients
            config.max_epochs, config.devices, config.fast_dev_run = 0, 1, False
        # our sampler knows ranks and epochs; Lightning's would pad and shuffle by other rules
        config.use_distributed_sampler = False
        spread(config)
        config.plugins.append(WholeCheckpoints(self.folder.manifest))
        self._loggers, config.logger = config.logger, False  # a logger makes files: when all else is built
        return super().instantiate_trainer(**kwargs)

    def before_fit(self) -> None:
        """Record what is about to run; refuse a folder that was made from other data."""
        split = self.datamodule.make_split()
        facts = {
            "hash": self._hash(),
            "data_version": self.datamodule.benchmark.data_version(),
            "split_hash": split.sha256,
        }
        self.folder.check(facts)
        self.model.resumes = self._get(self.config_init, "ckpt_path") is not None
        self._write_record(facts, split)

    def after_fit(self) -> None:
        """Test once, with the weights that validation chose; a first stage tests nothing."""
        signals.answer(signals.Answer.RAISE, "stopped after training; the same command resumes with the test")
        if self.plain["trainer"]["fast_dev_run"]:
            return
        if self.folder.last is None:  # no epoch was asked for: the network as it starts is the result
            self.trainer.save_checkpoint(self.folder.path / "checkpoints" / "last.ckpt", weights_only=False)
        self.trainer.strategy.barrier()
        self._write_best()
        if self.plain["run"]["test"]:
            self.trainer.test(self.model, datamodule=self.datamodule, ckpt_path=str(self.folder.best))
        self._finish()

    def after_test(self) -> None:
        """Send the new score table, and say what came out."""
        artifacts.log_results(self.trainer.loggers, self.folder.path)
        rank_zero_info(self.folder.summary())

    after_validate = after_test
    after_predict = after_test

    def _add_loggers(self) -> None:
        """Open the loggers: that of the run, and those of the configuration; false opens none."""
        if self._loggers is False:
            return
        given = [] if self._loggers in (None, True) else self._loggers
        own = self._logger()
        self.trainer.loggers = [*([] if own is None else [own]), *(given if isinstance(given, list) else [given])]

    @rank_zero_only
    def _logger(self) -> RunLogger | None:
        settings = self._get(self.config_init, "run")
        wandb = self._get(self.config_init, "wandb")
        self.folder.path.mkdir(parents=True, exist_ok=True)
        logger = session.open_logger(wandb, settings, self.folder.path, self.plain if self.subcommand == "fit" else None)
        if logger is not None and self.subcommand != "fit":
            logger.append()
        return logger

    @rank_zero_only
    def _write_record(self, facts: dict[str, str], split: Any) -> None:
        self.folder.write("config.yaml", yaml.safe_dump(self.plain, sort_keys=False, allow_unicode=True).encode())
        self.folder.write("split.json", split.to_json(self.datamodule.benchmark.table()))
        around = {**surroundings(), "request": self.request}
        session.add_facts(self.trainer.loggers, {**facts, "git_commit": around["git"].get("commit")})
        artifacts.use_data(self.trainer.loggers, self.datamodule.benchmark.name, facts)
        self.folder.update(
            id=self.folder.path.name,
            **facts,
            seed=None if self.plain["seed_everything"] is False else self.datamodule.seed,
            devices=self.trainer.world_size,
            state="started",
            **({} if self.first is None else {"stage_one": self.folder.record.get("stage_one", self.first.record)}),
            **around,
            started=self.folder.record.get("started", now()),
        )

    @rank_zero_only
    def _write_best(self) -> None:
        """Record which epoch validation chose; -1 is the start."""
        callbacks = self.trainer.callbacks  # type: ignore[attr-defined]
        (best,) = (callback for callback in callbacks if isinstance(callback, BestCheckpoint))
        (history,) = (callback for callback in callbacks if isinstance(callback, History))
        name, score = best.monitor, best.best_model_score
        chosen = [] if name is None else [row for row in history.rows if name in row and row[name] == score]
        if name is not None and chosen:  # of equal ones the later
            row = chosen[-1]
            self.folder.update(best={"epoch": int(row["epoch"]), "step": int(row["step"]), name: row[name]})

    @rank_zero_only
    def _finish(self) -> None:
        (cost,) = (callback for callback in self.trainer.callbacks if isinstance(callback, Cost))  # type: ignore[attr-defined]
        spent = {**self.folder.record.get("cost", {}), "wall_hours": cost.wall / 3600}
        self.folder.update(state="finished", finished=now(), chosen_by=self._chosen_by(), cost=spent)
        keep = self._get(self.config_init, "wandb").checkpoints
        artifacts.log_results(self.trainer.loggers, self.folder.path, self.folder.best if keep else None)
        rank_zero_info(self.folder.summary())
        if self.plain["run"]["test"]:
            self.folder.list_as_made()

    def _chosen_by(self) -> str:
        """Say what chose the weights that are tested: without a validation that gave a number, nothing but the end did."""
        chosen: str = self.model.chosen_by(self.datamodule.fit_on)
        return "last" if chosen == "val/srcc" and self.model.learns and self.folder.best == self.folder.last else chosen

    def _hash(self) -> str:
        return fingerprint(self.plain, None if self.first is None else self.first.identity)

    def _refuse_leak(self) -> list[Training]:
        """Refuse to score what the weights have seen, before anything is written; give what those of a `fit` will have seen."""
        data, checkpoint = self.datamodule, self._get(self.config_init, "ckpt_path")
        if self.first is not None:
            self.first.refuse_leak(self.plain["data"], data.benchmark.data_version(), data.make_split().sha256)
        if self.subcommand != "fit":
            refuse_seen_by(Path(checkpoint), data, str(self.subcommand), self.folder)
            return []
        sources = [file for file in (checkpoint, None if self.first is None else self.first.file) if file is not None]
        learns = self.model.learns or self.model.closed_form is not None
        return trainings_of_fit(data, self.folder, self._hash(), learns, [Path(file) for file in sources])

    def _evaluation(self, recipe: Recipe) -> dict[str, Any]:
        """Give what decides the scores of a test besides the weights."""
        data = self.datamodule
        split = {"split_hash": data.make_split().sha256} if data.test_on == "test" or self.subcommand == "validate" else {}
        facts = {"data_version": data.benchmark.data_version(), "precision": self.plain["trainer"]["precision"], **split}
        return {**dataclasses.asdict(recipe), "network": without(recipe.network, "weights"), **facts}

    def _end_if_finished(self) -> None:
        """Do nothing where all is done."""
        if self.folder.finished:
            end(self.folder, is_listed=_is_first() and self.plain["run"]["test"])

    def _check_start(self, config: Namespace) -> None:
        """Refuse a start that cannot be."""
        self.folder.check({"hash": self._hash()})
        foreign = sorted(self.folder.path.glob("hpc_ckpt_*.ckpt"))
        if foreign:
            raise RunMismatchError(f"{foreign[0]} is not of sdsiqa, and on SLURM Lightning would load it unasked; remove it")
        if config.get("ckpt_path") == "last" and self.folder.last is None:
            raise CheckpointError(
                f"{self.folder.path / 'checkpoints' / 'last.ckpt'} does not exist, so there is nothing to resume from; leave "
                "out --ckpt_path to start"
            )
        if self.first is not None and self.first.file is None and config.get("ckpt_path") is None and self.folder.last is None:
            FirstStage.of(Path(self.plain["model"]["init_from"]))  # says that it is gone
        self._resume(config)

    def _prepare_fit(self, config: Namespace) -> None:
        """Take the folder, and what it holds to resume from."""
        if _is_first():
            self.folder.lock.acquire(patience=patience())
        self._end_if_finished()  # by the process that has had it until now
        self._resume(config)

    def _resume(self, config: Namespace) -> None:
        """Resume from what the folder holds."""
        if config.get("ckpt_path") in (None, "last") and self.folder.last is not None:
            config.ckpt_path = str(self.folder.last)
            rank_zero_info(f"resuming from {config.ckpt_path}")

    def _choose_checkpoint(self, config: Namespace) -> None:
        if config.get("ckpt_path") in (None, "best"):
            config.ckpt_path = None if self.folder.best is None else str(self.folder.best)
        elif config.ckpt_path == "last" and self.folder.last is not None:
            config.ckpt_path = str(self.folder.last)
        if config.ckpt_path is None:
            raise CheckpointError(
                f"{self.folder.path} has no checkpoint, and untrained weights are not tested; train first with `sdsiqa fit`, "
                "or name a checkpoint with --ckpt_path"
            )
        if self.subcommand != "validate" and self.folder.record and not self.folder.finished:
            raise RunMismatchError(
                f"the run {self.folder.path} is not finished, and its test part is read once, at its end; finish it with "
                f"`sdsiqa fit -c {self.folder.path / 'config.yaml'}`"
            )


def main(args: list[str] | None = None) -> int:
    """Run a verb.

    Args:
        args: Words after `sdsiqa`; `None`: use `sys.argv`.
    """
    signals.listen()
    keep_freed_memory()
    try:
        with signals.obeyed(), explained():
            signals.answer(signals.Answer.RAISE)
            QualityCLI.start(args)
    except StoppedError as stop:
        session.close(exit_code=stop.status)
        if not _is_first():
            return 0  # the launcher would take another status for a fault, and end the first process before its time
        raise
    except BaseException as error:
        session.close(exit_code=1)
        wrong_input = isinstance(error, SdsiqaError) and not isinstance(error, TrainingFaultError | StorageError)
        RunLock.discard_unused(keep_started=not wrong_input)
        raise
    else:
        session.close()
    finally:
        RunLock.release_all()
        signals.stop_listening()
    return 0


def _is_first() -> bool:
    """Say whether this process writes; Lightning reads it from the launcher's variables, before there is a trainer."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)
