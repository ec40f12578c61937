"""Metrics over pixels and maps: SWD, MS-SSIM, MSE, SSIM, diversity, path length."""

import pytest
import torch
from torch import Tensor

from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.metrics.perceptual import (
    perceptual_distances,
    perceptual_diversity,
    perceptual_path_length,
)
from ganzoo_core.evaluation.metrics.similarity import (
    multiscale_similarity,
    scales_of,
    squared_errors,
    structural_similarities,
)
from ganzoo_core.evaluation.metrics.sliced_wasserstein import level_sizes, sliced_wasserstein


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int, size: int = 32, channels: int = 1, *, seed: int = 0) -> Tensor:
    return torch.rand(count, channels, size, size, generator=seeded(seed)) * 2 - 1


def smooth(count: int, size: int = 32, *, seed: int = 0) -> Tensor:
    small = noise(count, size // 8, seed=seed)
    return torch.nn.functional.interpolate(small, (size, size), mode="bilinear")


def test_sliced_wasserstein_levels_are_halved_down_to_sixteen() -> None:
    assert level_sizes(128) == [128, 64, 32, 16]
    assert level_sizes(28) == [28]
    with pytest.raises(DataError, match="too small"):
        level_sizes(8)


def test_sliced_wasserstein_distance_of_a_set_and_itself_is_only_that_of_its_patches() -> None:
    # Patches are drawn anew for either set, as in the paper: nothing but one image of one colour
    # is at distance 0 exactly.
    same = sliced_wasserstein(smooth(64), smooth(64), seeded())
    other = sliced_wasserstein(smooth(64), noise(64), seeded())
    assert same.keys() == other.keys() == {32, 16}
    assert all(same[size] < other[size] / 3 for size in same)
    flat = torch.zeros(4, 3, 32, 32)
    assert sliced_wasserstein(flat, flat, seeded()) == {32: 0, 16: 0}


def test_sliced_wasserstein_orders_images_by_how_much_noise_they_have() -> None:
    clean = smooth(24)
    distances = [
        sliced_wasserstein(clean, smooth(24, seed=1) + share * noise(24, seed=2), seeded())[32]
        for share in (0.0, 0.05, 0.2, 0.8)
    ]
    assert distances == sorted(distances)


def test_sliced_wasserstein_sees_missing_detail_on_the_finest_level() -> None:
    sharp = noise(64)
    blurred = torch.nn.functional.avg_pool2d(sharp, 3, 1, 1)
    found = sliced_wasserstein(sharp, blurred, seeded())
    assert found[32] > found[16]


def test_sliced_wasserstein_repeats_with_its_seed() -> None:
    first, again = (sliced_wasserstein(smooth(16), noise(16), seeded(5)) for _ in range(2))
    assert first == again


def test_images_of_other_sizes_or_channels_are_refused() -> None:
    for other in (noise(8, 16), noise(8, channels=3)):
        with pytest.raises(DataError, match="differ in shape"):
            sliced_wasserstein(noise(8), other, seeded())
        with pytest.raises(DataError, match="differ in shape"):
            squared_errors(noise(8), other)


def test_images_with_nan_are_refused() -> None:
    broken = noise(8)
    broken[2, 0, 3, 3] = torch.nan
    for metric in (
        lambda: sliced_wasserstein(noise(8), broken, seeded()),
        lambda: multiscale_similarity(broken, seeded()),
        lambda: squared_errors(noise(8), broken),
        lambda: perceptual_diversity(broken, lambda images: (images,), seeded()),
    ):
        with pytest.raises(DataError, match="number 2"):
            metric()


def test_equal_images_have_no_error_and_similarity_one() -> None:
    images = smooth(3)
    assert squared_errors(images, images).tolist() == [0, 0, 0]
    assert structural_similarities(images, images).tolist() == pytest.approx([1, 1, 1])


def test_squared_error_is_per_pixel_on_a_scale_of_nought_to_one() -> None:
    black, grey = torch.full((1, 1, 16, 16), -1.0), torch.zeros(1, 1, 16, 16)
    assert squared_errors(black, grey).item() == pytest.approx(0.25)


def test_structural_similarity_of_two_constants_is_the_published_formula() -> None:
    black, grey = torch.zeros(1, 1, 16, 16), torch.full((1, 1, 16, 16), 0.5)
    # SSIM of constants is (2 μν + c) / (μ² + ν² + c) with c = (0.01 · range)².
    c = 0.02**2
    expected = c / (0.25 + c)
    assert structural_similarities(black, grey).item() == pytest.approx(expected, rel=1e-3)


def test_small_images_are_too_small_for_a_window() -> None:
    with pytest.raises(DataError, match="too small for SSIM"):
        structural_similarities(noise(2, 8), noise(2, 8))
    with pytest.raises(DataError, match="too small for MS-SSIM"):
        multiscale_similarity(noise(2, 8), seeded())


def test_multiscale_similarity_compares_at_as_many_scales_as_fit() -> None:
    assert [scales_of(size) for size in (11, 28, 64, 128, 176, 1024)] == [1, 2, 3, 4, 5, 5]


def test_multiscale_similarity_tells_a_collapsed_model_from_a_diverse_one() -> None:
    collapsed = smooth(1).repeat(20, 1, 1, 1)
    assert multiscale_similarity(collapsed, seeded(), pairs=50).value == pytest.approx(1)
    assert multiscale_similarity(smooth(20), seeded(), pairs=50).value < 0.7


def test_one_image_has_no_diversity_to_measure() -> None:
    with pytest.raises(DataError, match="at least 2"):
        multiscale_similarity(smooth(1), seeded())


def test_perceptual_distance_is_the_published_formula() -> None:
    maps = torch.tensor([[3.0, 4.0]])[:, :, None, None]  # unit: (.6, .8)
    other = torch.tensor([[0.0, 2.0]])[:, :, None, None]  # unit: (0, 1)
    found = perceptual_distances(maps, other, lambda images: (images, images))
    assert found.item() == pytest.approx(2 * (0.36 + 0.04))


def test_perceptual_diversity_is_nothing_for_a_collapsed_model() -> None:
    def maps(images: Tensor) -> tuple[Tensor]:
        return (torch.cat([images, images.square() + 0.1], 1),)

    collapsed = smooth(1).repeat(10, 1, 1, 1)
    assert perceptual_diversity(collapsed, maps, seeded(), pairs=20).value == pytest.approx(0)
    assert perceptual_diversity(smooth(10), maps, seeded(), pairs=20).value > 0.01


def test_path_length_of_a_turning_map_is_its_speed_squared() -> None:
    def decode(latents: Tensor) -> Tensor:  # latent t → the unit vector at angle 2t
        angle = 2 * latents.double()
        return torch.stack([angle.cos(), angle.sin()], 1)[..., None]

    ends = (torch.zeros(200, 1), torch.full((200, 1), 1.5))
    found = perceptual_path_length(
        decode, ends, torch.lerp, lambda images: (images,), seeded(), step=1e-2, batch_size=64
    )
    # The angle changes by 2 · 1.5 in all, so d / ε² → 3².
    assert found.value == pytest.approx(9, rel=1e-2)
