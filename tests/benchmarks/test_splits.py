import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes import FAKES, write_fake
from real_labels import ANNOTATIONS, REAL, needs_real_labels, real_benchmark

from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.benchmarks.digests import digests
from sdsiqa.benchmarks.published_splits import read_published_split
from sdsiqa.benchmarks.splits import PARTS, Split, check_bytes, check_split, counts, make_split
from sdsiqa.errors import BenchmarkMismatchError, BenchmarkNotFoundError, SplitLeakError


@pytest.fixture(autouse=True)
def subset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")


def table_of(contents: int, versions: int = 3) -> pd.DataFrame:
    """Return a table with several versions of each content."""
    rows = [(f"c{content:02d}/v{version}.png", f"c{content:02d}") for content in range(contents) for version in range(versions)]
    table = pd.DataFrame(rows, columns=["image", "content"])
    return table.assign(split="", training_only=False)


def images(split: Split, table: pd.DataFrame) -> dict[str, set[str]]:
    return {part: set(table["image"].iloc[list(split.rows(part))]) for part in PARTS}


@pytest.mark.parametrize(
    ("units", "expected"),
    [  # those of the public ARNIQA splits
        (29, (20, 3, 6)),
        (30, (21, 3, 6)),
        (25, (18, 2, 5)),
        (81, (57, 8, 16)),
        (1162, (813, 117, 232)),
        (10_073, (7051, 1007, 2015)),
        (11_125, (7787, 1113, 2225)),
        (586, (410, 59, 117)),
        (3, (1, 1, 1)),
        (6, (4, 1, 1)),
        (10, (7, 1, 2)),
    ],
)
def test_counts_are_those_of_the_literature(units: int, expected: tuple[int, int, int]) -> None:
    assert counts(units) == expected


def test_counts_fill_every_part_and_use_every_unit() -> None:
    for units in range(3, 500):
        parts = counts(units)
        assert sum(parts) == units
        assert min(parts) >= 1
        assert parts[0] >= max(parts[1:])
    with pytest.raises(SplitLeakError, match=r"2 contents cannot fill three disjoint parts"):
        counts(2)


def test_a_numbered_split_is_the_hash_order_of_contents() -> None:
    table = table_of(10)
    order = sorted((f"c{n:02d}" for n in range(10)), key=lambda c: hashlib.sha256(f"toy/4/{c}".encode()).hexdigest())
    split = make_split("toy", table, 4)
    assert set(table["content"].iloc[list(split.test)]) == set(order[:2])
    assert set(table["content"].iloc[list(split.val)]) == set(order[2:3])
    assert split.unit == "content"
    assert split.train == tuple(sorted(split.train))
    assert sorted(split.train + split.val + split.test) == list(range(30))


def test_a_split_depends_on_no_row_order_and_no_letter_case() -> None:
    table = table_of(12)
    mixed = table.sample(frac=1, random_state=3).reset_index(drop=True)
    shouted = table.assign(content=table["content"].str.upper(), image=table["image"].str.upper())
    for number in range(10):
        split = make_split("toy", table, number)
        assert images(make_split("toy", mixed, number), mixed) == images(split, table)
        assert make_split("toy", mixed, number).sha256 == split.sha256
        assert make_split("toy", shouted, number).test == split.test
        assert make_split("toy", shouted, number).sha256 == split.sha256


def test_numbers_and_benchmarks_give_other_splits() -> None:
    table = table_of(20)
    hashes = {make_split(name, table, number).sha256 for name in ("toy", "other") for number in range(10)}
    assert len(hashes) == 20
    assert len({make_split("toy", table, number).test for number in range(10)}) == 10


@pytest.mark.parametrize("number", [-1, 10, True, "arniqa"])
def test_other_numbers_are_refused(number: int) -> None:
    with pytest.raises(BenchmarkMismatchError, match=r"split is .*; expected 'official' or a number from 0 to 9"):
        make_split("toy", table_of(10), number)


def test_what_may_only_train_trains() -> None:
    table = table_of(10)
    bound = table["content"].isin(["c01", "c05", "c07"])
    for number in range(10):
        split = make_split("toy", table.assign(training_only=bound), number)
        assert set(np.flatnonzero(bound)) <= set(split.train)
        assert (len(split.val), len(split.test)) == (3, 3)  # 7 free contents: 5, 1 and 1 of 3 images
    with pytest.raises(SplitLeakError, match=r"content 'c01' may only train and is in test"):
        Split.of("toy", "x", table.assign(training_only=bound), {"train": [0], "val": [6], "test": [3]})


