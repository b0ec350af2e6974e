"""What goes wrong in a command of a user: wrong words, settings, files of settings, pictures, checkpoints and folders."""

import json
import os
import shutil
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import torch
import yaml

VALUES = (
    *("", " ", "null", "true", "0", "-1", "1", "2.5", "1e400", "nan", "-inf", "99999999999999999999", "0x10", "1_000"),
    *(
        "[]",
        "[1",
        "[1, 2, 3]",
        "{}",
        "{a: b}",
        "{a",
        "[null]",
        "[[]]",
        "'",
        '"',
        ":",
        "- a",
        "!!python/object:os.system x",
        "!x y",
    ),
    *(
        "~",
        "~/x",
        "~nobody-there/x",
        "..",
        "/dev/null",
        "/proc/self/mem",
        "/no/such/place",
        ".",
        "*",
        "[",
        "**",
        "a/b",
        "a\\b",
    ),
    *(
        "${oc.env:NOT_SET}",
        "${nothing}",
        "${",
        "${oc.env:HOME}",
        "@x",
        "%s",
        "{0}",
        "\n",
        "a\tb",
        "é",
        "图像",
        "\udcff",
        "x" * 300,
    ),
    *("sdsiqa", "sdsiqa.models.CNNIQA", "sdsiqa.saliency.SDSP", "SDSP", "torch.nn.Linear", "os.system", "sdsiqa.models", "L2"),
    *(
        "sdsiqa.benchmarks.BID",
        "sdsiqa.models.PSNR",
        "test_vit",
        "resnet18",
        "cuda",
        "cuda:99",
        "gpu",
        "mps",
        "ddp",
        "2",
        "official",
    ),
)
"""What may stand where something else was expected."""

BYTES = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"[",
    b"{}",
    b"[]",
    b"null",
    b"a: [",
    b"\t",
    b"caf\xe9\n",
    b"x" * 5000,
    b"- 1\n- 2\n",
    b"3",
)
"""What may be found in a file."""


