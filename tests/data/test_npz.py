from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganzoo_core.data import DataInfo, inspect, open_images
from ganzoo_core.errors import DataError

Array = np.ndarray[Any, Any]
LABELS = np.arange(12) % 3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mine.npz"


def opened(path: Path, **options: Any) -> Array:
    return open_images(f"npz:{path}", image_size=16, channels=3, **options).images


@pytest.mark.parametrize("key", ["images", "x", "data", "imgs", "X", "anything"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_images_are_found_under_their_usual_names(
    path: Path, pictures: Array, key: str, save: Callable[..., None]
) -> None:
    save(path, names=np.array(["a"]), **{key: pictures})
    np.testing.assert_array_equal(opened(path), pictures)


@pytest.mark.parametrize(
    "arrange",
    [
        lambda images: images,
        lambda images: images.transpose(0, 3, 1, 2).copy(),
        np.asfortranarray,
        lambda images: (images / 255).astype(np.float32),
        lambda images: images / 127.5 - 1,
    ],
    ids=["channels last", "channels first", "by columns", "0 to 1", "-1 to 1"],
)
def test_layouts_and_ranges_give_the_same_images(
    path: Path, pictures: Array, arrange: Callable[[Array], Array]
) -> None:
    np.savez(path, images=arrange(pictures))
    np.testing.assert_array_equal(opened(path), pictures)


def test_half_precision_is_read_to_its_precision(path: Path, pictures: Array) -> None:
    np.savez(path, images=(pictures / 255).astype(np.float16))
    np.testing.assert_array_equal(opened(path), pictures)


def test_greyscale_needs_no_channel(path: Path, pictures: Array) -> None:
    np.savez(path, images=pictures[..., 0])
    assert inspect(f"npz:{path}") == DataInfo(image_size=16, channels=1, classes=0, count=12)
    np.testing.assert_array_equal(opened(path), np.repeat(pictures[..., :1], 3, axis=-1))


@pytest.mark.parametrize("kind", [np.uint8, np.bool_])
def test_masks_of_0_and_1_are_black_and_white(path: Path, pictures: Array, kind: Any) -> None:
    mask = pictures[..., 0] > 127
    np.savez(path, imgs=mask.astype(kind))
    np.testing.assert_array_equal(opened(path)[..., 0], mask * 255)


def test_alpha_is_laid_on_white(path: Path) -> None:
    np.savez(path, images=np.zeros((2, 16, 16, 4), dtype=np.uint8))
    assert inspect(f"npz:{path}").channels == 3
    np.savez(path, images=np.full((2, 16, 16, 4), [9, 9, 9, 0], dtype=np.uint8))
    assert np.unique(opened(path)).tolist() == [255]


@pytest.mark.parametrize("key", ["labels", "y"])
@pytest.mark.parametrize("shape", [(12,), (12, 1)])
def test_labels_come_along(path: Path, pictures: Array, key: str, shape: tuple[int, ...]) -> None:
    np.savez(path, images=pictures, **{key: LABELS.astype(np.uint8).reshape(shape)})
    data = open_images(f"npz:{path}", image_size=16, channels=3)
    assert data.labels is not None
    assert data.labels.tolist() == LABELS.tolist()
    assert data.class_names == ("0", "1", "2")
    assert inspect(f"npz:{path}").classes == 3


@pytest.mark.parametrize("style", ["{}_{}", "{1}_{0}"])
def test_splits_are_found_by_the_names_of_the_arrays(
    path: Path, pictures: Array, style: str
) -> None:
    arrays = {
        style.format("x", "train"): pictures[:8],
        style.format("y", "train"): LABELS[:8],
        style.format("x", "test"): pictures[8:],
        style.format("y", "test"): LABELS[8:],
    }
    np.savez(path, **arrays)
    np.testing.assert_array_equal(opened(path), pictures[:8])
    np.testing.assert_array_equal(opened(path, split="test"), pictures[8:])
    test = open_images(f"npz:{path}", image_size=16, channels=3, split="test")
    assert test.labels is not None
    assert test.labels.tolist() == LABELS[8:].tolist()


def expect(message: str, source: str, **options: Any) -> None:
    with pytest.raises(DataError, match=message):
        open_images(source, image_size=16, channels=3, **options)


def test_one_set_of_images_has_no_test_split(path: Path, pictures: Array) -> None:
    np.savez(path, images=pictures)
    expect("single split.*images_test", f"npz:{path}", split="test")


def test_pickled_objects_are_refused_unread(path: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "sprung",)

    objects = np.empty((2, 2, 2), dtype=object)
    objects[:] = Trap()
    np.savez(path, images=objects)
    expect("pickled Python objects", f"npz:{path}")
    assert not (tmp_path / "sprung").exists()


def test_pickled_labels_are_refused(path: Path, pictures: Array) -> None:
    np.savez(path, images=pictures, labels=np.array(["a", None] * 6, dtype=object))
    expect("'labels'.* holds pickled Python objects", f"npz:{path}")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((2, 4, 4), 255.0), "from 255 to 255; float images must lie in 0 to 1"),
        (np.full((2, 4, 4), np.nan), "from nan to nan"),
        (np.array([0.5, np.nan]).reshape(2, 1, 1), "nan"),
        (np.zeros((2, 4, 4), dtype=np.int32), "int32 of shape .* must be uint8 or float"),
        (np.zeros((2, 4, 4), dtype=np.complex64), "complex64"),
        (np.array([["a"]]).reshape(1, 1, 1), "must be uint8 or float"),
        (np.zeros((0, 4, 4), dtype=np.uint8), "is empty"),
        (np.zeros((2, 4, 0), dtype=np.uint8), "is empty"),
        (np.zeros((2, 3, 5, 5, 5), dtype=np.uint8), "number of channels"),
        (np.zeros((2, 5), dtype=np.uint8), r"uint8 of shape \[2, 5\]"),
        (np.uint8(3), r"uint8 of shape \[\]"),
    ],
)
def test_arrays_that_are_not_images_are_refused(path: Path, values: Array, message: str) -> None:
    np.savez(path, images=values)
    expect(message, f"npz:{path}")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:5], "5 labels for 12 images"),
        (LABELS - 1, "run from -1 to 1"),
        (LABELS + 10**9, "number the classes from 0"),
        (LABELS / 2, "float64 of shape"),
        (np.eye(12, dtype=np.int64), "whole class number for each image"),
        (np.int64(3), "whole class number for each image"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    path: Path, pictures: Array, labels: Array, message: str
) -> None:
    np.savez(path, images=pictures, labels=labels)
    expect(message, f"npz:{path}")


