"""Data whose factors are known: dSprites in its authors' layout and in the packed one."""

import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganzoo_core.data import DataInfo, ImageData, inspect, open_images
from ganzoo_core.errors import DataError

Array = np.ndarray[Any, Any]

SIZES = (1, 3, 2, 4, 2, 2)
NAMES = ("color", "shape", "scale", "orientation", "posX", "posY")
COUNT = 96


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sprites.npz"


@pytest.fixture
def sprites() -> Array:
    """One mask of 0 and 1 for each combination of factors, uint8 [96, 8, 8]."""
    return np.random.default_rng(3).integers(0, 2, (COUNT, 8, 8), dtype=np.uint8)


def combinations() -> Array:
    return np.stack(np.unravel_index(np.arange(COUNT), SIZES), 1)


class Trap:
    """What runs if it is unpickled."""

    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.touched,)


def write_original(path: Path, sprites: Array, **changes: Any) -> None:
    """The arrays of dSprites, of which `metadata` is a pickled object."""
    metadata = np.empty((), dtype=object)
    metadata[()] = Trap(path.with_name("sprung"))
    arrays: dict[str, Any] = {
        "metadata": metadata,
        "imgs": sprites,
        "latents_classes": combinations(),
        "latents_values": combinations().astype(np.float64),
    }
    np.savez_compressed(path, **{**arrays, **changes})


def write_packed(path: Path, sprites: Array, **changes: Any) -> None:
    arrays: dict[str, Any] = {
        "imgs_packed": np.packbits(sprites.reshape(len(sprites), -1), axis=1),
        "latents_sizes": np.array(SIZES),
    }
    np.savez_compressed(path, **{**arrays, **changes})


LAYOUTS = pytest.mark.parametrize(
    "write", [write_original, write_packed], ids=["authors", "packed"]
)


def opened(path: Path, size: int = 8) -> ImageData:
    return open_images(f"npz:{path}", image_size=size, channels=1)


@LAYOUTS
def test_images_are_black_and_white_and_come_with_their_factors(
    path: Path, sprites: Array, write: Callable[..., None]
) -> None:
    write(path, sprites)
    assert inspect(f"npz:{path}") == DataInfo(image_size=8, channels=1, classes=0, count=COUNT)
    data = opened(path)
    np.testing.assert_array_equal(data.images[..., 0], sprites * 255)
    np.testing.assert_array_equal(data.factors, combinations())
    assert (data.factor_names, data.factor_sizes) == (NAMES, SIZES)
    assert (data.labels, data.class_names) == (None, ())


def test_both_layouts_of_the_same_images_are_the_same_data(path: Path, sprites: Array) -> None:
    write_original(path, sprites)
    write_packed(path.with_name("packed.npz"), sprites)
    for size in (8, 16, 5):
        one, other = opened(path, size), opened(path.with_name("packed.npz"), size)
        assert one.fingerprint == other.fingerprint


def test_pickled_metadata_are_never_read(path: Path, sprites: Array) -> None:
    write_original(path, sprites)
    opened(path)
    assert not path.with_name("sprung").exists()


@LAYOUTS
def test_factors_are_mapped_from_the_cache_and_cannot_be_changed(
    path: Path, sprites: Array, write: Callable[..., None]
) -> None:
    write(path, sprites)
    opened(path)
    told: list[int] = []
    again = open_images(
        f"npz:{path}", image_size=8, channels=1, progress=lambda done, of: told.append(done)
    )
    assert told == [], "nothing is decoded a second time"
    np.testing.assert_array_equal(again.factors, combinations())
    assert isinstance(again.factors, np.memmap)
    assert (again.factor_names, again.factor_sizes) == (NAMES, SIZES)
    with pytest.raises(ValueError, match="read-only"):
        again.factors[0] = 1


def test_other_factors_are_other_data(path: Path, sprites: Array) -> None:
    prints = []
    for factors in (combinations(), combinations()[::-1], combinations()[:, :5]):
        write_original(path, sprites, latents_classes=factors)
        prints.append(opened(path).fingerprint)
    np.savez(path, imgs=sprites)
    prints.append(opened(path).fingerprint)
    assert len(set(prints)) == 4