def settings_of(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Give the place of every setting of a configuration."""
    for name, value in config.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from settings_of(value, f"{prefix}{name}.")


def change_words(random: Random, words: list[str]) -> list[str]:
    """Drop, double, swap, misspell or replace a word, or put one in."""
    words, index = list(words), random.randrange(len(words))
    how = random.choice(("drop", "double", "swap", "misspell", "replace", "replace", "insert", "join", "cut"))
    if how == "drop":
        del words[index]
    elif how == "double":
        words.insert(index, words[index])
    elif how == "swap":
        other = random.randrange(len(words))
        words[index], words[other] = words[other], words[index]
    elif how == "misspell":
        words[index] = misspelt(random, words[index])
    elif how == "replace":
        words[index] = random.choice(VALUES)
    elif how == "insert":
        words.insert(index, random.choice(VALUES))
    elif how == "join" and index:
        words[index - 1 : index + 1] = [f"{words[index - 1]}={words[index]}"]
    else:
        words = words[: index + 1]
    return words


def misspelt(random: Random, word: str) -> str:
    """Change a letter of a word."""
    if not word:
        return "-"
    at = random.randrange(len(word))
    return random.choice(
        (word[:at] + word[at + 1 :], word[:at] + "x" + word[at:], word[:at] + word[at:][::-1], word.upper(), word + ".")
    )


def change_text(random: Random, text: str) -> str:
    """Change a line of a file of settings."""
    lines = text.splitlines()
    at = random.randrange(len(lines))
    name, colon, value = lines[at].partition(":")
    how = random.choice(("drop", "double", "indent", "value", "value", "name", "list", "cut"))
    if how == "drop":
        del lines[at]
    elif how == "double":
        lines.insert(at, lines[at])
    elif how == "indent":
        lines[at] = random.choice((" ", "  ", "\t")) + lines[at]
    elif how == "value" and colon:
        lines[at] = f"{name}: {random.choice(VALUES)}"
    elif how == "name":
        lines[at] = misspelt(random, name) + colon + value
    elif how == "list" and colon:
        lines[at] = f"{name}: [{value}]"
    else:
        lines = [*lines[:at], lines[at][: len(lines[at]) // 2]]
    return "\n".join(lines) + "\n"


def change_json(random: Random, value: Any) -> Any:
    """Change one value at any depth."""
    if isinstance(value, dict) and value and random.random() < 0.8:
        key = random.choice(sorted(value))
        if random.random() < 0.15:
            return {name: each for name, each in value.items() if name != key}
        return {**value, key: change_json(random, value[key])}
    if isinstance(value, list) and value and random.random() < 0.6:
        at = random.randrange(len(value))
        return [*value[:at], change_json(random, value[at]), *value[at + 1 :]]
    return random.choice(
        (None, True, -1, 0, 1e300, 10**30, "", "x", [], {}, [None], {"a": 1}, "sdsiqa.models.NoSuch", "os.system")
    )


def change_bytes(random: Random, content: bytes) -> bytes:
    """Cut, flip, lengthen or replace the bytes of a file."""
    at = random.randrange(len(content) or 1)
    how = random.choice(("cut", "flip", "zero", "more", "replace"))
    if how == "cut":
        return content[:at]
    if how == "flip":
        return content[:at] + bytes(random.randrange(256) for _ in range(8)) + content[at + 8 :]
    if how == "zero":
        return content[:at] + bytes(len(content[at:]))
    if how == "more":
        return content + b"more"
    return random.choice(BYTES)


def change_entry(random: Random, path: Path) -> str:
    """Put something else in the place of a file or folder."""
    how = random.choice(
        ("remove", "folder", "link to itself", "dangling link", "pipe", "device", "file", "other suffix", "capitals")
    )
    if how in ("other suffix", "capitals"):
        new = (
            path.with_suffix(random.choice((".png", ".txt", "", ".YAML")))
            if how == "other suffix"
            else path.with_name(path.name.upper())
        )
        if new != path and not new.exists():
            path.rename(new)
        return how
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "link to itself":
        path.symlink_to(path.name)
    elif how == "dangling link":
        path.symlink_to("nowhere")
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "device":
        path.symlink_to(random.choice(("/dev/null", "/dev/full")))
    elif how == "file":
        path.write_bytes(random.choice(BYTES))
    return how


def change_checkpoint(random: Random, path: Path) -> str:
    """Change what a checkpoint holds."""
    how = random.choice(("bytes", "recipe", "recipe", "text", "weights", "part", "other", "entry"))
    if how == "bytes":
        replace(path, change_bytes(random, path.read_bytes()))
        return how
    if how == "entry":
        return change_entry(random, path)
    content: Any = torch.load(path, weights_only=True)  # noqa: TID251 - to make what must not be opened
    if how == "recipe":
        content["sdsiqa"] = json.dumps(change_json(random, json.loads(content["sdsiqa"])))
    elif how == "text":
        content["sdsiqa"] = random.choice(
            ("", "{", "[]", "null", "{}", 3, None, content["sdsiqa"][:99], content["sdsiqa"].encode())
        )
    elif how == "weights":
        name = random.choice(sorted(content["state_dict"]))
        content["state_dict"][name] = random.choice((torch.zeros(3, 5), torch.tensor(float("nan")), "x", None, torch.zeros(0)))
    elif how == "part":
        name = random.choice(sorted(content))
        content[name] = random.choice((None, 3, "x", [], {}, {"a": 1}, [None]))
        if random.random() < 0.4:
            del content[name]
    else:
        content = random.choice(([], 3, {"state_dict": {}}, {"state_dict": None}, torch.zeros(3), {"a": torch.zeros(2)}, None))
    path.unlink()
    torch.save(content, path)
    return how


def change_picture(random: Random, path: Path) -> str:
    """Change a picture."""
    how = random.choice(("bytes", "bytes", "bytes", "entry", "bomb", "small"))
    if how == "bytes":
        replace(path, change_bytes(random, path.read_bytes()))
    elif how == "entry":
        return change_entry(random, path)
    else:
        side = 60000 if how == "bomb" else 1
        replace(path, png(side, side))
    return how


def png(width: int, height: int) -> bytes:
    """Write a PNG that says to have a size, with a single row of pixels."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(1 + 3 * width))),
        (b"IEND", b""),
    )
    packed = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def change_table(random: Random, path: Path) -> str:
    """Change a table of comma-separated values."""
    rows = [line.split(",") for line in path.read_text().splitlines()]
    how = random.choice(("cell", "cell", "column", "row", "no rows", "head"))
    row, column = random.randrange(len(rows)), random.randrange(len(rows[0]))
    if how == "cell":
        rows[row][min(column, len(rows[row]) - 1)] = random.choice(("", "x", "nan", "inf", "-1", "1e999", '"', "é", " "))
    elif how == "column":
        rows = [[*each[:column], *each[column + 1 :]] for each in rows]
    elif how == "row":
        rows.insert(row, rows[row])
    elif how == "no rows":
        rows = rows[:1]
    else:
        rows[0][column] = misspelt(random, rows[0][column])
    replace(path, "\n".join(",".join(row) for row in rows).encode())
    return how


def change_file(random: Random, path: Path) -> str:
    """Change a file by its kind."""
    roll = random.random()
    if path.suffix == ".ckpt":
        return f"{path.name}: {change_checkpoint(random, path)}"
    if path.suffix in (".png", ".jpg", ".bmp", ".tif", ".JPG"):
        return f"{path.name}: {change_picture(random, path)}"
    if path.is_dir() or roll < 0.15:
        return f"{path.name}: {change_entry(random, path)}"
    if roll < 0.3:
        replace(path, change_bytes(random, path.read_bytes()))
        return f"{path.name}: bytes"
    if path.suffix == ".yaml":
        if roll < 0.5:
            replace(path, yaml.safe_dump(change_json(random, yaml.safe_load(path.read_text()))).encode())
            return f"{path.name}: value"
        replace(path, change_text(random, path.read_text()).encode(errors="surrogateescape"))
        return f"{path.name}: line"
    if path.suffix == ".json":
        replace(path, json.dumps(change_json(random, json.loads(path.read_text()))).encode())
        return f"{path.name}: value"
    if path.suffix == ".csv":
        return f"{path.name}: {change_table(random, path)}"
    replace(path, change_bytes(random, path.read_bytes()))
    return f"{path.name}: bytes"


def replace(path: Path, content: bytes) -> None:
    """Write a new file: the old one may have other names."""
    path.unlink()
    path.write_bytes(content)
