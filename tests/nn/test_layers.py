"""Layers that several papers share, against formulas worked by hand."""

import math

import pytest
import torch
from torch import nn

from ganzoo_core.nn import EqualizedConv2d, EqualizedLinear, MinibatchStddev, PixelNorm


def filled(layer: nn.Module, weight: float, bias: float) -> nn.Module:
    with torch.no_grad():
        layer.get_parameter("weight").fill_(weight)
        layer.get_parameter("bias").fill_(bias)
    return layer


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("gain", "expected"), [(math.sqrt(2), 4.5), (1.0, 0.5 + 8 / math.sqrt(8))])
def test_a_linear_layer_scales_its_weights_by_hes_constant_and_not_its_bias(
    gain: float, expected: float
) -> None:
    # Eight inputs of 1, weights of 1: 8 · √2 / √8 = 4, and a bias of a half.
    layer = filled(EqualizedLinear(8, 3, gain=gain), 1.0, 0.5)
    torch.testing.assert_close(layer(torch.ones(2, 8)), torch.full((2, 3), expected))


def test_a_convolution_scales_by_the_inputs_of_one_output() -> None:
    # 3 · 3 · 2 = 18 inputs of 1, weights of 1: 18 · √2 / √18 = 6 in the middle, and at a corner
    # four ninths of it.
    layer = filled(EqualizedConv2d(2, 1, 3), 1.0, 0.25)
    answer = layer(torch.ones(1, 2, 4, 4))
    assert answer.shape == (1, 1, 4, 4)
    assert answer[0, 0, 1, 1].item() == pytest.approx(6.25)
    assert answer[0, 0, 0, 0].item() == pytest.approx(6 * 4 / 9 + 0.25)


def test_a_convolution_without_bias_has_none() -> None:
    layer = EqualizedConv2d(2, 3, 1, bias=False)
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    assert not layer(torch.zeros(1, 2, 4, 4)).any()


@pytest.mark.parametrize(
    "layer", [EqualizedLinear(400, 300), EqualizedConv2d(64, 64, 3), EqualizedConv2d(512, 100, 1)]
)
def test_stored_weights_have_unit_variance_whatever_the_size(layer: nn.Module) -> None:
    weight = layer.get_parameter("weight")
    assert weight.std().item() == pytest.approx(1, abs=0.02)
    assert not layer.get_parameter("bias").any()


def test_fresh_layers_keep_the_variance_of_rectified_activations() -> None:
    hidden = EqualizedLinear(500, 2000)(drawn(200, 500))
    # Var(Wx) = gain² · E[x²] = 2, half of which a rectifier leaves.
    assert hidden.relu().square().mean().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_a_rate_changes_how_fast_a_layer_learns_and_not_what_it_begins_as(rate: float) -> None:
    layer = EqualizedLinear(500, 400, rate=rate, bias_init=1.0)
    effective = layer.get_parameter("weight").detach() * layer.scale
    assert effective.std().item() == pytest.approx(math.sqrt(2 / 500), rel=0.02)
    zero = torch.zeros(1, 500)
    before = layer(zero).detach()
    torch.testing.assert_close(before, torch.ones(1, 400))
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    layer(zero).sum().backward()
    optimizer.step()
    # Adam's first step is of the rate's size, whatever the gradient's.
    torch.testing.assert_close(before - layer(zero), torch.full((1, 400), 0.1 * rate))


def test_pixel_norm_divides_each_pixels_vector_by_its_root_mean_square() -> None:
    activations = torch.tensor([[3.0, -4.0], [0.0, 0.0]]).view(1, 2, 2, 1)
    # Channels (3, 0) and (-4, 0): root mean squares √4.5 and √8.
    found = PixelNorm()(activations).flatten().tolist()
    assert found == pytest.approx([3 / math.sqrt(4.5), -4 / math.sqrt(8), 0, 0])


def test_pixel_norm_of_nothing_is_nothing_and_has_a_finite_gradient() -> None:
    nothing = torch.zeros(2, 3, 4, 4, requires_grad=True)
    answer = PixelNorm()(nothing)
    answer.sum().backward()
    assert not answer.any()
    assert nothing.grad is not None
    assert nothing.grad.isfinite().all()


def test_pixel_norm_does_not_overflow_in_16_bits() -> None:
    large = torch.full((1, 4), 1000.0, dtype=torch.float16)
    assert PixelNorm()(large).tolist() == [[1.0] * 4]


def stddev_of(values: list[float], group: int) -> list[float]:
    """Return what is appended to images of one feature at one pixel."""
    answer = MinibatchStddev(group)(torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1))
    assert answer[:, 0].flatten().tolist() == values
    return answer[:, 1].flatten().tolist()  # type: ignore[no-any-return]


def test_minibatch_deviation_of_a_group_by_hand() -> None:
    # Mean 3, squared distances 4, 0, 0, 4: variance 2, over four and not over three.
    assert stddev_of([1, 3, 3, 5], 4) == pytest.approx([math.sqrt(2)] * 4)


def test_minibatch_deviation_is_averaged_over_features_and_places() -> None:
    activations = torch.zeros(2, 2, 1, 2)
    activations[1] = torch.tensor([[[2.0, 4.0]], [[6.0, 8.0]]])  # deviations 1, 2, 3 and 4
    answer = MinibatchStddev(2)(activations)
    assert answer.shape == (2, 3, 1, 2)
    torch.testing.assert_close(answer[:, 2], torch.full((2, 1, 2), 2.5))


def test_groups_are_taken_as_the_authors_take_them() -> None:
    # Of six images in groups of three, images 0, 2, 4 and 1, 3, 5 are together.
    found = stddev_of([0, 7, 3, 7, 6, 7], 3)
    assert found == pytest.approx([math.sqrt(6), 1e-4] * 3, abs=1e-4)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 14])
def test_a_batch_that_cannot_be_divided_is_one_group(count: int) -> None:
    values = [float(number * number) for number in range(count)]
    deviation = torch.tensor(values).std(correction=0).item() if count > 1 else 1e-4
    assert stddev_of(values, 4) == pytest.approx([deviation] * count, rel=1e-4)


def test_equal_images_have_no_deviation_and_a_finite_gradient() -> None:
    images = torch.ones(4, 2, 4, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(MinibatchStddev()(images)[:, -1].sum(), images)
    assert gradient.isfinite().all()
