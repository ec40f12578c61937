"""Batches out of images, of one size or of several in turn."""

import pytest
import torch

from ganzoo_core.data import ImageData, open_images
from ganzoo_core.errors import DataError
from ganzoo_core.training.batches import ImageBatches
from ganzoo_core.training.processes import Processes


@pytest.fixture(scope="module")
def digits() -> ImageData:
    return open_images("digits", image_size=8, channels=1)


def batches(digits: ImageData, rank: int = 0, count: int = 1, labelled: int = 0) -> ImageBatches:
    processes = Processes("cpu")
    processes.rank, processes.count = rank, count
    return ImageBatches(digits, 32, 0, processes, flip=True, labelled=labelled)


def test_batches_of_changing_sizes_read_the_same_sequence(digits: ImageData) -> None:
    source = batches(digits)
    whole = source.draw(0, 30).labels
    assert whole is not None
    position, parts = 0, []
    for size in (4, 16, 10):
        labels = source.draw(position, size).labels
        assert labels is not None
        parts.append(labels)
        position += size
    assert torch.equal(torch.cat(parts), whole)


def test_a_size_that_is_not_named_is_the_batch_size(digits: ImageData) -> None:
    source = batches(digits)
    assert len(source.draw(64)) == 32
    assert torch.equal(source.draw(64).images, source.draw(64, 32).images)


@pytest.mark.parametrize("size", [2, 6, 16])
def test_processes_share_a_batch_of_any_size_evenly(digits: ImageData, size: int) -> None:
    whole = batches(digits).draw(100, size).images
    shares = [batches(digits, rank, 2).draw(100, size).images for rank in (0, 1)]
    assert torch.equal(torch.cat(shares), whole)


def test_labelled_images_come_in_batches_of_the_same_size(digits: ImageData) -> None:
    few = batches(digits, labelled=20).draw(0, 6).labelled
    assert few is not None
    assert len(few) == 6


def test_a_batch_larger_than_the_data_is_refused(digits: ImageData) -> None:
    with pytest.raises(DataError, match="a batch of 1798 is larger than the 1797 images"):
        ImageBatches(digits, 1798, 0, Processes("cpu"))
