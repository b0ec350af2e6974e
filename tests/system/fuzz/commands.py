"""Commands that work, with the files that they read; and a seeded choice of what is wrong with one."""

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from mutations import VALUES, change_file, change_words
from place import BENCHMARKS, Place

STAGES = ("fit", "test", "validate", "predict")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
VARIABLES = (
    *("SDSIQA_DATA", "SDSIQA_WEIGHTS", "SDSIQA_RUN_LIST", "WANDB_MODE", "WANDB_DIR", "HOME", "TMPDIR", "COLUMNS", "TERM", "LANG"),
    *("SLURM_JOB_ID", "SLURM_NTASKS", "RANK", "WORLD_SIZE", "LOCAL_RANK", "CUDA_VISIBLE_DEVICES", "PL_GLOBAL_SEED"),
)


@dataclass
class Command:
    """Words of a command, and everything around it that may be wrong.

    Args:
        words: Words after `sdsiqa`.
        files: Files that it reads; one that stands twice is changed twice as often.
        what: What is wrong.
        environment: Variables.
        signal: Signal that comes while it runs; 0 for none.
        after: Seconds until then.
        output: Where standard output goes: `file`, `full`, `closed`, `ascii`.
        is_lost: Whether its current folder is gone.
    """

    words: list[str]
    files: list[Path] = field(default_factory=list)
    what: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    signal: int = 0
    after: float = 0.0
    output: str = "file"
    is_lost: bool = False


def valid(random: Random, place: Place) -> Command:
    """Choose a command that works, and the files that it reads."""
    path, run, name = place.path, place.run, random.choice(BENCHMARKS)
    livec, benchmark = path / "data" / "livec" / "ChallengeDB_release", path / "data" / name
    labels, images = sorted((livec / "Data").iterdir()), sorted((livec / "Images").rglob("*"))
    best, photos, config = run / "checkpoints" / "best.ckpt", sorted((path / "photos").rglob("*")), str(run / "config.yaml")
    own = [file for file in sorted(run.rglob("*")) if ".lock" not in file.name]
    table, experiment, data, runs = (
        run / "scores" / "livec-test.csv",
        path / "experiment.yaml",
        path / "data.yaml",
        str(path / "runs"),
    )
    listed = [file for file in sorted(benchmark.rglob("*")) if file.suffix in (".mat", ".csv", ".xlsx", ".json", ".txt")]
    shown, maps = str(path / "photos"), str(path / "maps")
    end = random.choice((["--run.test", "false"], ["--run.test", "false"], ["--trainer.fast_dev_run", "true"]))
    form = random.choice(("md", "csv", "latex", "html"))
    choices: list[tuple[int, Callable[[], Command]]] = [
        (6, lambda: Command(["fit", *place.fit_words, *end], [path / "tiny.yaml", path / "tiny.yaml", *labels, images[0]])),
        (1, lambda: Command(["fit", *place.fit_words, "--ckpt_path", str(best)], [best])),
        (1, lambda: Command(["fit", "-c", config], own)),
        (1, lambda: Command([random.choice(STAGES[1:]), "-c", config], [*own, best, *labels, images[3]])),
        (
            3,
            lambda: Command(
                ["score", shown, "--runs", runs, "--format", random.choice(("json", "csv", "text"))], [best, *photos]
            ),
        ),
        (3, lambda: Command(["score", *map(str, photos), "--checkpoint", str(best), "--scale", "mos"], [best, best, *photos])),
        (
            1,
            lambda: Command(
                ["score", str(path / "photos" / "a.png"), "--runs", runs, "--map", maps], [path / "photos" / "a.png"]
            ),
        ),
        (
            4,
            lambda: Command(
                ["saliency", shown, "--out", maps, "--provider", random.choice(("SDSP", str(data)))], [*photos, data]
            ),
        ),
        (6, lambda: Command(["check-data", name, "--root", str(benchmark), "--jobs", "1"], [*listed, *listed, *images])),
        (2, lambda: Command(["check-data", str(data)], [data, data, *labels])),
        (1, lambda: Command(["grid", str(experiment), "--runs", runs, "--dry-run"], [experiment])),
        (1, lambda: Command(["submit", str(experiment), "--runs", runs, "--dry-run", "--gpus", "0"], [experiment])),
        (3, lambda: Command(["dashboard", "sdsiqa", "--runs", runs, "--out", str(path / "board.json")], own)),
        (3, lambda: Command(["sync", runs, "--dry-run"], own)),
        (4, lambda: Command(["verify", runs], own)),
        (5, lambda: Command(["report", runs, "--format", form], [*own, table, table, run / "run.json", run / "config.yaml"])),
        (2, lambda: Command(["report", runs, "--published", str(path / "foreign.csv")], [path / "foreign.csv", table])),
    ]
    return random.choices([make for _, make in choices], [weight for weight, _ in choices])[0]()


def broken(number: int, place: Place) -> Command:
    """Choose a command, and what is wrong with it; the same number gives the same.

    Args:
        number: Seed.
        place: Where the files of the command lie, as they were made.
    """
    random = Random(number)
    command = valid(random, place)
    kinds = ["words", "words", "file", "file", "file", "surroundings", "signal", *["setting"] * 5 * (command.words[0] in STAGES)]
    changed: set[Path] = set()
    for kind in random.choices(kinds, k=random.choice((1, 1, 1, 2))):
        if kind == "words":
            command.words = change_words(random, command.words)
            command.what.append("words")
        elif kind == "setting":
            command.words += [f"--{random.choice(place.settings)}", random.choice(VALUES)]
            command.what.append(" ".join(command.words[-2:]))
        elif kind == "surroundings":
            _surround(random, command)
        elif kind == "signal":
            command.signal, command.after = random.choice(SIGNALS), random.choice((0.01, 0.05, 0.2, 0.5))
            command.what.append(f"{signal.Signals(command.signal).name} after {command.after} s")
        elif command.files and (file := random.choice(command.files)) not in changed and (file.is_file() or file.is_dir()):
            changed.add(file)  # once: what is changed twice may be a device, which never ends, or no checkpoint any more
            command.what.append(change_file(random, file))
    if command.words[:1] == ["grid"]:  # whatever is wrong with it: a test trains no experiment
        command.words.append("--dry-run")
    return command


def _surround(random: Random, command: Command) -> None:
    what = random.choice(("variable", "variable", "full", "closed", "ascii", "lost folder"))
    if what == "variable":
        name, value = random.choice(VARIABLES), random.choice(VALUES)
        command.environment[name], what = value, f"{name}={value!r}"
    elif what == "lost folder":
        command.is_lost = True
    else:
        command.output = what
    command.what.append(what)
