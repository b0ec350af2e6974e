"""An experiment: a short file that lists the runs which answer a question."""

import dataclasses
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sdsiqa.errors import ExperimentError, in_short
from sdsiqa.experiments.keys import check_keys
from sdsiqa.files import read_file
from sdsiqa.runs.records import parse_yaml

Layer = Path | Mapping[str, Any]
"""What is laid over a run: a file, or settings by dotted key."""


@dataclasses.dataclass(frozen=True)
class Variant:
    """One combination of an experiment's axes.

    Args:
        index: Its place in the whole experiment, from 0; what a job array counts.
        name: `benchmark-method-ablation-split-seed`.
        benchmark: Name on the axis of benchmarks.
        method: Name on the axis of methods.
        ablation: Name on the axis of ablations.
        split: Number of the split, or `official`.
        seed: Seed of the run.
        words: Words for `sdsiqa fit`, without those that name the run.
        first: The first stage that it starts from, if it has one.
        is_first: Whether it is a first stage: it trains, and tests nothing.
    """

    index: int
    name: str
    benchmark: str
    method: str
    ablation: str
    split: int | str
    seed: int
    words: tuple[str, ...]
    first: "Variant | None" = None
    is_first: bool = False

    def matches(self, pattern: str) -> bool:
        """Say whether a pattern picks it.

        Args:
            pattern: A part of the name, in which `*` and `?` stand for anything.
        """
        return fnmatchcase(self.name, f"*{pattern}*")


