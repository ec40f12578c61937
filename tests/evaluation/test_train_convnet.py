"""How the shipped classifiers were made can be done again."""

import pytest
import torch

from ganzoo_core.data import ImageData, open_images
from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.convnet import IMAGE_SIZE
from ganzoo_core.evaluation.train_convnet import accuracy, train


@pytest.fixture(scope="module")
def digits() -> ImageData:
    return open_images("digits", image_size=IMAGE_SIZE, channels=1)


def test_the_same_seed_trains_the_same_classifier_and_it_learns(digits: ImageData) -> None:
    before = torch.get_rng_state()
    first, again, other = (train(digits, epochs=2, seed=seed, flip=True) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    states = [network.state_dict() for network in (first, again, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["to_logits.weight"], states[2]["to_logits.weight"])
    assert accuracy(first, digits) > 0.5  # guessing names one in ten


def test_images_without_labels_train_no_classifier(digits: ImageData) -> None:
    unlabelled = ImageData("faces", digits.images, None, (), "sha256:0", ())
    with pytest.raises(DataError, match="faces has no labels"):
        train(unlabelled, epochs=1, seed=0)
