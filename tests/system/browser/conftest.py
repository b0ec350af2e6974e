"""Debian's Chromium, driven by Playwright, for all tests of pages."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="make test-browser installs it")
    program = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    assert program, "no Chromium found; make test-browser installs it"
    with playwright.sync_playwright() as driver:
        # containers have no user namespaces for its sandbox, and the pages are ours
        running = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()
