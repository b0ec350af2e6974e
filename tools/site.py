"""`make docs`, its last part: finds dead links in the pages of a site, and what they would load from the net."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""Elements that load what they name, and the attribute that names it."""


class Page(HTMLParser):
    """What a page links to, loads, and can be linked at.

    Args:
        text: The page.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links, self.loaded, self.anchors = list[str](), list[str](), set[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Read an element."""
        found = dict(attrs)
        for name in ("id", "name"):
            self.anchors.add(found.get(name) or "")
        target = found.get(LOADED.get(tag, "href")) or ""
        if tag in LOADED and target:
            self.loaded.append(target)
        elif tag == "a" and target:
            self.links.append(target)


def faults(site: Path) -> Iterator[str]:
    """Say what is wrong with the links of a site.

    Args:
        site: Folder of its pages.

    Yields:
        A sentence for each fault.
    """
    files = [file for file in sorted(site.rglob("*.html")) if "_static" not in file.parts]  # templates of the theme
    pages = {file: Page(file.read_text(encoding="utf-8")) for file in files}
    for file, page in pages.items():
        where = file.relative_to(site)
        for link in page.loaded:
            if urlsplit(link).netloc:
                yield f"{where}: {link} is loaded from the net"
        for link in (*page.links, *page.loaded):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file.resolve()
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{where}: {link} leads nowhere"
            elif parts.fragment and target.suffix == ".html":
                there = pages.get(site / target.relative_to(site.resolve()))
                if there is not None and unquote(parts.fragment) not in there.anchors:
                    yield f"{where}: {link} has no such place on its page"


def main(words: Sequence[str] | None = None) -> int:
    """Print what is wrong.

    Args:
        words: Words of the command line; `None`: use `sys.argv`.

    Returns:
        The exit status: 1 if something is.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.site", description=__doc__)
    parser.add_argument("site", type=Path, help="folder of the pages")
    site = parser.parse_args(words).site
    if not (site / "index.html").is_file():
        print(f"{site} has no index.html; build the site first, by `make docs`", file=sys.stderr)
        return 1
    found = list(faults(site))
    print("\n".join(found), file=sys.stderr, end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