def test_data_without_factors_keep_the_fingerprint_that_runs_have_recorded(
    path: Path, sprites: Array
) -> None:
    """These two were recorded before there were factors."""
    np.savez(path, imgs=sprites)
    assert opened(path).factors is None
    assert opened(path).fingerprint == WITHOUT_LABELS
    np.savez(path, imgs=sprites, labels=np.arange(COUNT) % 4)
    assert opened(path).fingerprint == WITH_LABELS


WITHOUT_LABELS = "sha256:1bfa5f2652147c46f9ae5edd5a888d22b3b7a5334fc7da7471d5d9d039aefa86"
WITH_LABELS = "sha256:8411e164157ebde9183e809096003f74da02784be6c0f8ccfe0cb1f11307162a"


def test_factors_beside_labels_and_of_another_number_are_named_by_their_numbers(
    path: Path, sprites: Array
) -> None:
    factors = combinations()[:, 1:4].astype(np.uint8)
    np.savez(path, images=sprites, labels=factors[:, 0], latents_classes=factors)
    data = opened(path)
    assert (data.factor_names, data.factor_sizes) == (("0", "1", "2"), (3, 2, 4))
    assert data.class_names == ("0", "1", "2")


def test_only_headers_are_read_to_look(path: Path, sprites: Array) -> None:
    write_original(path, sprites)
    content = bytearray(path.read_bytes())
    # The middle of the compressed images: whoever decodes them stumbles over it.
    middle = content.index(b"imgs.npy") + 8 + COUNT * 8 // 2
    content[middle : middle + 8] = b"\xff" * 8
    path.write_bytes(content)
    assert inspect(f"npz:{path}").count == COUNT
    with pytest.raises(DataError, match=r"is not a whole \.npz file|cannot be read"):
        opened(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "factors.npy").unlink(),
        lambda entry: (entry / "factors.npy").write_bytes(b""),
        lambda entry: np.save(entry / "factors.npy", np.zeros((COUNT, 5), dtype=np.int64)),
        lambda entry: np.save(entry / "factors.npy", np.zeros((4, 6), dtype=np.int64)),
        lambda entry: np.save(entry / "factors.npy", np.zeros((COUNT, 6))),
        lambda entry: (entry / "factors.npy").open("ab").write(b"\0"),
        lambda entry: (entry / "about.json").write_text(
            (entry / "about.json").read_text().replace('"names"', '"nouns"')
        ),
    ],
)
def test_damaged_factors_in_the_cache_are_made_again(
    path: Path, sprites: Array, cache: Path, damage: Callable[[Path], Any]
) -> None:
    write_packed(path, sprites)
    before = opened(path).fingerprint
    (entry,) = (each for each in cache.iterdir() if each.name != "index")
    damage(entry)
    after = opened(path)
    assert after.fingerprint == before
    np.testing.assert_array_equal(after.factors, combinations())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latents_classes": combinations()[:5]}, "factors of 5 images and there are 96"),
        ({"latents_classes": combinations() - 1}, "run from -1 to 2"),
        ({"latents_classes": combinations() * 10**6}, "number the values of each from 0"),
        ({"latents_classes": combinations() / 2}, "float64 of shape .*whole numbers"),
        ({"latents_classes": np.arange(COUNT)}, "one row of whole numbers for each image"),
        ({"latents_classes": np.zeros((COUNT, 0), int)}, "one row of whole numbers"),
        ({"latents_classes": np.array([None])}, "pickled Python objects"),
    ],
)
def test_factors_that_do_not_fit_are_refused(
    path: Path, sprites: Array, changes: dict[str, Any], message: str
) -> None:
    write_original(path, sprites, **changes)
    with pytest.raises(DataError, match=message) as raised:
        opened(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latents_sizes": np.array([3, 4])}, "96 images, and there are 12 combinations"),
        ({"latents_sizes": np.array([96, 0])}, "the number of values of each factor, from 1"),
        ({"latents_sizes": np.array([96.0])}, "float64 of shape"),
        ({"latents_sizes": np.zeros(0, int)}, "the number of values of each factor"),
        ({"latents_sizes": np.array([None])}, "pickled Python objects"),
        ({"imgs_packed": np.zeros((96, 7), np.uint8)}, r"uint8 of shape \[N, side² / 8\]"),
        ({"imgs_packed": np.zeros((96, 0), np.uint8)}, r"uint8 of shape \[N, side² / 8\]"),
        ({"imgs_packed": np.zeros((96, 2, 4), np.uint8)}, r"uint8 of shape \[N, side² / 8\]"),
        ({"imgs_packed": np.zeros((96, 8), np.int64)}, "is int64 of shape"),
        (
            {"imgs_packed": np.asfortranarray(np.zeros((96, 8), np.uint8))},
            "one row after the other",
        ),
        ({"imgs_packed": np.array([[None]])}, "pickled Python objects"),
    ],
)
def test_packed_images_that_do_not_fit_are_refused(
    path: Path, sprites: Array, changes: dict[str, Any], message: str
) -> None:
    write_packed(path, sprites, **changes)
    with pytest.raises(DataError, match=message) as raised:
        inspect(f"npz:{path}")
    assert "\n" not in str(raised.value)


