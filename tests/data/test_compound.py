"""Data made of other data: few of them, digits over textures, two domains, and MNIST-M's files."""

import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo_core.data import (
    ImageData,
    domains_of,
    inspect,
    joined_domains,
    open_images,
    scored_split,
)
from ganzoo_core.errors import ConfigError, DataError
from ganzoo_core.text import captions_of, captions_of_classes
from ganzoo_core.training.batches import ImageBatches
from ganzoo_core.training.processes import Processes
from ganzoo_core.training.run import public_name


def opened(source: str, root: Path | None = None, **options: Any) -> ImageData:
    return open_images(source, **{"image_size": 8, "channels": 1, "root": root, **options})


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """`few.npz` with a test set and `one.npz` without, of grey images whose shade is their row."""
    rows = np.arange(40, dtype=np.uint8)
    images = np.repeat(rows, 64).reshape(40, 8, 8)
    images[:, 0, 0] = 200  # a mask of 0 and 1 would be taken for one
    np.savez(
        tmp_path / "few.npz",
        images_train=images,
        labels_train=rows % 10,
        images_test=images[:7] + 100,
        labels_test=rows[:7],
    )
    np.savez(tmp_path / "one.npz", images=images + 50, labels=rows % 10)
    return tmp_path


def shades(data: ImageData) -> list[int]:
    return [int(image[4, 4, 0]) for image in data.images]


def test_some_images_are_drawn_without_repetition_and_keep_their_labels(sets: Path) -> None:
    data = opened("some:12:npz:few.npz", sets)
    assert len(set(shades(data))) == 12
    assert data.labels is not None
    assert [shade % 10 for shade in shades(data)] == data.labels.tolist()
    assert inspect("some:12:npz:few.npz", root=sets).count == 12


def test_the_draw_follows_from_its_seed(sets: Path) -> None:
    first = shades(opened("some:12:npz:few.npz", sets))
    assert first == shades(opened("some:12:0:npz:few.npz", sets))
    assert first != shades(opened("some:12:1:npz:few.npz", sets))


def test_the_test_set_stays_whole(sets: Path) -> None:
    assert shades(opened("some:2:npz:few.npz", sets, split="test")) == list(range(100, 107))


def test_a_class_that_was_not_drawn_keeps_its_name(sets: Path) -> None:
    assert opened("some:1:npz:few.npz", sets).class_names == tuple("0123456789")


