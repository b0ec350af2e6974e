"""Tiny benchmarks in their authors' layout, with their odd headers, names and letter cases.

They have fewer images than the releases: set `SDSIQA_TEST_SUBSET=1` in the environment of whoever reads them.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.io import savemat

from sdsiqa.benchmarks import BENCHMARKS, Benchmark
from sdsiqa.benchmarks.bid import BID
from sdsiqa.benchmarks.csiq import CSIQ
from sdsiqa.benchmarks.demo import VERSION as DEMO_VERSION
from sdsiqa.benchmarks.demo import Demo
from sdsiqa.benchmarks.flive import FLIVE
from sdsiqa.benchmarks.kadid10k import KADID10k
from sdsiqa.benchmarks.koniq10k import KonIQ10k
from sdsiqa.benchmarks.live import LIVE
from sdsiqa.benchmarks.livec import LIVEC
from sdsiqa.benchmarks.spaq import SPAQ
from sdsiqa.benchmarks.tid2013 import TID2013
from sdsiqa.images import write_image

REFERENCES = 6
AUTHENTIC = 20


def scene(seed: int, height: int = 80, width: int = 96) -> NDArray[np.uint8]:
    """Return a picture with edges, slopes and texture, `(H, W, 3)` uint8; another seed, another picture."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(20, 235, (4, 5, 3)).astype(np.float32)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(6):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        colour = tuple(float(value) for value in rng.uniform(0, 255, 3))
        cv2.circle(image, centre, int(rng.integers(4, 20)), colour, -1)
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def distorted(image: NDArray[np.uint8], level: float) -> NDArray[np.uint8]:
    """Blur an image, the more the higher the level; level 0 leaves it alone."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.6 * level) if level else image, np.uint8)


def fake_live(root: Path) -> None:
    """`databaserelease2` with six images in each of five folders; the last of each folder is a hidden reference."""
    base = root / "databaserelease2"
    names = [f"Scene{number}.bmp" for number in range(REFERENCES)]
    for number, name in enumerate(names):
        write_image(base / "refimgs" / name, scene(number))
    dmos, orgs, references = [], [], []
    for index, folder in enumerate(("jp2k", "jpeg", "wn", "gblur", "fastfading")):
        for number in range(REFERENCES + 1):
            which, hidden = (number + index) % REFERENCES, number == REFERENCES
            level = 0 if hidden else 1 + (number + 2 * index) % 5
            write_image(base / folder / f"img{number + 1}.bmp", distorted(scene(which), level and level + 0.1 * index))
            references.append(names[which])
            orgs.append(int(hidden))
            dmos.append(0.0 if hidden else 18.0 * level + 0.37 * which)
    row = np.array([dmos])
    savemat(base / "dmos_realigned.mat", {"dmos_new": row, "orgs": np.array([orgs]), "dmos_std": row * 0 + 5.0})
    savemat(base / "refnames_all.mat", {"refnames_all": np.array([references], object)})


def fake_csiq(root: Path) -> None:
    """The workbook with its empty first rows and columns, the reference 1600 as a number, folders in upper case."""
    rows = []
    for number, name in enumerate([1600, "boston", "elk", "foxy", "geckos", "lake"]):
        write_image(root / "src_imgs" / f"{name}.png", scene(number))
        for index, (kind, folder) in enumerate([("noise", "AWGN"), ("jpeg 2000", "jpeg2000"), ("blur", "BLUR")]):
            for level in (1, 3):
                path = root / "dst_imgs" / folder / f"{name}.{folder}.{level}.png"
                write_image(path, distorted(scene(number), level + 0.2 * index))
                rows.append([name, len(rows), kind, level, 0.05, 0.17 * level + 0.01 * number])
    header = ["image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos"]
    with pd.ExcelWriter(root / "csiq.DMOS.xlsx") as book:
        pd.DataFrame(rows, columns=header).to_excel(book, sheet_name="all_by_image", startrow=3, startcol=3, index=False)


def fake_tid2013(root: Path) -> None:
    """A list with CRLF and mixed case, and files on disk in yet another case."""
    lines = []
    for number in range(1, REFERENCES + 1):
        write_image(root / "reference_images" / (f"I{number:02d}.BMP" if number < REFERENCES else "i06.bmp"), scene(number))
        for kind in (1, 8):
            for level in (1, 5):
                listed = f"I{number:02d}_{kind:02d}_{level}.bmp" if number == 1 else f"i{number:02d}_{kind:02d}_{level}.bmp"
                on_disk = listed.upper() if number == 2 else listed
                write_image(root / "distorted_images" / on_disk, distorted(scene(number), level + kind // 8))
                lines.append(f"{6.2 - 0.8 * level - 0.03 * number:.5f} {listed}")
    (root / "mos_with_names.txt").write_bytes("\r\n".join([*lines, ""]).encode())
    (root / "mos_std.txt").write_bytes(b"0.13013\r\n" * len(lines))


def fake_kadid10k(root: Path) -> None:
    """`kadid10k/dmos.csv` beside the folder of images."""
    base, rows = root / "kadid10k", []
    for number in range(1, REFERENCES + 1):
        write_image(base / "images" / f"I{number:02d}.png", scene(number))
        for kind in (1, 10):
            for level in (1, 5):
                name = f"I{number:02d}_{kind:02d}_{level:02d}.png"
                write_image(base / "images" / name, distorted(scene(number), level + kind // 10))
                rows.append([name, f"I{number:02d}.png", 5.2 - 0.7 * level - 0.02 * number, 0.5])
    pd.DataFrame(rows, columns=["dist_img", "ref_img", "dmos", "var"]).to_csv(base / "dmos.csv", index=False)


def fake_livec(root: Path) -> None:
    """Seven training pictures first, `.bmp` and `.JPG` mixed."""
    base = root / "ChallengeDB_release"
    names = [f"t{number}.bmp" for number in range(1, 8)]
    names += [f"{533 + number // 2}.JPG" if number % 2 else f"{100 + number // 2}.bmp" for number in range(AUTHENTIC)]
    mos = []
    for number, name in enumerate(names):
        folder = base / "Images" / ("trainingImages" if name.startswith("t") else "")
        size = (112, 80) if number == 9 else (80, 96)
        write_image(folder / name, distorted(scene(number, *size), number % 6))
        mos.append(90.0 - 14.0 * (number % 6) + 0.1 * number)
    (base / "Data").mkdir()
    for key, value in (
        ("AllImages_release", np.array([[name] for name in names], object)),
        ("AllMOS_release", np.array([mos])),
        ("AllStdDev_release", np.full((1, len(names)), 19.0)),
    ):
        savemat(base / "Data" / f"{key}.mat", {key: value})


def _authentic(folder: Path, names: list[str], first: int) -> NDArray[np.float64]:
    """Write one picture per name, of which no other benchmark has one; return scores that fall with its blur, in [0, 1]."""
    for number, name in enumerate(names):
        write_image(folder / name, distorted(scene(first + number), number % 6))
    return np.array([0.9 - 0.15 * (number % 6) + 0.002 * number for number in range(len(names))])


def fake_koniq10k(root: Path) -> None:
    """The authors' file with the official sets, MOS up to 100."""
    names = [f"{10004473376 + 77 * number}.jpg" for number in range(AUTHENTIC)]
    quality = _authentic(root / "1024x768", names, 100)
    sets = ["test" if number % 5 == 0 else "validation" if number % 5 == 1 else "training" for number in range(AUTHENTIC)]
    labels = pd.DataFrame({"image_name": names, "c_total": 105, "MOS": 100 * quality, "SD": 0.5, "set": sets})
    labels.to_csv(root / "koniq10k_distributions_sets.csv", index=False)


