"""Documents that lie beside `docs/` become pages, and links between files, as GitHub follows them, become links between pages.

A page that is such a document holds one line: an `include` of it.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

PROJECT = Path(__file__).parents[2]
INCLUDE = re.compile(r"^```\{include\} (\S+)\n```$", re.MULTILINE)
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")


def set_links(text: str, here: Path, page: Path, pages: dict[Path, Path]) -> str:
    """Write the links of a document as links of a page.

    Args:
        text: The document.
        here: Its folder.
        page: Folder of the page.
        pages: Page of each document beside `docs/`.
    """

    def one(found: re.Match[str]) -> str:
        picture, name, link = found.groups()
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link) or not path:
            return found[0]
        target = (here / path).resolve()
        target = pages.get(target, target)
        if target.is_dir():  # a site has no page for a folder of the project
            return name
        up = "../" * len(page.relative_to(PROJECT).parts)
        return f"{picture}[{name}]({up}{target.relative_to(PROJECT)}{'#' if anchor else ''}{anchor})"

    pieces = FENCE.split(text)  # every second one is code
    return "".join(piece if number % 2 else LINK.sub(one, piece) for number, piece in enumerate(pieces))


def documents(source: Path) -> dict[Path, Path]:
    """Find the page of each document that a page includes.

    Args:
        source: The folder `docs/`.
    """
    found = {}
    for page in source.rglob("*.md"):
        for name in INCLUDE.findall(page.read_text(encoding="utf-8")):
            found[(page.parent / name).resolve()] = page
    return found


def _read(app: Sphinx, docname: str, source: list[str]) -> None:
    page = Path(app.env.doc2path(docname))
    pages = documents(Path(app.srcdir))
    text = set_links(source[0], page.parent, page.parent, pages)

    def include(found: re.Match[str]) -> str:
        file = (page.parent / found[1]).resolve()
        app.env.note_dependency(str(file))
        content = file.read_text(encoding="utf-8")
        if text.startswith("# "):  # the page has a title of its own
            content = re.sub(r"\A# .*\n", "", content)
        return set_links(content, file.parent, page.parent, pages)

    source[0] = INCLUDE.sub(include, text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Change each page after it is read."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True}
