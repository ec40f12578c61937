import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganzoo_core.data import DataInfo, inspect, open_images
from ganzoo_core.errors import DataError

WriteIdx = Callable[..., Path]

GREY = np.random.default_rng(3).integers(0, 256, (10, 12, 12), dtype=np.uint8)
LABELS = np.arange(10) % 4


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("names", ["{}-idx{}-ubyte", "{}.idx{}-ubyte", "emnist-{}-idx{}-ubyte"])
def test_the_usual_names_are_found_in_a_folder(
    tmp_path: Path, write_idx: WriteIdx, names: str, suffix: str
) -> None:
    write_idx(GREY[:7], tmp_path / (names.format("train-images", 3) + suffix))
    write_idx(LABELS[:7], tmp_path / (names.format("train-labels", 1) + suffix))
    write_idx(GREY[7:], tmp_path / (names.format("t10k-images", 3) + suffix))
    write_idx(LABELS[7:], tmp_path / (names.format("t10k-labels", 1) + suffix))
    train = open_images(f"idx:{tmp_path}", image_size=12, channels=1)
    test = open_images(f"idx:{tmp_path}", image_size=12, channels=1, split="test")
    np.testing.assert_array_equal(train.images[..., 0], GREY[:7])
    np.testing.assert_array_equal(test.images[..., 0], GREY[7:])
    assert train.labels is not None
    assert train.labels.tolist() == LABELS[:7].tolist()
    assert train.class_names == ("0", "1", "2", "3")
    assert inspect(f"idx:{tmp_path}") == DataInfo(image_size=12, channels=1, classes=4, count=7)


def test_a_gzipped_file_without_the_suffix_is_read(tmp_path: Path, write_idx: WriteIdx) -> None:
    path = write_idx(GREY, tmp_path / "train-images-idx3-ubyte.gz")
    path.rename(tmp_path / "train-images-idx3-ubyte")
    assert len(open_images(f"idx:{tmp_path}", image_size=12, channels=1)) == 10


