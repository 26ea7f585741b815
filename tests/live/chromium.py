"""A real Chromium: the one of this machine, else Playwright's own, which is installed where it is missing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Error, Playwright, sync_playwright

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-proxy-server",
]  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = [sys.executable, "-m", "playwright", "install", "chromium"]
DEBIAN = ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]
INSTALL_SECONDS = 300


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = _launched(playwright)
        try:
            yield browser
        finally:
            browser.close()


def _launched(playwright: Playwright) -> Browser:
    if browser := _present(playwright):
        return browser
    for command in (INSTALL, *([DEBIAN] if os.geteuid() == 0 else [])):
        if _done(command) and (browser := _present(playwright)):
            return browser
    pytest.fail("These tests need Chromium; install it: sudo apt-get install chromium")


def _present(playwright: Playwright) -> Browser | None:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    try:
        return playwright.chromium.launch(executable_path=found, args=FLAGS)
    except Error:
        return None


def _done(command: list[str]) -> bool:
    try:
        # The machine's own authorities, not those that the installer brings along: a network may have one of its own.
        environ = {"NODE_USE_SYSTEM_CA": "1"} | os.environ
        done = subprocess.run(command, env=environ, capture_output=True, timeout=INSTALL_SECONDS, check=False)
        return done.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
