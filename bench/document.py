"""Writes `docs/performance.md` from what was measured: `python -m bench.document`. Figures come from `results/` alone."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DOC, RESULTS, GROWTH = Path("docs/performance.md"), Path("results/bench.json"), Path("results/growth.json")

TOLD = 3
"""By how many times the difference between two starts a set's time has to be above it to say anything."""

BOUNDS = {
    "training step": "The two backbones. What is added: fusion head, loss, clipping, AdamW and Lightning's loop. "
    "The row of the loop by hand says how much of that is the loop. See its parts below.",
    "training step, to a loop by hand": "Calls of hooks and callbacks, as many at every step: a larger network pays a smaller "
    "share of its time for them.",
    "loading, decoded cache": "Copying the pixels of a crop.",
    "loading, no cache, no maps": "Decoding. What is added: the crop, seeded anew for each image so that no two workers cut "
    "alike, and the copy into the batch.",
    "loading, no cache, maps from files": "Decoding, then enlarging the map to the size of its image. Reading it and hashing "
    "the pixels that it belongs to take less than a fifth of that each.",
    "loading, decoded cache, 2 workers": "Handing batches from one process to the other.",
    "scoring": "The network. The map of the next image is made while it works; where the network's threads leave no core idle, "
    "as on two cores, it takes from them what it costs.",
    "peak memory of training": "Activations that the backward pass waits for. What is added: gradients, AdamW's two moments, "
    "and the fusion head.",
    "loader's memory": "The libraries that each process imports.",
    "peak memory of a short run, whole program": "Training, as above, or whole pictures, where one is larger than all crops of "
    "a step.",
    "start": "Imports. What needs no torch is asked first: help and typing errors from the sources of the classes, a finished "
    "run from the hash of its command.",
    "start, a picture scored": "Imports of torch and timm, then the network and its weights.",
    "scoring a folder, whole program": "The network, and once the start, as of a picture scored: the fewer files, the larger its "
    "share. Maps, and threads that spin briefly where the bare way lets them spin on, take the rest.",
}
"""What bounds each row, by the beginning of its name, crops and providers left out."""

INTRODUCTION = """<!-- made by `make bench` (python -m bench.document): change bench/document.py, not this file -->
# Performance

What sdsiqa costs beside the libraries that it stands on. Each row compares two ways to do the same in turns, on one machine and
in one run, so that its ratio carries over to other machines better than its seconds. `make bench` measures all of them again, on
drawn pictures unless `SDSIQA_DATA` has LIVEC, and writes this page; `python -m bench --only "loop by hand"` measures one part and
writes nothing.
"""

TRIED = (
    (
        "saliency maps of 8 bits at their own size",
        "Scores moved by more than 0.001 where a small map is enlarged. Maps of 16 bits "
        "move them by less than a tenth of that, and are kept.",
    ),
    (
        "PNG without compression for these maps",
        "Checksums and the copy through zlib take longer than the rest of reading. A PGM "
        "file needs neither, and holds a checksum as its comment.",
    ),
    ("SHA-256 of the pixels as the name of a map", "It takes longer than enlarging the map; XXH3 took its place."),
    ("maps at their own size in the decoded cache", "Each crop would enlarge a whole map, where it copies its own part now."),
    (
        "making the next map ahead where the source is a network (`Dino`, `Onnx`)",
        "On a CPU two pools of threads would share the cores, and each wait for the other; so it is done beside a GPU alone.",
    ),
    (
        "several pictures in a batch of evaluation, on a CPU",
        "Libraries choose kernels by the size of a batch, so a score depends on its neighbours: eight pictures at once "
        "moved scores of our methods, small in this try, by up to 2e-7, and four those of an untrained pair of ResNet-50 "
        "by 3e-6, while twelve of these sixteen networks took between 0.7 and 1.2 of the time. Beside a GPU scores are "
        "checked ([protocol.md](protocol.md)).",
    ),
    (
        "threads that spin while they wait",
        "Beside any other process they are several times slower (`python -m bench.busy`, [cluster.md](cluster.md)).",
    ),
    (
        "threads that sleep at once while they wait",
        "On two cores that nothing else uses Demo's training made 30 % fewer steps a second, where a spin of some ten "
        "microseconds costs 6 %; beside a second training it made 16 % more ([cluster.md](cluster.md)).",
    ),
)
"""What did not help, and why."""


def bound_of(name: str) -> str:
    """Say what bounds a row.

    Args:
        name: Of the row, such as `loading, 25 crops, no cache, no maps`.
    """
    plain = ", ".join(part for part in name.split(", ") if not part.split(" ")[-1].startswith("crop"))
    fitting = [start for start in BOUNDS if plain == start or plain.startswith((f"{start},", f"{start}, "))]
    return BOUNDS[max(fitting, key=len)] if fitting else ""


