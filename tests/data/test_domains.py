"""Two sets of images to translate between: apart, side by side, or matched by name."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganzoo_core.data import ImageData, inspect, open_images
from ganzoo_core.errors import DataError
from ganzoo_core.training.batches import ImageBatches
from ganzoo_core.training.processes import Processes

SIZE = 8


def write(path: Path, *shades: int, width: int = SIZE) -> None:
    """Write an image that has these shades from left to right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.repeat(np.array(shades, dtype=np.uint8), width // len(shades))
    Image.fromarray(np.tile(pixels, (SIZE, 1))).save(path)


def opened(source: str, root: Path, split: str = "train", size: int = SIZE) -> ImageData:
    return open_images(source, image_size=size, channels=1, root=root, split=split)


def shades(data: ImageData | None) -> list[int]:
    assert data is not None
    return [int(image[0, 0, 0]) for image in data.images]


def test_side_by_side_is_cut_in_the_middle(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / f"{number}.png", 10 * number, 100 + number, width=2 * SIZE)
    data = opened("paired:.", tmp_path)
    assert data.paired
    assert shades(data) == [0, 10, 20]
    assert shades(data.other) == [100, 101, 102]
    info = inspect("paired:.", root=tmp_path)
    assert (info.image_size, info.channels, info.count) == (SIZE, 1, 3)


def test_two_folders_are_matched_by_name_whatever_the_format(tmp_path: Path) -> None:
    for name, shade in (("b", 2), ("a", 1)):
        write(tmp_path / "left" / f"{name}.png", shade)
        write(tmp_path / "right" / f"{name}.bmp", 50 + shade)
    data = opened("paired:left:right", tmp_path)
    assert (shades(data), shades(data.other)) == ([1, 2], [51, 52])
    assert data.paired


@pytest.mark.parametrize("kind", ["paired", "unpaired"])
def test_one_folder_with_both_sets(tmp_path: Path, kind: str) -> None:
    for split, shade in (("train", 1), ("test", 9)):
        write(tmp_path / f"{split}A" / "x.png", shade)
        write(tmp_path / f"{split}B" / "x.png", 100 + shade)
    for split, shade in (("train", 1), ("test", 9)):
        data = opened(f"{kind}:.", tmp_path, split)
        assert (shades(data), shades(data.other)) == ([shade], [100 + shade])
        assert data.paired == (kind == "paired")


def test_sets_apart_may_be_of_different_sizes(tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path / "A" / f"{number}.png", number)
    for number in range(2):
        write(tmp_path / "B" / f"{number}.png", 100 + number)
    data = opened("unpaired:.", tmp_path)
    assert (len(shades(data)), len(shades(data.other))) == (5, 2)
    assert not data.paired
    assert inspect("unpaired:A:B", root=tmp_path).count == 5


def test_a_broken_half_takes_its_counterpart_with_it(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / "A" / f"{number}.png", number)
        write(tmp_path / "B" / f"{number}.png", 100 + number)
    (tmp_path / "B" / "1.png").write_bytes(b"not an image")
    data = open_images("paired:.", image_size=SIZE, channels=1, root=tmp_path, broken_share=0.3)
    assert (shades(data), shades(data.other)) == ([0, 2, 3], [100, 102, 103])
    assert len(data.skipped) == 1


def test_the_fingerprint_tells_pairs_from_sets_apart_and_left_from_right(tmp_path: Path) -> None:
    write(tmp_path / "A" / "x.png", 1)
    write(tmp_path / "B" / "x.png", 2)
    sources = ("paired:A:B", "paired:B:A", "unpaired:A:B", "unpaired:B:A", "folder:A")
    assert len({opened(source, tmp_path).fingerprint for source in sources}) == len(sources)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("paired:", "lacks its path"),
        ("unpaired::right", "DIR_A:DIR_B"),
        ("unpaired:left", "name both sets"),
        ("paired:left:right", "no counterpart of the same name"),
        ("paired:left:twice", "differ only in their suffix"),
        ("unpaired:left:nowhere", "no file or folder"),
        ("pared:left", "did you mean 'paired:'"),
    ],
)
def test_what_is_no_pair_of_sets_is_one_sentence(tmp_path: Path, source: str, said: str) -> None:
    write(tmp_path / "left" / "a.png", 1)
    write(tmp_path / "right" / "b.png", 1)
    for suffix in ("png", "bmp"):
        write(tmp_path / "twice" / f"a.{suffix}", 1)
    with pytest.raises(Exception, match=said) as caught:
        opened(source, tmp_path)
    assert "\n" not in str(caught.value)


def test_without_a_test_set_there_is_no_test_split(tmp_path: Path) -> None:
    for side in "AB":
        write(tmp_path / f"train{side}" / "x.png", 1)
    with pytest.raises(DataError, match="no testA and testB"):
        opened("unpaired:.", tmp_path, "test")


@pytest.fixture
def batches(tmp_path: Path) -> Callable[..., ImageBatches]:
    """Make batches of sixteen pairs, each with its number left and a hundred more right."""
    for number in range(16):
        for side, base in (("A", 0), ("B", 100)):
            # Every column and row has its own shade, so that a crop or a flip is seen.
            rows = np.arange(12)[:, None] + np.arange(12)[None]
            pixels = (base + number + rows).astype(np.uint8)
            (tmp_path / side).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / side / f"{number:02}.png")

    def make(other: str, **options: object) -> ImageBatches:
        data = opened("paired:A:B", tmp_path, size=12)
        return ImageBatches(data, 8, 0, Processes("cpu"), other=other, **options)  # type: ignore[arg-type]

    return make


def test_counterparts_are_flipped_and_cropped_alike(batches: Callable[..., ImageBatches]) -> None:
    source = batches("paired", flip=True, image_size=8)
    whole = batches("paired").draw(0)
    for position in (0, 8, 800):
        batch = source.draw(position)
        assert batch.other is not None
        assert batch.images.shape == (8, 1, 8, 8)
        difference = (batch.other.images - batch.images) * 127.5
        assert bool(((difference - 100).abs() < 1e-3).all())
    assert whole.images.shape == (8, 1, 12, 12)
    corners = {float(image[0, 0, 0]) for image in source.draw(0).images}
    assert len(corners) > 3


def test_sets_apart_are_shuffled_apart(batches: Callable[..., ImageBatches]) -> None:
    source = batches("unpaired")
    pairs = 0
    for position in range(0, 160, 8):
        batch = source.draw(position)
        assert batch.other is not None
        difference = (batch.other.images - batch.images)[:, 0, 0, 0] * 127.5
        pairs += int(((difference - 100).abs() < 1e-3).sum())
    assert pairs < 40, "a counterpart comes by chance only"
    assert batches("").draw(0).other is None


def test_the_smaller_set_comes_round_sooner(tmp_path: Path) -> None:
    for number in range(6):
        write(tmp_path / "A" / f"{number}.png", number)
    for number in range(2):
        write(tmp_path / "B" / f"{number}.png", 100 + number)
    data = opened("unpaired:.", tmp_path)
    source = ImageBatches(data, 2, 0, Processes("cpu"), other="unpaired")
    assert source.count == 6
    for position in (0, 2, 4):
        other = source.draw(position).other
        assert other is not None
        assert len({round(float(image[0, 0, 0] * 127.5 + 127.5)) for image in other.images}) == 2