def test_leaks_and_empty_parts_are_refused() -> None:
    table = table_of(4)
    with pytest.raises(SplitLeakError, match=r"split 'x' of toy: content 'c01' is in both train and test .1 such contents"):
        Split.of("toy", "x", table, {"train": [0, 3], "val": [6], "test": [4, 5]})
    with pytest.raises(SplitLeakError, match=r"the val part is empty"):
        Split.of("toy", "x", table, {"train": [0, 3], "val": [], "test": [6]})
    with pytest.raises(SplitLeakError, match=r"2 contents cannot fill"):
        make_split("toy", table_of(2), 0)
    check_split(make_split("toy", table, 0), table)


def test_official_splits_are_the_authors_or_refused() -> None:
    table = table_of(3, versions=1).assign(split=["train", "val", "test"])
    split = make_split("toy", table, "official")
    assert (split.train, split.val, split.test, split.unit) == ((0,), (1,), (2,), "image")
    with pytest.raises(BenchmarkMismatchError, match=r"toy has no official split .1 images stand in no part.; take a number"):
        make_split("toy", table.assign(split=["train", "val", ""]), "official")
    with pytest.raises(BenchmarkMismatchError, match=r"flive has no official split without 'labels=640_padded.csv' and"):
        make_split("flive", table.assign(split=""), "official")
    shared = table_of(3).assign(split=["train", "val", "test"] * 3)
    with pytest.raises(SplitLeakError, match=r"content 'c00' is in both train and val"):
        make_split("toy", shared, "official")


@pytest.mark.parametrize("name", [kind.name for kind in FAKES])
def test_every_drawn_benchmark_splits(name: str, tmp_path: Path) -> None:
    benchmark = BENCHMARKS[name](write_fake(name, tmp_path))
    table = benchmark.table()
    for number in range(10):
        split = make_split(name, table, number)
        check_bytes(split, table, digests(benchmark.root, table["image"]))
        assert sum(len(split.rows(part)) for part in PARTS) == len(table)


def test_the_same_file_on_two_sides_is_a_leak(tmp_path: Path) -> None:
    benchmark = BENCHMARKS["spaq"](write_fake("spaq", tmp_path))
    table = benchmark.table()
    split = make_split("spaq", table, 0)
    there, here = table["image"].iloc[split.train[0]], table["image"].iloc[split.test[0]]
    (benchmark.root / here).write_bytes((benchmark.root / there).read_bytes())
    with pytest.raises(SplitLeakError, match=f"'{there}' in train and '{here}' in test are the same file"):
        check_bytes(split, table, digests(benchmark.root, table["image"]))


def test_a_split_is_told_in_names_and_counts() -> None:
    table = table_of(10)
    split = make_split("toy", table, 2)
    document = json.loads(split.to_json(table))
    assert document["test"]["counts"] == {"images": 6, "contents": 2}
    assert len(document["test"]["images"]) == 6
    assert document["sha256"] == split.sha256


# Splits that others published


def write_arniqa(folder: Path, table: pd.DataFrame, name: str, order: list[int] | None = None) -> list[Split]:
    """Write ten of our splits as ARNIQA does; return them."""
    rows = list(range(len(table))) if order is None else order
    places = {row: place for place, row in enumerate(rows)}
    splits = [make_split(name, table, number) for number in range(10)]
    folder.mkdir(parents=True)
    for part in PARTS:
        longest = max(len(split.rows(part)) for split in splits)
        padded = np.full((10, longest), -1, np.int64)
        for number, split in enumerate(splits):
            chosen = [places[row] for row in split.rows(part)]
            padded[number, : len(chosen)] = chosen
        np.save(folder / f"{part}.npy", padded)
    return splits


@pytest.mark.parametrize("name", ["live", "tid2013", "livec"])
def test_arniqa_rows_count_in_the_label_file(name: str, tmp_path: Path) -> None:
    table = BENCHMARKS[name](write_fake(name, tmp_path / "data")).table()
    splits = write_arniqa(tmp_path / "SET" / "splits", table, name)
    for folder in (tmp_path / "SET", tmp_path / "SET" / "splits"):
        read = read_published_split(folder, 3, name, table)
        assert (read.train, read.val, read.test) == (splits[3].train, splits[3].val, splits[3].test)
        assert read.name == "arniqa-3"


