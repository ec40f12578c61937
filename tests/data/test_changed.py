import numpy as np
import pytest
from fake_plugins import GanzooHere

from ganzoo_core.data import inspect, open_images
from ganzoo_core.data.changed import DARK, LIGHT
from ganzoo_core.errors import DataError


def pairs(change: str, channels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    data = open_images(f"{change}:digits", image_size=8, channels=channels)
    assert data.paired and data.other is not None
    return np.asarray(data.images).astype(int), np.asarray(data.other.images).astype(int)


def test_what_was_changed_is_known_pixel_by_pixel() -> None:
    images, thick = pairs("thickened")
    assert thick[7, 3, 3, 0] == images[7, 2:5, 2:5].max()
    images, outlined = pairs("outlined")
    assert np.array_equal(outlined, thick - images)
    images, turned = pairs("rotated")
    assert np.array_equal(turned[5, 0, :, 0], images[5, :, 7, 0])
    images, coloured = pairs("coloured", channels=3)
    black, white = np.argwhere(images[0, ..., 0] == 0)[0], np.argwhere(images[..., 0] == 255)[0]
    assert tuple(coloured[0, black[0], black[1]]) == DARK
    assert tuple(coloured[tuple(white)]) == LIGHT


def test_a_changed_image_keeps_its_class() -> None:
    plain = open_images("digits", image_size=8, channels=1)
    changed = open_images("thickened:digits", image_size=8, channels=1)
    assert changed.labels is not None and plain.labels is not None
    assert np.array_equal(changed.labels, plain.labels)
    assert np.array_equal(changed.images, plain.images)
    assert changed.fingerprint != plain.fingerprint


def test_the_digits_outlines_are_one_of_the_changes() -> None:
    named = open_images("digit-outlines", image_size=8, channels=1)
    assert named.fingerprint == open_images("outlined:digits", image_size=8, channels=1).fingerprint


def test_coloured_digits_are_in_colour() -> None:
    assert inspect("coloured:digits").channels == 3
    with pytest.raises(DataError, match="one channel is asked for"):
        open_images("coloured:digits", image_size=8, channels=1)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("thickened:", "lacks its data set, as in thickened:digits"),
        ("rotated:digit-outlines", "no single set of images, and"),
        ("rotated:idx:nowhere", "nowhere"),
    ],
)
def test_what_cannot_be_changed_is_one_sentence(name: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        open_images(name, image_size=8, channels=1)


def test_a_typo_in_the_change_gets_the_nearest(ganzoo_here: GanzooHere) -> None:
    said = ganzoo_here("train", "pix2pix", "--data", "thickend:digits")
    assert said.code == 2 and "thickened:" in said.err
