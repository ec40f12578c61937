import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from testing.toy import PACKAGE, write_installed


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install the toy plugin, with a defect, for the length of a test."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(site))

    def installed(**defect: Any) -> None:
        write_installed(site, **defect)
        importlib.invalidate_caches()

    yield installed
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