def document(content: Mapping[str, Any], growth: Mapping[str, Any] | None) -> str:
    """Write the page.

    Args:
        content: What `make bench` wrote.
        growth: What `python -m bench.growth` wrote; `None` where it was not run.
    """
    rows = content["measurements"]
    lines = [INTRODUCTION, _machine(content), "", "| | sdsiqa | bare | unit | ratio (quartiles) | goal | held |"]
    lines += ["| --- | ---: | ---: | --- | ---: | ---: | --- |", *map(_row, rows), "", "## What bounds each row", ""]
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(bound_of(row["name"]), []).append(row["name"])
    lines += [f"- **{'**; **'.join(group)}**: {bound}" for bound, group in names.items() if bound]
    missing = [name for name in BOUNDS if not any(bound_of(row["name"]) == BOUNDS[name] for row in rows)]
    if missing:
        lines += ["", "Measured by `make bench` and not in these results yet:", ""]
        lines += [f"- **{name}**: {BOUNDS[name]}" for name in missing]
    if content.get("shares"):
        lines += [
            "",
            "## What rows are made of",
            "",
            "Each part by itself, median:",
            "",
            "| of | part | ms |",
            "| --- | --- | ---: |",
        ]
        lines += [f"| {share['of']} | {share['part']} | {share['milliseconds']:g} |" for share in content["shares"]]
    lines += ["", "## What was compared", "", *(f"- **{row['name']}**: {row['how']}" for row in rows)]
    lines += ["", "## What did not help", "", "| tried | what came out |", "| --- | --- |"]
    lines += [f"| {tried} | {why} |" for tried, why in TRIED]
    lines += ["", "## As work grows", "", *_growth(growth)]
    return "\n".join(lines).rstrip() + "\n"


def write_document(output: Path = DOC) -> None:
    """Write the page from the kept results.

    Args:
        output: Where.
    """
    growth = json.loads(GROWTH.read_text()) if GROWTH.is_file() else None
    output.write_text(document(json.loads(RESULTS.read_text()), growth), encoding="utf-8")
    print(f"wrote {output}")


def _machine(content: Mapping[str, Any]) -> str:
    versions, commit = content["versions"], content["git"].get("commit", "")[:7]
    threads = "1 thread" if content["torch_threads"] == 1 else f"{content['torch_threads']} threads"
    where = content["gpu"] or f"{content['cores_of_this_process']} cores of {content['cpu']}"
    return (
        f"Measured on {where}, {content['date'][:10]}, commit {commit}, torch {versions['torch']}, "
        f"{threads}, pictures: {content['settings']['photographs']}."
    )


def _row(row: Mapping[str, Any]) -> str:
    goal = "" if row["goal"] is None else f"{'≤' if row['at_most'] else '≥'} {row['goal']:g}"
    held = {None: "", True: "yes", False: "**no**"}[row["held"]]
    spread = f"{row['ratio']:.3g} ({row['low']:.3g}–{row['high']:.3g})"
    return f"| {row['name']} | {row['ours']:.3g} | {row['bare']:.3g} | {row['unit']} | {spread} | {goal} | {held} |"


def _growth(growth: Mapping[str, Any] | None) -> Sequence[str]:
    how = (
        "`python -m bench.growth` gives each program 100, 1000 and 10 000 drawn pictures: milliseconds of processor time per "
        "picture, without the start, "
    )
    if growth is None:
        return [f"{how}and the highest memory. It has not been run for these results."]
    counts = [str(count) for count in growth["counts"]]
    lines = [f"{how}and the highest memory in MB. {_machine({**growth, 'gpu': None})}", ""]
    lines += [
        f"| | {' | '.join(f'{count} pictures' for count in counts)} | most to that of the smallest set |",
        f"| --- |{' ---: |' * (len(counts) + 1)}",
    ]
    for name, cells in growth["programs"].items():
        told = [cells[count]["ms"] if cells[count]["ms"] > TOLD * cells[count]["noise_ms"] else None for count in counts]
        shown = [
            f"{'–' if each is None else f'{each:.3g} ms'}, {cells[count]['MB']:.0f} MB"
            for each, count in zip(told, counts, strict=True)
        ]
        smallest, *larger = [each for each in told if each is not None] or [0.0]
        most = f"{max(larger) / smallest:.2f}" if larger else "–"
        lines.append(f"| {name} | {' | '.join(shown)} | {most} |")
    lines += [
        "",
        "A ratio above 1 is growth; below it, the smallest set pays for what a program does once. A dash: these pictures "
        f"took less than {TOLD} times what one start of the program differs from another, so that set does not count.",
    ]
    return lines


if __name__ == "__main__":
    write_document()
