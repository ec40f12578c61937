import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo_core.data import SOURCES, DataInfo, inspect, open_images
from ganzoo_core.errors import ConfigError, DataError, GanzooError, UnknownNameError


def test_the_digits_need_no_network_and_span_the_whole_range() -> None:
    assert inspect("digits") == DataInfo(image_size=8, channels=1, classes=10, count=1797)
    data = open_images("digits", image_size=8, channels=1)
    assert data.images.shape == (1797, 8, 8, 1)
    assert (data.images.min(), data.images.max()) == (0, 255)
    assert len(np.unique(data.images)) == 17
    assert data.labels is not None
    assert np.bincount(data.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert data.class_names == tuple("0123456789")
    assert data.name == "digits"


def test_the_digits_are_enlarged_and_coloured_on_demand() -> None:
    data = open_images("digits", image_size=16, channels=3)
    assert data.images.shape == (1797, 16, 16, 3)
    assert (data.images[..., 0] == data.images[..., 2]).all()


def test_the_digits_have_no_test_split() -> None:
    with pytest.raises(DataError, match="single split"):
        inspect("digits", split="test")


def test_importing_the_room_imports_nothing_heavy() -> None:
    program = (
        "import sys, ganzoo_core.data\n"
        "print(sorted({'torch', 'datasets', 'sklearn', 'huggingface_hub', 'pandas'}"
        " & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    seen = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert seen.stdout.strip() == "[]"


@pytest.mark.parametrize("wrong", ["digit", "minst", "foler:/tmp", "hubb:a/b", "", "s3:bucket"])
def test_an_unknown_name_is_refused_with_a_suggestion(wrong: str) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown data set .*(did you mean|choose one of)"):
        inspect(wrong)


@pytest.mark.parametrize(
    ("wrong", "right"), [("digit", "digits"), ("minst", "mnist"), ("foler:x", "folder:")]
)
def test_the_suggestion_is_the_nearest_name(wrong: str, right: str) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean '{right}'"):
        inspect(wrong)


@pytest.mark.parametrize("name", ["x" * 5000, "folder:" + "x" * 5000, "idx:a\0b", "npz:\0"])
def test_names_that_no_file_can_have_are_refused(name: str) -> None:
    with pytest.raises(GanzooError):
        inspect(name)


@pytest.mark.parametrize("prefix", ["hub", "folder", "idx", "npz"])
def test_a_prefix_alone_is_refused_with_an_example(prefix: str) -> None:
    with pytest.raises(DataError, match=f"lacks its .*as in {prefix}:"):
        inspect(f"{prefix}:")


def test_a_bare_path_is_refused_with_the_prefix_that_it_lacks(
    tmp_path: Path, write_idx: Callable[..., Path]
) -> None:
    (tmp_path / "photos").mkdir()
    write_idx(np.zeros((1, 4, 4)), tmp_path / "digits" / "train-images-idx3-ubyte")
    np.savez(tmp_path / "arrays.npz", images=np.zeros((1, 4, 4)))
    for name, prefix in (("photos", "folder"), ("digits", "idx"), ("arrays.npz", "npz")):
        with pytest.raises(DataError, match=f"is a path.*as in {prefix}:{tmp_path}/{name}"):
            inspect(f"{tmp_path}/{name}")


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown split 'tset'; did you mean 'test'"):
        inspect("digits", split="tset")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 0}, "image_size is 0"),
        ({"image_size": -8}, "image_size is -8"),
        ({"channels": 2}, "channels is 2"),
        ({"channels": -1}, "channels is -1"),
        ({"broken_share": -0.1}, "broken_share is -0.1"),
        ({"broken_share": 1.5}, "broken_share is 1.5"),
        ({"broken_share": float("nan")}, "broken_share is nan"),
    ],
)
def test_settings_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_images("digits", **{"image_size": 8, "channels": 1, **options})


def test_an_unknown_filter_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="resize filter 'lancos'; did you mean 'lanczos'"):
        open_images("digits", image_size=8, channels=1, resize_filter="lancos")


@pytest.mark.parametrize("image_size", [10**7, 10**30])
def test_a_huge_size_is_refused_before_anything_is_written(image_size: int, cache: Path) -> None:
    with pytest.raises(DataError, match=r"decoding needs .* GB in .* GANZOO_CACHE"):
        open_images("digits", image_size=image_size, channels=1)
    assert list(cache.iterdir()) == []


def test_a_home_relative_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "photos").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "photos" / "a.png")
    assert inspect("folder:~/photos").count == 1


def test_every_name_for_help_is_understood(tmp_path: Path) -> None:
    for name in SOURCES:
        if name.endswith(":"):
            with pytest.raises(DataError):
                inspect(name)
        else:
            assert inspect(name).classes == (0 if name == "scenes" else 10)