def test_arniqa_rows_of_csiq_count_in_a_list_of_its_own(tmp_path: Path) -> None:
    table = BENCHMARKS["csiq"](write_fake("csiq", tmp_path / "data")).table()
    order = list(reversed(range(len(table))))
    splits = write_arniqa(tmp_path / "CSIQ" / "splits", table, "csiq", order)
    with pytest.raises(BenchmarkNotFoundError, match=r"CSIQ.txt not found in .*; take it from the repository icbcbicc"):
        read_published_split(tmp_path / "CSIQ", 0, "csiq", table)
    listed = pd.DataFrame({"dis_img_path": "CSIQ/" + table["image"].iloc[order], "score": 0.5})
    listed.to_csv(tmp_path / "CSIQ" / "CSIQ.txt", index=False)
    read = read_published_split(tmp_path / "CSIQ", 7, "csiq", table)
    assert (read.train, read.val, read.test) == (splits[7].train, splits[7].val, splits[7].test)


def test_arniqa_has_one_official_split_of_flive(tmp_path: Path) -> None:
    table = BENCHMARKS["flive"](write_fake("flive", tmp_path / "data")).table()
    for part, rows in (("train", range(3, 15)), ("val", range(15, 18)), ("test", range(18, 20))):
        np.save(tmp_path / f"{part}.npy", np.array(rows))
    read = read_published_split(tmp_path, 0, "flive", table)
    assert (read.train, len(read.val), read.test) == (tuple(range(3, 15)), 3, (18, 19))


def test_arniqa_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    table = BENCHMARKS["bid"](write_fake("bid", tmp_path / "data")).table()
    folder = tmp_path / "SET"
    write_arniqa(folder, table, "bid")
    with pytest.raises(BenchmarkMismatchError, match=r"expected integers with split 10 as a row"):
        read_published_split(folder, 10, "bid", table)
    with pytest.raises(BenchmarkMismatchError, match=r"counts rows from 0 to 1\d; bid has 0 to 11"):
        read_published_split(folder, 0, "bid", table.iloc[:12])
    np.save(folder / "val.npy", np.load(folder / "train.npy")[:, :2])
    with pytest.raises(SplitLeakError, match=r"split 'arniqa-0' of bid: content .* is in both train and val"):
        read_published_split(folder, 0, "bid", table)
    np.save(folder / "val.npy", np.array([{"code": "run"}], object), allow_pickle=True)
    with pytest.raises(BenchmarkMismatchError, match=r"val.npy is no array of row numbers .Object arrays cannot be loaded"):
        read_published_split(folder, 0, "bid", table)
    (folder / "val.npy").write_bytes(b"")
    with pytest.raises(BenchmarkMismatchError, match=r"val.npy is no array of row numbers .No data left in file"):
        read_published_split(folder, 0, "bid", table)
    (folder / "val.npy").unlink()
    with pytest.raises(BenchmarkNotFoundError, match=r"val.npy does not exist"):
        read_published_split(folder, 0, "bid", table)


def test_lists_that_are_none_are_refused(tmp_path: Path) -> None:
    table = BENCHMARKS["live"](write_fake("live", tmp_path / "data")).table()
    write_arniqa(tmp_path / "arniqa", table, "live")
    liqe = tmp_path / "liqe" / "1" / "live_train_clip.txt"
    liqe.parent.mkdir(parents=True)
    for content in (b"", b"a,b\n1,2\n", b"caf\xe9\n"):
        (tmp_path / "arniqa" / "LIVE.txt").write_bytes(content)
        with pytest.raises(
            BenchmarkMismatchError, match=r"LIVE\.txt cannot be read \(.*\); expected a table with the column dis_img"
        ):
            read_published_split(tmp_path / "arniqa", 0, "live", table)
    liqe.write_bytes(b"caf\xe9\n")
    with pytest.raises(BenchmarkMismatchError, match=r"live_train_clip\.txt cannot be read \(.*\); expected a list of images"):
        read_published_split(tmp_path / "liqe", 1, "live", table)


