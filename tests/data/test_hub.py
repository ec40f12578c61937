"""Data sets through `datasets`: from local files by the same path as the Hub's, and offline."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo_core.data import DataInfo, inspect, open_images
from ganzoo_core.errors import DataError, HubError

Save = Callable[..., None]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep `datasets` from looking for the network, in this process too."""
    import datasets
    import huggingface_hub.constants

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.fixture
def parquet(tmp_path: Path, pictures: Any, offline: None) -> Path:
    """A data set as the Hub stores them: parquet files with images and class labels."""
    import datasets

    features = datasets.Features(
        {
            "id": datasets.Value("int64"),
            "img": datasets.Image(),
            "label": datasets.ClassLabel(names=["cat", "dog"]),
        }
    )

    def rows(images: Any) -> Any:
        columns = {
            "id": list(range(len(images))),
            "img": [Image.fromarray(image) for image in images],
            "label": [number % 2 for number in range(len(images))],
        }
        return datasets.Dataset.from_dict(columns, features=features)

    folder = tmp_path / "set"
    folder.mkdir()
    rows(pictures[:9]).to_parquet(folder / "train-00000.parquet")
    rows(pictures[9:]).to_parquet(folder / "test-00000.parquet")
    return folder


def test_images_and_class_labels_are_found_in_a_data_set(
    parquet: Path, tmp_path: Path, pictures: Any
) -> None:
    root = tmp_path / "root"
    data = open_images(f"hub:{parquet}", image_size=16, channels=3, root=root)
    np.testing.assert_array_equal(data.images, pictures[:9])
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0]
    assert data.class_names == ("cat", "dog")
    assert any(root.rglob("*.arrow")), "data of the Hub are kept under the data root"


def test_a_look_at_a_data_set(parquet: Path, tmp_path: Path) -> None:
    assert inspect(f"hub:{parquet}", root=tmp_path, split="test") == DataInfo(16, 3, 2, 3)


def test_a_second_opening_does_not_decode_again(parquet: Path, tmp_path: Path) -> None:
    calls: list[int] = []
    for _ in range(2):
        open_images(
            f"hub:{parquet}",
            image_size=16,
            channels=3,
            root=tmp_path / "root",
            progress=lambda done, of: calls.append(done),
        )
    assert calls == list(range(1, 10))


def test_a_folder_of_files_with_a_broken_one(
    tmp_path: Path, pictures: Any, save: Save, offline: None
) -> None:
    save(pictures[:6], tmp_path / "set" / "train" / "cat")
    save(pictures[6:], tmp_path / "set" / "train" / "dog")
    (tmp_path / "set" / "train" / "dog" / "bad.png").write_bytes(b"no image")
    options: dict[str, Any] = {"image_size": 16, "channels": 3, "root": tmp_path / "root"}
    with pytest.raises(DataError, match="1 of 13"):
        open_images(f"hub:{tmp_path}/set", **options)
    data = open_images(f"hub:{tmp_path}/set", broken_share=0.1, **options)
    assert len(data) == 12
    assert "row 12: not an image" in data.skipped[0]


def test_labels_that_are_kept_back_count_as_none(tmp_path: Path, offline: None) -> None:
    import datasets

    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])}
    )
    (tmp_path / "set").mkdir()
    for split, labels in (("train", [-1, -1]), ("test", [None, 1])):
        columns = {"image": [Image.new("L", (8, 8))] * 2, "label": labels}
        rows = datasets.Dataset.from_dict(columns, features=features)
        rows.to_parquet(tmp_path / "set" / f"{split}-0.parquet")
    for split in ("train", "test"):
        data = open_images(
            f"hub:{tmp_path}/set", image_size=8, channels=1, root=tmp_path, split=split
        )
        assert (data.labels, data.class_names) == (None, ())


def test_a_row_without_an_image_is_broken(tmp_path: Path, offline: None) -> None:
    import datasets

    rows = datasets.Dataset.from_dict(
        {"image": [Image.new("L", (8, 8)), None]},
        features=datasets.Features({"image": datasets.Image()}),
    )
    (tmp_path / "set").mkdir()
    rows.to_parquet(tmp_path / "set" / "train-0.parquet")
    data = open_images(
        f"hub:{tmp_path}/set", image_size=8, channels=1, root=tmp_path, broken_share=0.5
    )
    assert len(data) == 1
    assert "the row holds no image" in data.skipped[0]


def test_a_split_that_there_is_not_is_refused(
    tmp_path: Path, pictures: Any, save: Save, offline: None
) -> None:
    save(pictures, tmp_path / "set")
    with pytest.raises(DataError, match="has no split 'test' but train"):
        open_images(f"hub:{tmp_path}/set", image_size=8, channels=3, root=tmp_path, split="test")


def test_a_data_set_without_images_is_refused(tmp_path: Path, offline: None) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"no column of images .its columns: a, b"):
        open_images(f"hub:{tmp_path}/set", image_size=8, channels=3, root=tmp_path)


def test_damaged_files_are_refused(tmp_path: Path, offline: None) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.parquet").write_bytes(b"PAR1 no parquet PAR1")
    with pytest.raises(HubError, match=r"cannot be read .*idx:PATH"):
        open_images(f"hub:{tmp_path}/set", image_size=8, channels=3, root=tmp_path)


def test_the_known_names_are_looked_at_without_a_network() -> None:
    assert inspect("mnist") == DataInfo(28, 1, 10, 60_000)
    assert inspect("fashion-mnist", split="test") == DataInfo(28, 1, 10, 10_000)
    assert inspect("cifar10") == DataInfo(32, 3, 10, 50_000)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10", "hub:someone/something"])
def test_offline_is_one_sentence_with_alternatives(tmp_path: Path, name: str) -> None:
    program = (
        "from ganzoo_core.data import open_images\n"
        "from ganzoo_core.errors import HubError\n"
        "try:\n"
        f"    open_images({name!r}, image_size=32, channels=1)\n"
        "except HubError as error:\n"
        "    print(error)\n"
    )
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "home"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    seen = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    (line,) = seen.stdout.splitlines()
    assert "the Hub cannot be reached" in line
    assert "idx:PATH or folder:PATH" in line
    assert "'digits'" in line
    assert not (tmp_path / "cache").exists(), "nothing is written before there are data"


@pytest.mark.hub
@pytest.mark.skipif(
    os.environ.get("GANZOO_TEST_HUB") != "1", reason="set GANZOO_TEST_HUB=1 to talk to the Hub"
)
def test_mnist_from_the_hub(tmp_path: Path) -> None:
    data = open_images("mnist", image_size=28, channels=1, split="test", root=tmp_path)
    assert data.images.shape == (10_000, 28, 28, 1)
    assert len(data.class_names) == 10


def test_a_column_of_captions_is_found(tmp_path: Path, pictures: Any, offline: None) -> None:
    import datasets

    features = datasets.Features({"img": datasets.Image(), "caption": datasets.Value("string")})
    columns = {
        "img": [Image.fromarray(image) for image in pictures[:3]],
        "caption": ["a  cat", None, "a dog"],
    }
    folder = tmp_path / "captioned"
    folder.mkdir()
    datasets.Dataset.from_dict(columns, features=features).to_parquet(folder / "train.parquet")
    data = open_images(f"hub:{folder}", image_size=16, channels=3, root=tmp_path / "root")
    assert data.captions == ("a cat", "", "a dog")
