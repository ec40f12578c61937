"""The kit on networks of videos: a composer or a predictor that breaks its contract is caught."""

from typing import Any

import pytest
import torch
from torch import Tensor

from ganzoo_core.components import Code, Composer, Config, Predictor
from ganzoo_core.testing.checks.shapes import shapes_and_range
from ganzoo_core.testing.report import NotKeptError


class Halves(Composer):
    """Content above, pose below, and a map of the content added."""

    def __init__(self) -> None:
        super().__init__()
        self.image_shape = (1, 4, 4)
        self.content_shape, self.pose_shape = (2,), (3,)
        self.map_shapes = ((1, 4, 4),)
        self.weight = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, content: Code, pose: Tensor) -> Tensor:
        level = content.mean.mean(1) + pose.mean(1)
        return torch.tanh(self.weight * (level[:, None, None, None] + content.maps[0]))


class Onwards(Predictor):
    """The last pose again and again, moved by the content."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_shape, self.content_shape = (3,), (2,)
        self.weight = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, past: Tensor, future: int, content: Tensor | None = None) -> Tensor:
        assert content is not None
        last = past[:, -1] + self.weight * content.mean(1, keepdim=True)
        return last[:, None].expand(-1, future, -1)


class Subject:
    """A component that is built as it is."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.title = self.name = "toy"

    def build(self) -> Any:
        return self.network

    def config(self) -> Config:
        return Config()


def check(network: Any) -> None:
    shapes_and_range(Subject(network))  # type: ignore[arg-type]


def test_sound_networks_of_videos_pass() -> None:
    check(Halves())
    check(Onwards())


def broken(network: Any, **attributes: Any) -> Any:
    for name, value in attributes.items():
        setattr(network, name, value)
    return network


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (broken(Halves(), content_shape=(0,)), "content_shape must be a tuple of whole numbers"),
        (broken(Halves(), pose_shape=3), "pose_shape must be a tuple of whole numbers above 0"),
        (broken(Halves(), image_shape=(4, 4)), "image_shape must be"),
        (broken(Halves(), image_shape=(3, 4, 4)), "images must have the shape"),
        (broken(Onwards(), latent_shape=None), "latent_shape must be a tuple"),
    ],
)
def test_wrong_shapes_are_named(network: Any, said: str) -> None:
    with pytest.raises(NotKeptError, match=said):
        check(network)


def test_images_out_of_range_whatever_the_weights() -> None:
    class Loud(Halves):
        def forward(self, content: Code, pose: Tensor) -> Tensor:
            return 1e-3 * self.weight * super().forward(content, pose) / 1e-2

    with pytest.raises(NotKeptError, match="images must be in"):
        check(Loud())


def test_a_series_of_another_length_than_was_asked_for() -> None:
    class Short(Onwards):
        def forward(self, past: Tensor, future: int, content: Tensor | None = None) -> Tensor:
            return super().forward(past, max(1, future - 1), content)

    with pytest.raises(NotKeptError, match=r"series must have the shape \[3, 3, 3\]"):
        check(Short())


def test_a_predictor_that_needs_more_of_the_past_than_one_frame() -> None:
    class Needy(Onwards):
        def forward(self, past: Tensor, future: int, content: Tensor | None = None) -> Tensor:
            return super().forward(past[:, 1:], future, content)

    with pytest.raises(IndexError):
        check(Needy())