def test_an_archive_without_images_is_refused(path: Path) -> None:
    np.savez(path, weights=np.zeros(3), bias=np.zeros(1))
    expect("holds no images for 'train' .its arrays: weights, bias", f"npz:{path}")


def test_what_is_not_an_archive_is_refused(path: Path) -> None:
    path.write_bytes(b"hello")
    expect("is not a whole .npz file", f"npz:{path}")


def test_a_member_that_is_no_array_is_refused(path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("images.npy", b"not an array at all")
    expect("is not a NumPy array", f"npz:{path}")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_content_is_refused(
    path: Path, pictures: Array, save: Callable[..., None], cache: Path
) -> None:
    save(path, images=pictures)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    expect("is not a whole .npz file|cannot be read", f"npz:{path}")
    assert list(cache.iterdir()) == [], "nothing is left half-written"


def test_an_array_shorter_than_its_header_says_is_refused(path: Path, pictures: Array) -> None:
    import io
    import zipfile

    array = io.BytesIO()
    np.save(array, pictures)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("images.npy", array.getvalue()[:-10])
    expect("is truncated", f"npz:{path}")


def test_a_folder_where_a_file_is_expected_is_refused(tmp_path: Path) -> None:
    expect("is a folder, not an .npz file", f"npz:{tmp_path}")


def test_a_missing_file_is_refused(path: Path, pictures: Array) -> None:
    np.savez(path, images=pictures)
    expect("did you mean 'mine.npz'", f"npz:{path.with_name('mime.npz')}")


def test_the_same_images_in_a_folder_have_the_same_fingerprint(
    path: Path, tmp_path: Path, pictures: Array, save: Callable[..., None]
) -> None:
    np.savez(path, images=pictures)
    save(pictures, tmp_path / "files")
    for size, channels in ((16, 3), (11, 1), (24, 3)):
        one = open_images(f"npz:{path}", image_size=size, channels=channels)
        other = open_images(f"folder:{tmp_path}/files", image_size=size, channels=channels)
        assert one.fingerprint == other.fingerprint


def test_a_real_archive_with_both_splits(shared: Callable[[str], Path]) -> None:
    source = f"npz:{shared('usps/usps_16x16_uint8.npz')}"
    assert inspect(source) == DataInfo(16, 1, 10, 7291)
    assert inspect(source, split="test") == DataInfo(16, 1, 10, 2007)
    assert open_images(source, image_size=32, channels=1, split="test").images.shape[0] == 2007
