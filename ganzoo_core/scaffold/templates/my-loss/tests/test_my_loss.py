from collections.abc import Callable

import pytest
import torch
from ganzoo_core.components import DiscriminatorOutput
from ganzoo_core.testing import parametrize_with_checks

from ganzoo_plugin_my_loss.config import LossConfig
from ganzoo_plugin_my_loss.losses import (
    MyLossObjective,
)


@parametrize_with_checks("ganzoo-plugin-my-loss")
def test_conformance(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize(("real", "fake"), [(1.0, 0.0), (0.5, 0.5), (-2.0, 3.0)])
def test_the_loss_is_the_papers_equations(real: float, fake: float) -> None:
    loss = MyLossObjective(LossConfig())
    judged = DiscriminatorOutput(torch.tensor([real])), DiscriminatorOutput(torch.tensor([fake]))
    expected = ((real - 1) ** 2 + fake**2) / 2
    assert loss.discriminator(*judged).item() == pytest.approx(expected)
    assert loss.generator(judged[1]).item() == pytest.approx((fake - 1) ** 2 / 2)


def test_the_loss_of_patches_is_their_mean() -> None:
    loss = MyLossObjective(LossConfig())
    patches = torch.tensor([[[0.0, 2.0], [1.0, 1.0]]])
    assert loss.generator(DiscriminatorOutput(patches)).item() == pytest.approx(0.25)
