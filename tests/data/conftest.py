"""Real files for the data room's tests: images by Pillow, IDX by hand, and the shared real data."""

import gzip
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own; the entries lie in its subfolder `data`."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("GANZOO_CACHE", str(folder))
    return folder / "data"


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """The path of real data under the shared folder; a test without them is skipped."""
    beside = Path(__file__).resolve().parents[3] / "shared"
    root = Path(os.environ.get("GANZOO_SHARED", beside)) / "data"

    def find(name: str) -> Path:
        if not (root / name).exists():
            pytest.skip(f"the real data {name} are not on this machine (GANZOO_SHARED)")
        return root / name

    return find


@pytest.fixture
def pictures() -> np.ndarray[Any, Any]:
    """Twelve different RGB images of 16×16, uint8 [12, 16, 16, 3]."""
    return np.random.default_rng(5).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def save() -> Callable[..., None]:
    """Write images [N, H, W] or [N, H, W, 3] as numbered PNG files into a folder."""

    def write(images: np.ndarray[Any, Any], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(images):
            Image.fromarray(image).save(folder / f"{number:03}.png")

    return write


@pytest.fixture
def write_idx() -> Callable[..., Path]:
    """Write a uint8 array as an IDX file, gzipped if its name ends so."""

    def write(array: np.ndarray[Any, Any], path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        content = header + array.astype(np.uint8).tobytes()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        return path

    return write
