"""`sdsiqa report`: score tables of finished runs become one table of results."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml

from sdsiqa import metrics
from sdsiqa.errors import RunMismatchError
from sdsiqa.images import write_bytes
from sdsiqa.run import RunFolder
from sdsiqa.score_table import read_scores

COLUMNS = {"srcc": "SRCC", "plcc": "PLCC", "plcc_fit": "PLCC (logistic 4)", "krcc": "KRCC", "rmse": "RMSE"}


def main(args: list[str] | None = None) -> int:
    """Print a table in Markdown, and put it into a file where its marks are.

    Args:
        args: Words after `sdsiqa report`; none takes the process's own.
    """
    parser = argparse.ArgumentParser(
        prog="sdsiqa report", description="Print the results of finished runs as one table.", allow_abbrev=False
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folder, or a folder of them")
    parser.add_argument(
        "--readme",
        type=Path,
        metavar="FILE",
        help="put the table between `<!-- results NAME -->` and `<!-- end -->`, NAME being the name of the first RUN",
    )
    options = parser.parse_args(args)
    text = markdown(collect(options.runs))
    print(text)
    if options.readme is not None:
        insert(options.readme, options.runs[0].name, text)
    return 0


def collect(runs: Sequence[Path]) -> pd.DataFrame:
    """Compute the figures of every score table of some runs.

    Args:
        runs: Run folders, or folders that hold them.

    Returns:
        One row per score table: `method`, `benchmark`, `split`, `seed`, `n`, the figures of `metrics.agreement`,
        `minutes` of training (NaN if unknown).

    Raises:
        RunMismatchError: A folder holds no score table, or two runs claim the same method, benchmark, split and seed.
    """
    rows = []
    for run in runs:
        folders = [run] if (run / "run.json").exists() else sorted(file.parent for file in run.glob("*/run.json"))
        tables = [(folder, file) for folder in folders for file in sorted((folder / "scores").glob("*.csv"))]
        if not tables:
            raise RunMismatchError(f"{run} holds no scores/*.csv; name a folder that `sdsiqa fit` made, or a folder of them")
        rows += [_row(folder, file) for folder, file in tables]
    table = pd.DataFrame(rows)
    key = ["method", "benchmark", "split", "seed"]
    twice = table[table.duplicated(key, keep=False)]
    if len(twice):
        first = twice.iloc[0]
        where = ", ".join(twice[(twice[key] == first[key]).all(axis=1)]["run"])
        raise RunMismatchError(
            f"{where} all hold {first['method']} on {first['benchmark']}, split {first['split']}, seed {first['seed']}; "
            "give them different run.name, or report them apart"
        )
    return table


def markdown(table: pd.DataFrame) -> str:
    """Lay the figures out: a row per split, then mean, standard deviation and median.

    Args:
        table: As `collect` gives it.
    """
    lines = []
    for (benchmark, method), group in table.groupby(["benchmark", "method"], sort=True):
        head = ["split", "seed", "n", *COLUMNS.values(), "minutes"]
        lines += [f"**{method}** on {benchmark}", "", _line(head), _line(["---:"] * len(head))]
        for _, row in group.sort_values(["split", "seed"]).iterrows():
            lines.append(
                _line([row["split"], row["seed"], row["n"], *(f"{row[c]:.4f}" for c in COLUMNS), _minutes(row["minutes"])])
            )
        if len(group) > 1:
            for name, values in (
                ("mean", group[list(COLUMNS)].mean()),
                ("sd", group[list(COLUMNS)].std()),
                ("median", group[list(COLUMNS)].median()),
            ):
                lines.append(_line([f"**{name}**", "", "", *(f"**{values[c]:.4f}**" for c in COLUMNS), ""]))
        lines.append("")
    lines.append("RMSE and PLCC are of scores against quality in [0, 1]; PLCC is raw unless it says logistic.")
    return "\n".join(lines)


def insert(file: Path, name: str, text: str) -> None:
    """Put a table between its marks in a file.

    Args:
        file: The file.
        name: Which marks.
        text: The table.

    Raises:
        RunMismatchError: The file has no such marks.
    """
    content = file.read_text()
    pattern = re.compile(rf"(<!-- results {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(content):
        raise RunMismatchError(f"{file} has no marks `<!-- results {name} -->` and `<!-- end -->` to put the table between")
    write_bytes(file, pattern.sub(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", content).encode())


def _row(folder: Path, file: Path) -> dict[str, object]:
    scores = read_scores(file)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    record = RunFolder(folder).record
    cost = record.get("cost") or {}
    return {
        "run": folder.name,
        "method": re.sub(r"-[0-9a-f]{8}$", "", folder.name).replace(
            f"-{config['data']['split']}-{config['seed_everything']}", ""
        ),
        "benchmark": file.stem,
        "split": config["data"]["split"],
        "seed": config["seed_everything"],
        "n": len(scores),
        **metrics.agreement(scores["score"].to_numpy(), scores["quality"].to_numpy()),
        "minutes": 60 * cost.get("training_hours", float("nan")),
    }


def _minutes(value: float) -> str:
    return "" if value != value else f"{value:.1f}"


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