@dataclasses.dataclass(frozen=True)
class FirstStageFiles:
    """How the first stage of a method is trained.

    Args:
        files: What is laid over the run of a benchmark; it says network, objective and how long.
        benchmark: What makes a run of the benchmark that it learns from: on split 0 for all cells. Empty: each benchmark of the
            experiment, on the split of the cell.
        ablated: Whether an ablation is laid over it, too, so that what a variant lacks was never trained.
    """

    files: tuple[Layer, ...]
    benchmark: tuple[Layer, ...] = ()
    ablated: bool = False


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Benchmarks × methods × ablations × splits × seeds, as a file declares them.

    Paths in the file are relative to it. A file with `extends` takes over what another one says, `group` excepted, and
    replaces what it says itself.

    Args:
        name: The file's name without its ending.
        group: Folder below `runs/`, and group on a dashboard. Experiments with one group share their runs: the scatter
            plots of a table need no training of their own.
        benchmarks: What makes a run of it, by name: a data file (as in `configs/data/`), which is laid over `base`, or a run file
            that stands alone; and what is laid over that, if anything.
        methods: Model file (as in `configs/model/`) by name, and what is laid over it, if anything; null leaves the model of the
            run.
        ablations: What is laid over the run, by name.
        splits: Numbers of splits, or `official`.
        seeds: Seeds of runs.
        settings: Options that every run gets, such as `trainer.max_epochs: 2`.
        tests: Data file (as in `configs/data/`) of another benchmark by name: all its images are scored after training.
        baseline: Name of the ablation or method that tables compare with.
        remarks: What a reader of tables must know of a method here, by its name.
        base: Run file that data files of benchmarks are laid over.
        first_stages: How the first stage of a method is trained, by the method's name: a run of its own, shared by all cells
            that start from the same one.

    What is laid over something is a file, or settings that stand in its place, such as `{model.channels_last: true}`.
    """

    name: str
    group: str
    benchmarks: Mapping[str, tuple[Layer, ...]]
    methods: Mapping[str, tuple[Layer, ...]]
    ablations: Mapping[str, tuple[Layer, ...]]
    splits: tuple[int | str, ...]
    seeds: tuple[int, ...]
    settings: Mapping[str, Any]
    tests: Mapping[str, Path]
    baseline: str | None
    remarks: Mapping[str, str] = dataclasses.field(default_factory=dict)
    base: Path | None = None
    first_stages: Mapping[str, FirstStageFiles] = dataclasses.field(default_factory=dict)

    @classmethod
    def load(cls, file: Path, benchmarks: Mapping[str, tuple[Path, ...]] | None = None) -> "Experiment":
        """Read an experiment.

        Args:
            file: The file.
            benchmarks: Run files by name, and what is laid over them, in place of the file's own.

        Raises:
            ExperimentError: There is no such file, or it says something unknown.
        """
        content = _read(file, ())
        if benchmarks:
            content["benchmarks"] = dict(benchmarks)
        if not content.get("benchmarks"):
            raise ExperimentError(f"{file} names no benchmarks; add `benchmarks: {{demo: ../../configs/demo.yaml}}`")
        base = content.get("base")
        for name, layers in content["benchmarks"].items():
            content["benchmarks"][name] = _over(base, layers, f"{file}: benchmarks.{name}")
        stages = {
            name: dataclasses.replace(stage, benchmark=_over(base, stage.benchmark, f"{file}: first_stages.{name}"))
            for name, stage in (content.get("first_stages") or {}).items()
        }
        methods = content.get("methods") or {"sdsiqa": ()}
        for key, told in (("remarks", "remarks on"), ("first_stages", "has a first stage of")):
            for name in content.get(key) or {}:
                if name not in methods:
                    raise ExperimentError(f"{file} {told} {name!r}, which is none of its methods: {', '.join(methods)}")
        baseline, ablations = content.get("baseline"), content.get("ablations") or {"full": ()}
        if baseline is not None and baseline not in {*methods, *ablations}:
            there = ", ".join([*methods, *ablations])
            raise ExperimentError(f"{file}: baseline is {baseline!r}, which is none of its methods and ablations: {there}")
        return cls(
            name=file.stem,
            group=str(content.get("group") or file.stem),
            benchmarks=content["benchmarks"],
            methods=methods,
            ablations=ablations,
            splits=tuple(content.get("splits") or (0,)),
            seeds=tuple(content.get("seeds") or (0,)),
            settings=content.get("settings") or {},
            tests=content.get("tests") or {},
            baseline=baseline,
            remarks=content.get("remarks") or {},
            base=base,
            first_stages=stages,
        )

    def variants(self) -> list[Variant]:
        """List what there is to run: every split of one variant before the next seed, benchmark by benchmark."""
        return self._planned()[0]

    def first_stages_of_variants(self) -> list[Variant]:
        """List the first stages that variants start from, each once; their numbers follow those of the variants."""
        return self._planned()[1]

    def _planned(self) -> tuple[list[Variant], list[Variant]]:
        axes = itertools.product(self.benchmarks, self.methods, self.ablations, self.seeds, self.splits)
        total = math.prod(map(len, (self.benchmarks, self.methods, self.ablations, self.seeds, self.splits)))
        settings = [word for key, value in self.settings.items() for word in (f"--{key}", _word(value))]
        firsts: dict[tuple[str, ...], Variant] = {}  # by what they run: cells that start from the same one share it
        found = []
        for index, (benchmark, method, ablation, seed, split) in enumerate(axes):
            words = [
                *_laid([*self.benchmarks[benchmark], *self.methods[method], *self.ablations[ablation]]),
                *settings,
                *("--data.split", str(split), "--seed_everything", str(seed)),
            ]
            first = None
            if method in self.first_stages:
                first = self._first(benchmark, method, ablation, split, seed, total + len(firsts), settings)
                first = firsts.setdefault(first.words, first)
            name = f"{benchmark}-{method}-{ablation}-{split}-{seed}"
            found.append(Variant(index, name, benchmark, method, ablation, split, seed, tuple(words), first))
        return found, list(firsts.values())

    def _first(
        self, benchmark: str, method: str, ablation: str, split: int | str, seed: int, index: int, settings: list[str]
    ) -> Variant:
        """Say what the first stage of a variant runs; its own files lie over the settings of the experiment."""
        stage = self.first_stages[method]
        ablated = _laid(self.ablations[ablation]) if stage.ablated else []
        layers = stage.benchmark or self.benchmarks[benchmark]
        if stage.benchmark:
            named = [layer for layer in layers if isinstance(layer, Path) and layer != self.base]
            benchmark, split = named[0].stem if named else benchmark, 0
        seeded = ("--data.split", str(split), "--seed_everything", str(seed))
        words = (*_laid(layers), *settings, *_laid(stage.files), *ablated, *seeded)
        first = f"first_{ablation}" if ablated else "first"
        name = f"{benchmark}-{method}-{first}-{split}-{seed}"
        return Variant(index, name, benchmark, method, first, split, seed, words, is_first=True)


_KEYS = tuple(field.name for field in dataclasses.fields(Experiment) if field.name != "name")
_PATHS = ("tests",)


def read_yaml(file: Path) -> Any:
    """Read an experiment or a run file as it stands.

    Args:
        file: The file.

    Raises:
        ExperimentError: It is no YAML.
    """
    try:
        return parse_yaml(read_file(file).decode("utf-8"))
    except (OSError, ValueError) as error:
        raise ExperimentError(f"{file} is no YAML file: {in_short(error, 300)}") from error


def benchmark_of_test(name: str, file: Path) -> dict[str, Any]:
    """Read which benchmark is tested whole.

    Args:
        name: As the experiment calls the test.
        file: Its data file.

    Returns:
        `class_path` and `init_args`.

    Raises:
        ExperimentError: The file names no benchmark in full.
    """
    content = read_yaml(file)
    benchmark = content.get("benchmark") if isinstance(content, dict) else None
    if not isinstance(benchmark, dict) or not benchmark.get("class_path") or not isinstance(benchmark.get("init_args"), dict):
        raise ExperimentError(
            f"tests.{name}: {file} says no benchmark; expected `benchmark:` with class_path and init_args, as in "
            "configs/data/livec.yaml"
        )
    return benchmark


def _read(file: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Read a file and those that it extends, and make their paths relative to here."""
    if not file.is_file():
        raise ExperimentError(f"{file} does not exist; `experiments/README.md` lists the experiments")
    content = read_yaml(file)
    if not isinstance(content, dict):
        raise ExperimentError(f"{file} holds {type(content).__name__}; expected keys such as benchmarks and splits")
    base = content.pop("extends", None)
    if base is not None and not isinstance(base, str):
        raise ExperimentError(f"{file}: extends is {base!r}; expected another experiment, such as ../paper/fig5_ablation.yaml")
    for key in content:
        if key not in _KEYS:
            near = get_close_matches(str(key), _KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected some of extends, {', '.join(_KEYS)}"
            raise ExperimentError(f"{file}: there is no {key!r}; {hint}")
    check_keys(file, content)
    for key in _PATHS:
        if key in content:
            content[key] = {str(name): _beside(file, path) for name, path in (content[key] or {}).items()}
    for key in ("benchmarks", "methods", "ablations"):
        if key in content:
            content[key] = {
                str(name): tuple(_layer(file, layer) for layer in _listed(layers))
                for name, layers in (content[key] or {}).items()
            }
    if "first_stages" in content:
        content["first_stages"] = {
            str(name): _first_stage(file, str(name), value) for name, value in (content["first_stages"] or {}).items()
        }
    if content.get("base") is not None:
        content["base"] = _beside(file, content["base"])
    if base is None:
        return content
    other = file.parent / str(base)
    if other.resolve() in seen:
        raise ExperimentError(f"{file} extends {base}, which extends it; one of them has to stand alone")
    inherited = _read(other, (*seen, file.resolve()))
    inherited.pop("group", None)  # sharing runs is said, never inherited
    if "methods" in content:  # remark and first stage go with their method
        for key in ("remarks", "first_stages"):
            kept = (inherited.get(key) or {}).items()
            inherited[key] = {name: value for name, value in kept if name in content["methods"]}
    return {**inherited, **content}


def _first_stage(file: Path, name: str, value: Any) -> FirstStageFiles:
    """Read what a file says of a first stage: files alone, or with the benchmark that they are laid over."""
    said = value if isinstance(value, dict) else {"files": value}
    ablated = said.get("ablated", False)
    known = isinstance(value, dict | str | list) and set(said) <= {"files", "benchmark", "ablated"}
    if not known or not said.get("files") or not isinstance(ablated, bool):
        raise ExperimentError(
            f"{file}: first_stages.{name} is {value!r}; expected a list of files, or "
            "{benchmark: run file, files: [file, ...], ablated: true or false}"
        )
    files, benchmark = (tuple(_layer(file, layer) for layer in _listed(said.get(key))) for key in ("files", "benchmark"))
    return FirstStageFiles(files, benchmark, ablated)


def _over(base: Path | None, layers: tuple[Layer, ...], place: str) -> tuple[Layer, ...]:
    """Lay a data file over the base; a run file stands alone."""
    if not layers or not isinstance(layers[0], Path):
        return layers
    keys = _keys(layers[0])
    if "benchmark" not in keys:
        others = {"network": "a model file", "benchmarks": "an experiment"}
        if found := next((told for key, told in others.items() if key in keys), None if keys else "no file of settings"):
            raise ExperimentError(
                f"{place}: {layers[0]} is {found}; expected a data file, such as configs/data/livec.yaml, or a run file"
            )
        return layers
    if base is None:
        raise ExperimentError(f"{place} is a data file; add base, such as configs/base.yaml")
    return (base, *layers)


def _beside(file: Path, path: Any) -> Path:
    """Give a path that the file says, relative to the working folder where that is shorter."""
    if not isinstance(path, str):
        raise ExperimentError(f"{file} names {path!r} where a file is expected, such as configs/data/livec.yaml")
    full = (file.parent / path).resolve()
    if not full.is_file():
        raise ExperimentError(f"{file} names {path!r}, and {full} does not exist; paths are relative to the experiment's file")
    here = Path.cwd()
    return full.relative_to(here) if full.is_relative_to(here) else full


def _listed(layers: Any) -> list[Any]:
    return layers if isinstance(layers, list) else [layers] if layers else []


def _layer(file: Path, layer: Any) -> Layer:
    """Give a file that an experiment names, or settings that stand in its place."""
    if isinstance(layer, Mapping):
        return dict(_leaves(layer))
    if not isinstance(layer, str):
        raise ExperimentError(f"{file}: {layer!r} is neither a file nor settings; expected such as {{model.warmup: 0.1}}")
    return _beside(file, layer)


def _leaves(settings: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    """Give nested settings by dotted key."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{start}{name}.")
        else:
            yield f"{start}{name}", value


def _laid(layers: Iterable[Layer]) -> list[str]:
    """Write what is laid over each other as words of a command line."""
    words: list[str] = []
    for layer in layers:
        if isinstance(layer, Path):
            words += [_option(layer), str(layer)]
        else:
            words += [word for key, value in layer.items() for word in (f"--{key}", _word(value))]
    return words


def _option(layer: Path) -> str:
    """Give the option that takes a file: a data file holds a benchmark, a model file a network, and any other whole sections."""
    keys = _keys(layer)
    return "--data" if "benchmark" in keys else "--model" if "network" in keys else "-c"


def _keys(file: Path) -> frozenset[str]:
    """Give the outermost keys of a file of settings; none where it is no such file."""
    content = read_yaml(file)
    return frozenset(map(str, content)) if isinstance(content, dict) else frozenset()


def _word(value: Any) -> str:
    """Write a value as one word of a command line."""
    return value if isinstance(value, str) else json.dumps(value)
