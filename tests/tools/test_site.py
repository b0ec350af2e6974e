"""The check of a site's links finds what is dead, and what comes from the net."""

from pathlib import Path

import pytest

from tools.site import main

HEAD = "<html><head><link rel='stylesheet' href='a.css'></head><body>"


def write(folder: Path, body: str) -> None:
    """Write a site of two pages."""
    (folder / "sub").mkdir()
    (folder / "a.css").write_text("")
    (folder / "index.html").write_text(HEAD + body)
    (folder / "sub" / "page.html").write_text("<h1 id='top'>a</h1><a href='../index.html'>b</a><a href='#top'>c</a>")


def test_a_whole_site_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "<a href='sub/page.html#top'>a</a><a href='#'>b</a><a href='https://example.org/x'>c</a><img src='data:,'>")
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<a href='sub/none.html'>a</a>", "index.html: sub/none.html leads nowhere"),
        ("<a href='sub/page.html#none'>a</a>", "index.html: sub/page.html#none has no such place on its page"),
        ("<a href='#none'>a</a>", "index.html: #none has no such place on its page"),
        ("<img src='none.png'>", "index.html: none.png leads nowhere"),
        ("<script src='https://example.org/a.js'></script>", "index.html: https://example.org/a.js is loaded from the net"),
        ("<script src='//example.org/a.js'></script>", "index.html: //example.org/a.js is loaded from the net"),
    ],
)
def test_a_fault_is_named(body: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, body)
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"{said}\n"


def test_a_folder_without_a_site_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert "has no index.html; build the site first, by `make docs`" in capsys.readouterr().err
