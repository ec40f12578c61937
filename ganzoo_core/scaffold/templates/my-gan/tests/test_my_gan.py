from collections.abc import Callable

import ganzoo_core as zoo
import pytest
import torch
from ganzoo_core.testing import parametrize_with_checks

VARIANT = "my-gan"


@parametrize_with_checks("ganzoo-plugin-my-gan")
def test_conformance(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize("image_size", [8, 16, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_size_and_number_of_channels(image_size: int, channels: int) -> None:
    model = zoo.create(VARIANT, image_size=image_size, channels=channels, width=2)
    images = model.sample(2)
    assert images.shape == (2, channels, image_size, image_size)


def test_a_batch_of_one_image_can_be_judged() -> None:
    discriminator = zoo.create(VARIANT, width=2).networks["discriminator"]
    assert discriminator(torch.zeros(1, 3, 32, 32)).logits.shape == (1,)