def test_broken_images_count_only_where_they_are_drawn(
    tmp_path: Path, save: Callable[..., None]
) -> None:
    save(np.zeros((30, 8, 8), dtype=np.uint8), tmp_path / "pile")
    for number in range(15):
        (tmp_path / "pile" / f"{2 * number:03}.png").write_bytes(b"broken")
    data = opened("some:10:folder:pile", tmp_path, broken_share=1)
    assert len(data) + len(data.skipped) == 10


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("some:41:npz:few.npz", "has 40 images, and 41 are to be drawn; take some:40 or fewer"),
        ("some:0:npz:few.npz", "is not of the form some:COUNT:NAME"),
        ("some:npz:few.npz", "is not of the form some:COUNT:NAME"),
        ("some:3:", "is not of the form some:COUNT:NAME"),
        ("some:", "lacks its parts, as in some:2000:mnist"),
        ("some:3:domains:digits,digits", "is no single set of images, and only one can stand here"),
        ("some:3:digit-outlines", "is no single set of images, and only one can stand here"),
        ("worded:", "lacks its parts, as in 'worded:a handwritten {}:mnist'"),
        ("worded:a digit:digits", "with {} in the sentence for the class"),
        ("worded:a {}|a digit:digits", "with {} in the sentence for the class"),
        ("worded:a {}", "is not of the form worded:SENTENCE:NAME"),
        ("worded:a {}:scenes", "has no classes, which worded: makes captions of"),
        ("worded:a {}:digit-outlines", "is no single set of images, and only one can stand here"),
        ("blended:npz:few.npz", "is not of the form blended:DIGITS"),
        ("blended:digits+", "is not of the form blended:DIGITS"),
        ("domains:digits", "is not of the form domains:SOURCE,TARGET"),
        ("domains:digits,", "is not of the form domains:SOURCE,TARGET"),
        ("domains:a,b,c,d", "a path in it cannot have a comma"),
        ("domains:digits,npz:none.npz", "there is no file or folder"),
        ("domains:digits,unpaired:x:y", "there is no file or folder|no single set"),
        ("mnist-m:few.npz", "name the folder that both splits lie in"),
    ],
)
def test_what_cannot_be_is_one_sentence(sets: Path, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        opened(name, sets)
    assert "\n" not in str(caught.value)


def test_blended_digits_are_their_distance_from_a_piece_of_a_texture(sets: Path) -> None:
    textures = np.zeros((5, 20, 20, 3), dtype=np.uint8)
    textures[:4] = (10, 100, 250)
    np.savez(sets / "textures.npz", images=textures)
    data = opened("blended:npz:few.npz+npz:textures.npz", sets, channels=3)
    digits = opened("npz:few.npz", sets, channels=3)
    wanted = np.abs(digits.images.astype(int) - [10, 100, 250])
    assert np.array_equal(data.images, wanted)
    assert data.labels is not None
    assert digits.labels is not None
    assert data.labels.tolist() == digits.labels.tolist()
    grey = opened("blended:npz:few.npz+npz:textures.npz", sets, channels=1)
    assert grey.images.shape == (40, 8, 8, 1)


def test_pieces_follow_from_the_seed_and_differ_from_digit_to_digit(sets: Path) -> None:
    random = np.random.default_rng(3).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    np.savez(sets / "textures.npz", images=random)

    def blended(seed: str) -> np.ndarray[Any, Any]:
        return opened(f"blended:{seed}npz:few.npz+npz:textures.npz", sets, channels=3).images

    assert np.array_equal(blended(""), blended("0:"))
    assert not np.array_equal(blended(""), blended("1:"))
    pieces = blended("")[:, 1:].astype(int)
    assert len({piece.tobytes() for piece in pieces}) == 40


def test_a_texture_for_the_test_set_is_in_no_training_digit(sets: Path) -> None:
    shaded = np.repeat(np.arange(10, dtype=np.uint8) * 20 + 5, 192).reshape(10, 8, 8, 3)
    np.savez(sets / "textures.npz", images=shaded)
    np.savez(
        sets / "black.npz",
        **{f"images_{split}": np.zeros((300, 8, 8), dtype=np.uint8) for split in ("train", "test")},
    )

    def seen(split: str) -> set[int]:
        name = "blended:npz:black.npz+npz:textures.npz"
        return set(shades(opened(name, sets, channels=3, split=split)))

    assert seen("test") == {85, 185}
    assert seen("train") == set(range(5, 200, 20)) - {85, 185}


def test_textures_without_a_whole_image_are_one_sentence(
    sets: Path, save: Callable[..., None]
) -> None:
    save(np.zeros((1, 8, 8), dtype=np.uint8), sets / "pile")
    content = (sets / "pile" / "000.png").read_bytes()
    (sets / "pile" / "000.png").write_bytes(content[: len(content) // 2 + 8])
    with pytest.raises(DataError, match=r"no image to blend|none of 1 image files"):
        opened("blended:npz:few.npz+folder:pile", sets, channels=3)


def test_two_domains_of_any_kind_size_and_number_of_channels(
    sets: Path, save: Callable[..., None], pictures: np.ndarray[Any, Any]
) -> None:
    save(pictures, sets / "photos")
    data = opened("domains:npz:few.npz,folder:photos", sets, image_size=12, channels=3)
    assert data.images.shape == (40, 12, 12, 3)
    assert data.other is not None
    assert data.other.images.shape == (12, 12, 12, 3)
    assert np.array_equal(data.images[..., 0], data.images[..., 2])
    info = inspect("domains:npz:few.npz,folder:photos", root=sets)
    assert (info.image_size, info.channels, info.classes, info.count) == (None, 3, 10, 40)


def test_a_test_set_of_its_own_takes_the_place_of_the_targets(sets: Path) -> None:
    usual = opened("domains:npz:one.npz,npz:few.npz", sets, split="test")
    assert usual.other is not None
    assert shades(usual.other) == list(range(100, 107))
    other = opened("domains:npz:few.npz,npz:few.npz,npz:one.npz", sets, split="test")
    assert other.other is not None
    assert shades(other.other) == list(range(50, 90))
    assert (scored_split("npz:few.npz", sets), scored_split("npz:one.npz", sets)) == (
        "test",
        "train",
    )


def test_the_targets_batch_has_no_labels_whatever_the_data_hold(sets: Path) -> None:
    data = opened("domains:npz:few.npz,npz:one.npz", sets)
    batch = ImageBatches(data, 4, 0, Processes("cpu"), other="unlabelled").draw(0)
    assert batch.labels is not None
    assert batch.other is not None
    assert batch.other.labels is None
    assert len(batch.other) == 4


def test_a_target_smaller_than_a_batch_is_named(sets: Path) -> None:
    data = opened("domains:npz:one.npz,some:3:npz:few.npz", sets)
    with pytest.raises(DataError, match=r"the 3 images of the second set of .*--batch-size 3"):
        ImageBatches(data, 8, 0, Processes("cpu"), other="unlabelled")


def test_classes_become_sentences_in_turn(sets: Path) -> None:
    data = opened("worded:{}|a handwritten {} :npz:few.npz", sets)
    assert data.captions is not None and data.labels is not None
    assert data.captions[:3] == ("zero", "a handwritten one", "two")
    assert data.class_names == tuple("0123456789") and int(data.labels[7]) == 7
    assert captions_of(data) == data.captions
    assert captions_of(opened("npz:few.npz", sets))[:2] == ("zero", "one")
    assert len(opened("worded:a {}:npz:few.npz", sets, split="test")) == 7


def test_some_images_keep_their_captions(sets: Path) -> None:
    data = opened("some:12:worded:a {}:npz:few.npz", sets)
    chosen = [shade % 10 for shade in shades(data)]
    assert data.captions == captions_of_classes(chosen, "0123456789", ("a {}",))
    assert opened("some:12:npz:few.npz", sets).captions is None


def test_source_and_target_go_together() -> None:
    assert joined_domains("mnist", "usps") == "domains:mnist,usps"
    assert joined_domains("mnist", "usps", "digits") == "domains:mnist,usps,digits"
    assert joined_domains(None, None) is None
    for given in (("mnist", None), (None, "usps"), (None, None, "usps")):
        with pytest.raises(ConfigError, match="both --source and --target"):
            joined_domains(*given)
    with pytest.raises(DataError, match="cannot have a comma"):
        joined_domains("folder:a,b,c", "usps")
    assert domains_of("mnist") is None


@pytest.mark.parametrize(
    ("name", "public"),
    [
        ("domains:idx:/home/ann/mnist,hub:org/usps", "domains:idx:mnist,hub:org/usps"),
        ("some:5:7:npz:/home/ann/x.npz", "some:5:7:npz:x.npz"),
        ("worded:a {}|{}:npz:/home/ann/x.npz", "worded:a {}|{}:npz:x.npz"),
        ("some:5:worded:a {}:npz:/home/ann/x.npz", "some:5:worded:a {}:npz:x.npz"),
        (
            "blended:3:idx:/home/ann/mnist+folder:/home/ann/tiles.zip",
            "blended:3:idx:mnist+folder:tiles.zip",
        ),
    ],
)
def test_no_card_or_record_names_the_folders_of_a_machine(name: str, public: str) -> None:
    assert public_name(name) == public


def png(shade: int) -> bytes:
    content = BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(content, "PNG")
    return content.getvalue()


def test_mnist_m_in_archives_has_its_classes_in_the_names(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("test", 2)):
        with zipfile.ZipFile(tmp_path / f"mnist_m_{split}_{count}.zip", "w") as archive:
            for number in range(count):
                archive.writestr(f"{split}/{number:05}_{number + 3}.png", png(number))
    for split, labels in (("train", [3, 4, 5, 6]), ("test", [3, 4])):
        data = opened("mnist-m:.", tmp_path, channels=3, split=split)
        assert data.labels is not None
        assert data.labels.tolist() == labels
        assert data.class_names == tuple("0123456789")


def test_mnist_m_as_it_was_published_has_its_classes_in_a_list(tmp_path: Path) -> None:
    folder = tmp_path / "mnist_m_train"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number:08}.png").write_bytes(png(number))
    listing = tmp_path / "mnist_m_train_labels.txt"
    listing.write_text("".join(f"{number:08}.png {9 - number}\n" for number in range(3)))
    data = opened("mnist-m:.", tmp_path, channels=3)
    assert data.labels is not None
    assert data.labels.tolist() == [9, 8, 7]
    assert inspect("mnist-m:.", root=tmp_path).classes == 10
    with pytest.raises(DataError, match=r"no folder or \.zip for 'test'"):
        opened("mnist-m:.", tmp_path, split="test")
    listing.write_text("00000000.png 9\n")
    with pytest.raises(DataError, match=r"does not say which digit 00000001\.png shows"):
        opened("mnist-m:.", tmp_path)
    listing.unlink()
    with pytest.raises(DataError, match="does not end in its class"):
        opened("mnist-m:.", tmp_path)


def test_the_real_sets_are_read_with_splits_and_labels(shared: Callable[[str], Path]) -> None:
    usps = shared("usps") / "usps_16x16_uint8.npz"
    info = inspect(f"npz:{usps}")
    assert (info.image_size, info.channels, info.classes, info.count) == (16, 1, 10, 7291)
    assert inspect(f"npz:{usps}", split="test").count == 2007
    for split, count in (("train", 6000), ("test", 1000)):
        info = inspect(f"mnist-m:{shared('mnist-m')}", split=split)
        assert (info.image_size, info.channels, info.classes, info.count) == (32, 3, 10, count)