def fake_spaq(root: Path) -> None:
    """The released workbook, with a column that is not read."""
    names = [f"{number:05d}.jpg" for number in range(1, AUTHENTIC + 1)]
    quality = _authentic(root / "TestImage", names, 200)
    (root / "Annotations").mkdir()
    labels = pd.DataFrame({"Image name": names, "MOS": 100 * quality, "Brightness": 50})
    labels.to_excel(root / "Annotations" / "MOS and Image attribute scores.xlsx", index=False)


def fake_flive(root: Path) -> None:
    """`database` with the three label files of the official split, CRLF as released."""
    base = root / "database"
    names = [
        f"{'blur_dataset/motion' if number % 4 == 0 else 'voc_emotic_ava/AVA__'}{number:04d}.jpg" for number in range(AUTHENTIC)
    ]
    quality = _authentic(base, names, 300)
    labels = pd.DataFrame({"name": names, "mos": 100 * quality})
    labels.to_csv(base / "labels_image.csv", index=False, lineterminator="\r\n")
    test, rest = names[::5], [name for number, name in enumerate(names) if number % 5]
    pd.DataFrame({"mos_image": 70.0, "name_image": test}).to_csv(base / "labels640.csv", index=False)
    valid = [number % 4 == 0 for number in range(len(rest))]
    pd.DataFrame({"name_image": rest, "is_valid": valid}).to_csv(base / "labels=640_padded.csv", index=False)


def fake_bid(root: Path) -> None:
    """Numbers with a gap, upper-case suffix, grades in a workbook."""
    numbers = [number for number in range(1, AUTHENTIC + 2) if number != 2]
    quality = _authentic(root / "ImageDatabase", [f"DatabaseImage{number:04d}.JPG" for number in numbers], 400)
    labels = pd.DataFrame({"Image Number": numbers, "Average Subjective Grade": 5 * quality, "Number of Grades": 13})
    labels.to_excel(root / "DatabaseGrades.xlsx", index=False)


def fake_demo(root: Path) -> None:
    """A folder that the Demo benchmark takes for its own: six contents, one of them for training alone."""
    rows = []
    for number in range(REFERENCES):
        reference = f"references/c{number}.png"
        write_image(root / reference, scene(number))
        for level in range(1, 5):
            name = f"gblur/c{number}-{level}.png"
            write_image(root / name, distorted(scene(number), level))
            facts = {"image": name, "mos": 90.0 - 15 * level - number, "content": f"c{number}", "reference": reference}
            rows.append({**facts, "distortion": "gblur", "level": level, "training_only": number == 0})
    pd.DataFrame(rows).to_csv(root / "proxy.csv", index=False)
    (root / "demo.json").write_text(json.dumps({"version": DEMO_VERSION}))


FAKES: dict[type[Benchmark], Callable[[Path], None]] = {
    LIVE: fake_live,
    CSIQ: fake_csiq,
    TID2013: fake_tid2013,
    KADID10k: fake_kadid10k,
    LIVEC: fake_livec,
    KonIQ10k: fake_koniq10k,
    SPAQ: fake_spaq,
    FLIVE: fake_flive,
    BID: fake_bid,
}
"""What draws each benchmark into a folder. Demo draws itself."""


def write_fake(name: str, root: Path) -> Path:
    """Draw a benchmark; return the folder to give as its root (for some, the one that holds the authors' folder)."""
    root.mkdir(parents=True, exist_ok=True)
    {**FAKES, Demo: fake_demo}[BENCHMARKS[name]](root)
    return root


def drawn(name: str, root: Path, **settings: Any) -> Benchmark:
    """Draw a benchmark and read it."""
    return BENCHMARKS[name](write_fake(name, root), **settings)
