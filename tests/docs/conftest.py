import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from docs import shelf
from docs.page import Page


@pytest.fixture(scope="session")
def shelf_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shelf")
    shelf.fill(folder)
    return folder


@pytest.fixture
def data(shelf_folder: Path, tmp_path: Path) -> None:
    """Put the data that readers have into the page's folder."""
    shutil.copytree(shelf_folder, tmp_path / "reader")


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Page]]:
    """Give a page a folder, and make it the working folder."""
    folder, site = tmp_path / "reader", tmp_path / "site-packages"

    def prepared(source: Path) -> Page:
        folder.mkdir(exist_ok=True)
        site.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(str(site))
        return Page(source, folder, site)

    yield prepared
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(site)):
            del sys.modules[name]  # what a page installed is gone for the next one


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write a page of one's own."""

    def written(text: str) -> Path:
        source = tmp_path / "page.md"
        source.write_text(text, encoding="utf-8")
        return source

    return written
