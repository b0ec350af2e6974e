import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sdsiqa.errors import BenchmarkMismatchError, BenchmarkNotFoundError
from sdsiqa.runs.scores import COLUMNS, Scores, read_scores, score_table, write_scores

HEAD = ",".join(COLUMNS)
ROW = "3,a.png,a,jpeg,2,40.5,0.405,0.41"


def benchmark_table(n: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    mos = rng.uniform(0, 100, n)
    return pd.DataFrame(
        {
            "image": [f"jpeg/img, {i}.bmp" for i in range(n)],
            "mos": mos,
            "quality": mos / 100,
            "content": [f"{i:03d}" for i in range(n)],
            "reference": "",
            "distortion": ["jpeg", "wn", ""] * (n // 3),
            "level": [1, 2, -1] * (n // 3),
            "split": "",
        }
    )


def scores(*index: int) -> tuple[np.ndarray, np.ndarray]:
    return np.array(index, np.int64), np.random.default_rng(1).normal(size=len(index))


def test_a_table_survives_the_disk_to_the_last_digit(tmp_path: Path) -> None:
    table = score_table(benchmark_table(), *scores(1, 2, 5))
    path = tmp_path / "scores" / "live-test.csv"
    write_scores(path, table)
    back = read_scores(path)
    pd.testing.assert_frame_equal(back, table, check_exact=True, check_dtype=False)
    assert back["content"].tolist() == ["001", "002", "005"]
    assert back["distortion"].tolist() == ["wn", "", ""]
    assert [str(back[name].dtype) for name in ("index", "level", "mos", "quality", "score")] == ["int64"] * 2 + ["float64"] * 3
    assert [file.name for file in path.parent.iterdir()] == ["live-test.csv"]


def test_a_table_holds_what_the_benchmark_says_not_what_float32_left() -> None:
    table = benchmark_table()
    joined = score_table(table, *scores(4, 0))
    assert list(joined) == list(COLUMNS)
    assert joined["index"].tolist() == [4, 0]
    assert joined["image"].tolist() == [table["image"][4], table["image"][0]]
    assert joined["quality"].tolist() == [table["quality"][4], table["quality"][0]]


def test_deviations_of_opinions_travel_where_they_are_published(tmp_path: Path) -> None:
    table = score_table(benchmark_table().assign(mos_std=[1.5, np.nan, 2, 3, 4, 5]), *scores(0, 1, 3))
    write_scores(tmp_path / "a.csv", table)
    back = read_scores(tmp_path / "a.csv")
    assert list(back) == [*COLUMNS, "mos_std"]
    np.testing.assert_array_equal(back["mos_std"], [1.5, np.nan, 3])
    unknown = score_table(benchmark_table().assign(mos_std=np.nan), *scores(0, 1))
    assert list(unknown) == list(COLUMNS)


def test_a_report_may_see_the_nan_that_others_are_spared(tmp_path: Path) -> None:
    table = score_table(benchmark_table(), *scores(0, 1, 3)).assign(score=[0.1, np.nan, np.inf])
    write_scores(tmp_path / "a.csv", table)
    with pytest.raises(BenchmarkMismatchError, match="line 3: score is 'nan'; expected a finite number"):
        read_scores(tmp_path / "a.csv")
    np.testing.assert_array_equal(read_scores(tmp_path / "a.csv", allow_nan=True)["score"], [0.1, np.nan, np.inf])


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    table = score_table(benchmark_table(), *scores(0, 3))
    for name in ("a.csv", "b.csv"):
        write_scores(tmp_path / name, table)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_scores_of_another_benchmark_are_refused() -> None:
    with pytest.raises(BenchmarkMismatchError) as caught:
        score_table(benchmark_table(), *scores(1, 77))
    assert str(caught.value) == (
        "image 77 is scored and the benchmark's table has rows 0 to 5; these scores belong to another benchmark"
    )
    with pytest.raises(BenchmarkMismatchError, match=r"^image 1 is scored twice; remove repeats before writing a table$"):
        score_table(benchmark_table(), *scores(1, 2, 1))


def test_scores_name_the_images_they_cannot_be_used_for() -> None:
    found = Scores(np.array([2, 5, 9]), np.array([0.1, np.nan, np.inf]), np.zeros(3))
    assert found.unusable.tolist() == [5, 9]
    assert len(found) == 3


def test_a_diverged_run_is_written_and_refused_by_name(tmp_path: Path) -> None:
    index, score = scores(0, 1)
    score[1] = np.nan
    path = tmp_path / "s.csv"
    write_scores(path, score_table(benchmark_table(), index, score))
    with pytest.raises(BenchmarkMismatchError) as caught:
        read_scores(path)
    assert str(caught.value) == f"{path}, line 3: score is 'nan'; expected a finite number; score these images again"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "{path} lacks the column 'index'; expected " + ", ".join(COLUMNS)),
        (HEAD.replace("score", "prediction"), "{path} lacks the column 'score'; expected " + ", ".join(COLUMNS)),
        (HEAD, "{path} has no rows; score at least one image"),
        (f"{HEAD}\n{ROW}\n4,b.png,a,jp", "{path}, line 3: has 4 cells, expected 8; write the table again"),
        (f"{HEAD}\n{ROW}\n{ROW}", "{path}, line 3: index 3 appears twice; keep one row per image"),
        (f"{HEAD}\n{ROW}\n4{ROW[1:]}", "{path}, line 3: image 'a.png' appears twice; keep one row per image"),
        (f"{HEAD}\n{ROW.replace('0.41', 'bad')}", "{path}, line 2: score is 'bad'; expected a number"),
        (f"{HEAD}\n{ROW.replace('3,', '3.5,', 1)}", "{path}, line 2: index is '3.5'; expected a whole number"),
        (
            f"{HEAD}\n{ROW.replace('40.5', 'inf')}",
            "{path}, line 2: mos is 'inf'; expected a finite number; check the labels",
        ),
        (
            f"{HEAD}\n{ROW.replace('0.405', '40.5')}",
            "{path}, line 2: quality is '40.5'; expected a value in [0, 1], higher is better",
        ),
        (f"{HEAD}\n-{ROW}", "{path}, line 2: index is '-3'; expected a row of the benchmark's table, from 0"),
        (
            f"{HEAD}\n{ROW.replace('a.png', '')}",
            "{path}, line 2: image is ''; expected the image's path below the root",
        ),
    ],
)
def test_a_fault_of_a_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(text)
    with pytest.raises(BenchmarkMismatchError) as caught:
        read_scores(path)
    assert str(caught.value) == message.format(path=path)


