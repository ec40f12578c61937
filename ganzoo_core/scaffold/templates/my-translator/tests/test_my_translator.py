from collections.abc import Callable

import ganzoo_core as zoo
import pytest
import torch
from ganzoo_core.components import Batch, JointNoise, Progress, Step
from ganzoo_core.testing import parametrize_with_checks

VARIANT = "my-translator"


@parametrize_with_checks("ganzoo-plugin-my-translator")
def test_conformance(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize("size", [(8, 8), (5, 9), (1, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_size_and_number_of_channels(size: tuple[int, int], channels: int) -> None:
    model = zoo.create(VARIANT, image_size=8, channels=channels, width=2)
    images = torch.zeros(2, channels, *size)
    assert model.translate(images).shape == images.shape


def test_the_distance_is_to_the_counterpart() -> None:
    model = zoo.create(VARIANT, image_size=8, channels=1, width=2)
    trainer = model.blueprint.build_trainer(model.networks)
    images = torch.zeros(2, 1, 8, 8)
    truth = model.translate(images)
    step = Step(JointNoise(torch.Generator()), Progress(0, 1, 0.0), "training")
    exact = trainer.loss(trainer.phases()[0], Batch(images, other=Batch(truth)), step)
    torch.testing.assert_close(exact.parts["distance"], torch.tensor(0.0), rtol=0, atol=1e-6)
    off = trainer.loss(trainer.phases()[0], Batch(images, other=Batch(truth + 0.25)), step)
    torch.testing.assert_close(off.parts["distance"], torch.tensor(0.25))