def test_a_file_beside_its_gzipped_twin_is_read_once(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(GREY, tmp_path / "train-images-idx3-ubyte")
    write_idx(GREY, tmp_path / "train-images-idx3-ubyte.gz")
    assert inspect(f"idx:{tmp_path}").count == 10


def test_an_images_file_finds_its_labels_by_name(tmp_path: Path, write_idx: WriteIdx) -> None:
    images = write_idx(GREY, tmp_path / "t10k-images.idx3-ubyte")
    write_idx(LABELS, tmp_path / "t10k-labels-idx1-ubyte.gz")
    data = open_images(f"idx:{images}", image_size=12, channels=1)
    assert data.labels is not None
    assert data.labels.tolist() == LABELS.tolist()


def test_images_without_a_labels_file_are_unlabelled(tmp_path: Path, write_idx: WriteIdx) -> None:
    images = write_idx(GREY, tmp_path / "mine.idx")
    data = open_images(f"idx:{images}", image_size=12, channels=1)
    assert (data.labels, data.class_names) == (None, ())
    assert inspect(f"idx:{images}").classes == 0


def test_oblong_images_are_cropped(tmp_path: Path, write_idx: WriteIdx) -> None:
    images = write_idx(GREY[:, :, :8], tmp_path / "mine.idx")
    assert inspect(f"idx:{images}").image_size == 12
    data = open_images(f"idx:{images}", image_size=8, channels=1)
    np.testing.assert_array_equal(data.images[..., 0], GREY[:, 2:10, :8])


def expect(message: str, source: str, **options: Any) -> None:
    with pytest.raises(DataError, match=message):
        open_images(source, image_size=12, channels=1, **options)


def test_a_file_with_the_wrong_magic_is_refused(tmp_path: Path, write_idx: WriteIdx) -> None:
    labels = write_idx(LABELS, tmp_path / "train-images-idx3-ubyte")
    expect("does not begin as an IDX file .*00000801, not 00000803", f"idx:{labels}")
    labels.write_bytes(b"PK\3\4 something else")
    expect("does not begin as an IDX file", f"idx:{labels}")


@pytest.mark.parametrize("kept", [0, 3, 9, 16, 17, 1000])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_truncated_file_is_refused(
    tmp_path: Path, write_idx: WriteIdx, cache: Path, suffix: str, kept: int
) -> None:
    path = write_idx(GREY, tmp_path / f"train-images-idx3-ubyte{suffix}")
    path.write_bytes(path.read_bytes()[:kept])
    expect("truncated|does not begin", f"idx:{path}")
    assert not cache.exists() or list(cache.iterdir()) == [], "nothing is left half-written"


def test_a_damaged_gzip_is_refused(tmp_path: Path, write_idx: WriteIdx) -> None:
    path = write_idx(GREY, tmp_path / "train-images-idx3-ubyte.gz")
    content = bytearray(path.read_bytes())
    content[-8] ^= 0xFF  # its check sum
    path.write_bytes(content)
    expect("cannot be read .*CRC", f"idx:{path}")


def test_a_file_that_goes_on_after_its_images_is_refused(
    tmp_path: Path, write_idx: WriteIdx
) -> None:
    path = write_idx(GREY, tmp_path / "mine.idx")
    path.write_bytes(path.read_bytes() + b"\0")
    expect("goes on after", f"idx:{path}")


def test_a_count_of_labels_that_differs_is_refused(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(GREY, tmp_path / "train-images-idx3-ubyte")
    write_idx(LABELS[:9], tmp_path / "train-labels-idx1-ubyte")
    expect("holds 9 labels for 10 images", f"idx:{tmp_path}")


def test_a_file_without_images_is_refused(tmp_path: Path, write_idx: WriteIdx) -> None:
    expect("it is empty", f"idx:{write_idx(GREY[:0], tmp_path / 'mine.idx')}")


@pytest.mark.parametrize("shape", [(2**32 - 1, 28, 28), (1, 2**32 - 1, 2**32 - 1)])
def test_a_header_with_absurd_sizes_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    header = b"\0\0\x08\x03" + b"".join(length.to_bytes(4, "big") for length in shape)
    (tmp_path / "mine.idx").write_bytes(gzip.compress(header))
    expect("decoding needs .* GB|damaged", f"idx:{tmp_path}/mine.idx")


def test_a_folder_without_idx_files_is_refused(tmp_path: Path) -> None:
    expect("holds no IDX images for 'train'", f"idx:{tmp_path}")


def test_a_folder_without_the_test_files_is_refused(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(GREY, tmp_path / "train-images-idx3-ubyte")
    expect("holds no IDX images for 'test', such as t10k", f"idx:{tmp_path}", split="test")


def test_several_sets_in_one_folder_are_refused(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(GREY, tmp_path / "emnist-digits-train-images-idx3-ubyte")
    write_idx(GREY, tmp_path / "emnist-letters-train-images-idx3-ubyte")
    expect("several train files .*digits.*letters", f"idx:{tmp_path}")


def test_a_single_file_has_no_test_split(tmp_path: Path, write_idx: WriteIdx) -> None:
    path = write_idx(GREY, tmp_path / "train-images-idx3-ubyte")
    expect("single split", f"idx:{path}", split="test")


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    expect("there is no file or folder", f"idx:{tmp_path}/nowhere/mnist")


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_real_files_are_read_whole(shared: Callable[[str], Path], name: str) -> None:
    source = f"idx:{shared(name)}"
    assert inspect(source) == DataInfo(image_size=28, channels=1, classes=10, count=60_000)
    with gzip.open(shared(name) / "train-images-idx3-ubyte.gz") as file:
        expected = np.frombuffer(file.read(), np.uint8, offset=16).reshape(60_000, 28, 28, 1)
    data = open_images(source, image_size=28, channels=1)
    assert np.array_equal(data.images, expected)
    assert data.labels is not None
    assert np.bincount(data.labels).sum() == 60_000
    assert len(data.class_names) == 10


def test_real_digits_are_enlarged(shared: Callable[[str], Path]) -> None:
    data = open_images(f"idx:{shared('mnist')}", image_size=32, channels=1, split="test")
    assert data.images.shape == (10_000, 32, 32, 1)
    small = open_images(f"idx:{shared('mnist')}", image_size=28, channels=1, split="test")
    assert abs(float(data.images.mean()) - float(small.images.mean())) < 1