@pytest.mark.parametrize("cell", ["1_000", "\u0663", "0x10", "1e101", "-1e308", "1,5", "one", "٣.5", "1e"])
def test_a_number_is_written_as_in_every_csv_file_and_its_square_is_finite(cell: str, tmp_path: Path) -> None:
    table = score_table(benchmark_table(), *scores(0, 1)).astype({"score": object})
    table.loc[1, "score"] = cell
    write_scores(tmp_path / "a.csv", table)
    with pytest.raises(BenchmarkMismatchError, match=r"line 3: score is .*; expected a number"):
        read_scores(tmp_path / "a.csv", allow_nan=True)


def test_a_number_may_be_written_in_every_usual_way(tmp_path: Path) -> None:
    words = ["+1", "1.", ".5", "1E-3", "-2.5e+2", " 7 "]
    table = score_table(benchmark_table(), *scores(*range(6))).assign(score=words)
    write_scores(tmp_path / "a.csv", table)
    assert read_scores(tmp_path / "a.csv")["score"].tolist() == [1, 1, 0.5, 1e-3, -250, 7]


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    table = score_table(benchmark_table(), *scores(0, 1))
    for columns in ([*table, "score"], ["score", *table]):
        table[columns].to_csv(tmp_path / "a.csv", index=False)
        with pytest.raises(
            BenchmarkMismatchError, match="has the column 'score' twice; which one is meant, nobody knows: leave one"
        ):
            read_scores(tmp_path / "a.csv")


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    with pytest.raises(BenchmarkNotFoundError, match=r"s\.csv does not exist; `sdsiqa test` writes score tables$"):
        read_scores(path)
    for data in (b"\xff\xfe\x00", b'index,"ima'):
        path.write_bytes(data)
        with pytest.raises(BenchmarkMismatchError, match=r"s\.csv is no CSV file: .*; write the table again$"):
            read_scores(path)


def test_a_foreign_table_may_order_its_columns_and_add_some(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    names = [*reversed(COLUMNS), "note"]
    cells = [*reversed(ROW.split(",")), "theirs"]
    path.write_bytes(("\ufeff" + ",".join(names) + "\r\n" + ",".join(cells) + "\r\n").encode())
    assert read_scores(path).iloc[0].tolist() == [3, "a.png", "a", "jpeg", 2, 40.5, 0.405, 0.41]


def test_score_tables_need_no_torch() -> None:
    code = "import sys, sdsiqa.runs.scores; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
