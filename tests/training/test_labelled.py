"""The few labelled images of semi-supervised training come again beside every batch."""

from dataclasses import replace

import numpy as np
import pytest

from ganzoo_core.data import ImageData, open_images
from ganzoo_core.errors import DataError
from ganzoo_core.training.batches import ImageBatches
from ganzoo_core.training.processes import Processes


@pytest.fixture
def digits() -> ImageData:
    return open_images("digits", image_size=8, channels=1)


def batches(data: ImageData, *, labelled: int, size: int = 32) -> ImageBatches:
    return ImageBatches(data, size, 0, Processes("cpu"), labelled=labelled)


def test_they_are_as_many_of_each_class_and_always_the_same(digits: ImageData) -> None:
    source = batches(digits, labelled=40)
    seen: dict[bytes, int] = {}
    for number in range(20):
        few = source.draw(32 * number).labelled
        assert few is not None
        assert few.labels is not None
        assert len(few) == 32
        seen |= {
            image.numpy().tobytes(): int(label)
            for image, label in zip(few.images, few.labels, strict=True)
        }
    counts = np.bincount(list(seen.values()), minlength=10)
    assert counts.tolist() == [4] * 10


def test_without_them_a_batch_has_none(digits: ImageData) -> None:
    assert batches(digits, labelled=0).draw(0).labelled is None


def test_they_do_not_change_the_batch_itself(digits: ImageData) -> None:
    plain, with_few = batches(digits, labelled=0).draw(64), batches(digits, labelled=10).draw(64)
    assert bool((plain.images == with_few.images).all())


def test_their_order_follows_from_the_position(digits: ImageData) -> None:
    one, again = (batches(digits, labelled=100).draw(320).labelled for _ in range(2))
    assert one is not None
    assert again is not None
    assert bool((one.images == again.images).all())


def test_data_without_labels_or_with_too_few_images_are_refused(digits: ImageData) -> None:
    with pytest.raises(DataError, match="has no labels"):
        batches(replace(digits, labels=None), labelled=10)
    with pytest.raises(DataError, match="are to come with their labels"):
        batches(digits, labelled=10**6)