@pytest.mark.parametrize(("name", "prefix"), [("livec", "clive"), ("live", "live"), ("csiq", "csiq"), ("bid", "bid")])
def test_liqe_lists_name_images_in_their_own_way(name: str, prefix: str, tmp_path: Path) -> None:
    table = BENCHMARKS[name](write_fake(name, tmp_path / "data")).table()
    split = make_split(name, table, 5)
    folder = tmp_path / "SET" / "splits2" / "6"
    folder.mkdir(parents=True)
    (folder / "koniq10k_train_score.txt").write_text("a stray file that lies there too\n")
    for part in PARTS:
        chosen = table["image"].iloc[list(split.rows(part))].str.replace("AWGN/", "awgn/")
        (folder / f"{prefix}_{part}_clip.txt").write_text("".join(f"{image}\t0.5\tblur\tinvalid\n" for image in chosen))
    for root in (tmp_path / "SET", tmp_path / "SET" / "splits2"):
        read = read_published_split(root, 6, name, table)
        assert (read.train, read.val, read.test) == (split.train, split.val, split.test)
        assert read.name == "liqe-6"
    (folder / f"{prefix}_val_clip.txt").write_text("Images/nobody.bmp\t0.5\n")
    with pytest.raises(BenchmarkMismatchError, match=r"image 1: 'Images/nobody.bmp' is not in the table"):
        read_published_split(tmp_path / "SET", 6, name, table)
    (folder / f"{prefix}_val_clip.txt").unlink()
    with pytest.raises(BenchmarkNotFoundError, match=f"{prefix}_val_clip.txt does not exist"):
        read_published_split(tmp_path / "SET", 6, name, table)
    with pytest.raises(BenchmarkNotFoundError, match=r"no published split 7 in .*; looked for train.npy .ARNIQA. and 7/"):
        read_published_split(tmp_path / "SET", 7, name, table)


# The real labels

PINNED = {  # of split 0: first digits of the hash, images per part, contents per part
    "live": ("d74344dcb40ccd56", (535, 82, 162), (20, 3, 6)),
    "csiq": ("1bfd51ea476c622b", (608, 87, 171), (21, 3, 6)),
    "tid2013": ("96311f90aec5067b", (2160, 240, 600), (18, 2, 5)),
    "kadid10k": ("20cfcd7cfd068363", (7125, 1000, 2000), (57, 8, 16)),
    "livec": ("05c9ce07afe4a241", (813, 117, 232), (813, 117, 232)),
    "koniq10k": ("4d5336d0d68e9054", (7051, 1007, 2015), (7051, 1007, 2015)),
    "spaq": ("20448b29ca535b10", (7787, 1113, 2225), (7787, 1113, 2225)),
    "flive": ("69493dd955afe350", (27867, 3981, 7962), (27867, 3981, 7962)),
    "bid": ("53794c3f8129fc33", (410, 59, 117), (410, 59, 117)),
}


@needs_real_labels
@pytest.mark.parametrize("name", REAL)
def test_the_first_split_of_every_benchmark_stays_what_it_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SDSIQA_TEST_SUBSET")
    labels = real_benchmark(name, tmp_path).labels()
    split = make_split(name, labels, 0)
    digest, sizes, contents = PINNED[name]
    assert split.sha256[:16] == digest
    assert tuple(len(split.rows(part)) for part in PARTS) == sizes
    assert tuple(labels["content"].iloc[list(split.rows(part))].nunique() for part in PARTS) == contents
    tests = {make_split(name, labels, number).test for number in range(10)}
    assert len(tests) == 10


def test_pictures_that_a_class_lists_as_twins_stay_on_one_side() -> None:
    table, twins = table_of(20), (("c11", "c17"), ("c03", "C11"))
    apart = 0
    for number in range(10):
        for listed in (twins, ()):
            split = make_split("toy", table, number, listed)
            parts = [
                part
                for part, names in images(split, table).items()
                for name in ("c03", "c11", "c17")
                if f"{name}/v0.png" in names
            ]
            assert len(parts) == 3
            assert len(set(parts)) == 1 or not listed
            apart += len(set(parts)) > 1
    assert apart  # without the list they are parted


@needs_real_labels
def test_pictures_that_the_release_has_twice_stay_on_one_side(tmp_path: Path) -> None:
    labels = real_benchmark("livec", tmp_path).labels()
    for number in range(10):
        split = make_split("livec", labels, number)
        side = {labels["content"].iloc[row]: part for part in PARTS for row in split.rows(part)}
        for first, second in BENCHMARKS["livec"].twins:
            assert side[first] == side[second]


@needs_real_labels
def test_the_official_split_of_koniq10k_is_read(tmp_path: Path) -> None:
    labels = real_benchmark("koniq10k", tmp_path).labels()
    split = make_split("koniq10k", labels, "official")
    assert (len(split.train), len(split.val), len(split.test)) == (7058, 1000, 2015)
    assert split.sha256.startswith("0f567c47ec5291b2")
    with pytest.raises(BenchmarkMismatchError, match=r"flive has no official split without 'labels=640_padded.csv'"):
        make_split("flive", BENCHMARKS["flive"](ANNOTATIONS / "flive").labels(), "official")