def test_packed_images_without_their_factors_are_refused(path: Path, sprites: Array) -> None:
    np.savez(path, imgs_packed=np.packbits(sprites.reshape(COUNT, -1), axis=1))
    with pytest.raises(DataError, match="'imgs_packed' without 'latents_sizes'"):
        inspect(f"npz:{path}")


@LAYOUTS
def test_there_is_no_test_split(path: Path, sprites: Array, write: Callable[..., None]) -> None:
    write(path, sprites)
    with pytest.raises(DataError, match="single split"):
        inspect(f"npz:{path}", split="test")


@LAYOUTS
def test_a_damaged_archive_leaves_nothing_behind(
    path: Path, sprites: Array, write: Callable[..., None], cache: Path
) -> None:
    write(path, sprites)
    content = bytearray(path.read_bytes())
    name = b"imgs.npy" if write is write_original else b"imgs_packed.npy"
    # Past the header of the .npy, which compresses to less than this.
    content[content.index(name) + 250] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"is not a whole \.npz file|cannot be read"):
        opened(path)
    assert not cache.exists() or not list(cache.iterdir())


def test_a_disk_without_room_is_one_sentence_before_anything_is_written(
    path: Path, sprites: Array, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_packed(path, sprites)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**10, 10**10 - 1000, 1000))
    with pytest.raises(DataError, match=r"decoding needs .* GB in .* GANZOO_CACHE"):
        opened(path)
    assert list(cache.iterdir()) == []


def test_the_rebuilt_dsprites_have_their_factors(shared: Callable[[str], Path]) -> None:
    """Their headers and the first block of 1,024 images; decoding all takes 3 GB."""
    from ganzoo_core.data.pixels import PixelFormat
    from ganzoo_core.data.sources import find_source

    folder = shared("dsprites-rebuilt")
    source = f"npz:{folder}/dsprites_rebuilt_packed.npz"
    assert inspect(source) == DataInfo(64, 1, 0, 737_280)
    found: Any = find_source(source, None, "train")
    factors = found.factors()
    assert factors.sizes == (1, 3, 6, 40, 32, 32)
    assert factors.names == NAMES
    block = next(found.decode(PixelFormat(64, 1, "lanczos")))
    originals = np.load(folder / "dsprites_reference_354.npz")
    numbers = np.ravel_multi_index(tuple(originals["latents_classes"].T.astype(int)), factors.sizes)
    np.testing.assert_array_equal(factors.values[numbers], originals["latents_classes"])
    (early,) = np.nonzero(numbers < len(block))
    assert len(early) > 0
    np.testing.assert_array_equal(block[numbers[early], ..., 0], originals["imgs"][early] * 255)
