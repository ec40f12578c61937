"""Image files of every kind, through the folder source, as a user has them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo_core.data import ImageData, inspect, open_images
from ganzoo_core.data.pixels import PixelFormat, fit_block, fit_image

Decode = Callable[..., np.ndarray[Any, Any]]


@pytest.fixture
def decode(tmp_path: Path) -> Decode:
    """Save an image in a folder of its own and return how it is decoded."""

    def through_a_folder(
        image: Image.Image, name: str, size: int, channels: int = 3, **options: Any
    ) -> np.ndarray[Any, Any]:
        folder = tmp_path / "pictures"
        folder.mkdir()
        image.save(folder / name, **options)
        return open_images(f"folder:{folder}", image_size=size, channels=channels).images[0]

    return through_a_folder


def halves(left: Any, right: Any, mode: str, size: int = 8) -> Image.Image:
    image = Image.new(mode, (size, size), left)
    image.paste(right, (size // 2, 0, size, size))
    return image


def test_an_image_of_the_right_size_is_not_touched(decode: Decode, pictures: Any) -> None:
    np.testing.assert_array_equal(decode(Image.fromarray(pictures[0]), "a.png", 16), pictures[0])


def test_greyscale_is_repeated_in_three_channels(decode: Decode) -> None:
    seen = decode(halves(10, 200, "L"), "a.png", 8)
    assert seen[0, 0].tolist() == [10, 10, 10]
    assert seen[0, 7].tolist() == [200, 200, 200]


def test_colour_becomes_grey_by_its_luminance(decode: Decode) -> None:
    seen = decode(halves((255, 0, 0), (0, 255, 0), "RGB"), "a.png", 8, channels=1)
    assert seen[0, 0].tolist() == [76]
    assert seen[0, 7].tolist() == [150]


def test_one_bit_images_are_black_and_white(decode: Decode) -> None:
    seen = decode(halves(0, 1, "1"), "a.png", 8, channels=1)
    assert set(seen.ravel()) == {0, 255}


def test_palette_images_show_their_colours(decode: Decode) -> None:
    image = halves((255, 0, 0), (0, 0, 255), "RGB").quantize(4)
    seen = decode(image, "a.gif", 8)
    assert seen[0, 0].tolist() == [255, 0, 0]
    assert seen[0, 7].tolist() == [0, 0, 255]


def test_transparent_palette_entries_are_white(decode: Decode) -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.paste(1, (4, 0, 8, 8))
    seen = decode(image, "a.png", 8, transparency=0)
    assert seen[0, 0].tolist() == [255, 255, 255]
    assert seen[0, 7].tolist() == [255, 0, 0]


def test_alpha_is_laid_on_white(decode: Decode) -> None:
    seen = decode(halves((0, 0, 0, 0), (200, 0, 0, 128), "RGBA"), "a.png", 8)
    assert seen[0, 0].tolist() == [255, 255, 255]
    np.testing.assert_allclose(seen[0, 7], [227, 127, 127], atol=1)


def test_grey_with_alpha_is_laid_on_white(decode: Decode) -> None:
    seen = decode(halves((0, 0), (50, 255), "LA"), "a.png", 8, channels=1)
    assert [seen[0, 0, 0], seen[0, 7, 0]] == [255, 50]


def test_cmyk_is_shown_as_printed(decode: Decode) -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    np.testing.assert_allclose(decode(image, "a.jpg", 8)[4, 4], [255, 0, 0], atol=4)


def test_sixteen_bits_are_scaled_not_clipped(decode: Decode) -> None:
    values = np.array([[0, 257], [32768, 65535]], dtype=np.uint16)
    seen = decode(Image.fromarray(values), "a.png", 2, channels=1)
    assert seen[..., 0].tolist() == [[0, 1], [128, 255]]


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_sixteen_bit_tiff_is_read_in_either_byte_order(decode: Decode, order: str) -> None:
    values = np.full((4, 4), 0x4001).astype(order)
    image = Image.frombytes("I;16" if order == "<u2" else "I;16B", (4, 4), values.tobytes())
    assert np.unique(decode(image, "a.tiff", 4, channels=1)).tolist() == [64]


def test_float_tiff_from_0_to_1_is_read(decode: Decode) -> None:
    image = Image.fromarray(np.array([[0, 0.5], [0.25, 1]], dtype=np.float32))
    assert decode(image, "a.tiff", 2, channels=1)[..., 0].tolist() == [[0, 128], [64, 255]]


def test_a_photograph_turned_by_exif_stands_upright(decode: Decode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    seen = decode(halves((255, 0, 0), (0, 0, 255), "RGB"), "a.png", 8, exif=exif)
    assert seen[0, 4].tolist() == [255, 0, 0]
    assert seen[7, 4].tolist() == [0, 0, 255]


def test_an_animation_gives_its_first_frame(decode: Decode) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    seen = decode(frames[0], "a.gif", 8, save_all=True, append_images=frames[1:])
    assert seen[3, 3].tolist() == [255, 0, 0]


@pytest.mark.parametrize("suffix", ["bmp", "ppm", "tga", "webp", "tiff", "PNG"])
def test_other_formats_are_read(decode: Decode, suffix: str) -> None:
    seen = decode(Image.new("RGB", (8, 8), (9, 99, 199)), f"a.{suffix}", 8)
    np.testing.assert_allclose(seen[3, 3], [9, 99, 199], atol=3)


def test_the_longer_side_is_cropped_about_the_centre(decode: Decode) -> None:
    columns = np.arange(20, dtype=np.uint8)
    image = Image.fromarray(np.tile(columns, (8, 1)))
    assert decode(image, "a.png", 8, channels=1)[0, :, 0].tolist() == list(range(6, 14))


def test_a_tall_image_is_resized_by_its_shorter_side(decode: Decode) -> None:
    image = Image.new("RGB", (32, 96), "green")
    image.paste("red", (0, 0, 32, 32))
    image.paste("blue", (0, 64, 32, 96))
    seen = decode(image, "a.png", 16)
    np.testing.assert_allclose(seen[8, 8], [0, 128, 0], atol=1)
    assert seen[2:14, :, 0].max() < 30


def test_an_extremely_long_image_needs_no_extreme_memory(decode: Decode) -> None:
    assert decode(Image.new("L", (60_000, 1), 77), "a.png", 64, channels=1).tolist()[0][0] == [77]


@pytest.mark.parametrize("resize_filter", ["lanczos", "bicubic", "bilinear", "box"])
def test_shrinking_a_fine_chequerboard_gives_grey_with_every_filter(
    tmp_path: Path, resize_filter: str
) -> None:
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Image.fromarray(board).save(tmp_path / "a.png")
    data = open_images(f"folder:{tmp_path}", image_size=8, channels=1, resize_filter=resize_filter)
    assert np.abs(data.images.astype(int) - 127).max() < 20


def test_filters_give_different_pixels_and_so_different_fingerprints(
    tmp_path: Path, pictures: Any, save: Callable[..., None]
) -> None:
    save(pictures, tmp_path / "a")

    def opened(name: str) -> ImageData:
        return open_images(f"folder:{tmp_path}/a", image_size=8, channels=3, resize_filter=name)

    assert opened("box").fingerprint != opened("lanczos").fingerprint


@pytest.mark.parametrize("shape", [(16, 16, 1), (16, 16, 3), (9, 16, 3), (16, 11, 1), (20, 20, 4)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [9, 16, 24])
def test_arrays_and_files_are_resized_alike(
    shape: tuple[int, int, int], channels: int, size: int
) -> None:
    block = np.random.default_rng(1).integers(0, 256, (3, *shape), dtype=np.uint8)
    if shape[2] == 4:
        block[..., 3] = 255
    target = PixelFormat(size, channels, "lanczos")
    pixels = block[..., 0] if shape[2] == 1 else block[..., :3]
    expected = [fit_image(Image.fromarray(image), target) for image in pixels]
    np.testing.assert_array_equal(fit_block(block, target), expected)


@pytest.mark.parametrize(
    ("image", "channels"),
    [
        (Image.new("L", (8, 8)), 1),
        (Image.new("1", (8, 8)), 1),
        (Image.new("LA", (8, 8)), 1),
        (Image.new("L", (8, 8)).quantize(4), 1),
        (Image.new("RGB", (8, 8), "red").quantize(4), 3),
        (Image.new("RGB", (8, 8)), 3),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else str(value),
)
def test_a_look_says_whether_files_are_grey(
    tmp_path: Path, image: Image.Image, channels: int
) -> None:
    image.save(tmp_path / "a.png")
    assert inspect(f"folder:{tmp_path}").channels == channels
