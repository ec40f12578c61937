import io
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo_core.data import DataInfo, inspect, open_images
from ganzoo_core.errors import DataError

Save = Callable[..., None]


def archive_of(folder: Path, archive: Path, within: str = "") -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*")):
            packed.write(path, f"{within}{path.relative_to(folder)}")
    return archive


@pytest.fixture
def zoo(tmp_path: Path, pictures: Any, save: Save) -> Path:
    """A folder with the classes cat (five images, one of them nested deeper) and dog (seven)."""
    folder = tmp_path / "zoo"
    save(pictures[:4], folder / "cat")
    save(pictures[4:5], folder / "cat" / "kittens")
    save(pictures[5:], folder / "dog")
    return folder


def test_images_come_in_the_order_of_their_paths(tmp_path: Path, pictures: Any, save: Save) -> None:
    save(pictures, tmp_path / "flat")
    data = open_images(f"folder:{tmp_path}/flat", image_size=16, channels=3)
    np.testing.assert_array_equal(data.images, pictures)
    assert (len(data), data.image_size, data.channels) == (12, 16, 3)
    assert (data.labels, data.class_names, data.skipped) == (None, (), ())


def test_class_names_come_from_the_first_level_of_subfolders(zoo: Path, pictures: Any) -> None:
    data = open_images(f"folder:{zoo}", image_size=16, channels=3)
    assert data.class_names == ("cat", "dog")
    assert data.labels is not None
    assert data.labels.tolist() == [0] * 5 + [1] * 7
    assert data.labels.dtype == np.int64
    np.testing.assert_array_equal(data.images, pictures)


def test_images_beside_subfolders_mean_that_there_are_no_classes(
    zoo: Path, pictures: Any, save: Save
) -> None:
    save(pictures[:1], zoo)
    data = open_images(f"folder:{zoo}", image_size=16, channels=3)
    assert len(data) == 13
    assert (data.labels, data.class_names) == (None, ())


def test_a_single_subfolder_is_looked_through(zoo: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer" / "inner"
    outer.mkdir(parents=True)
    zoo.rename(outer / "zoo")
    data = open_images(f"folder:{tmp_path}/outer", image_size=16, channels=3)
    assert data.class_names == ("cat", "dog")
    alone = open_images(f"folder:{outer}/zoo/dog", image_size=16, channels=3)
    assert alone.labels is None


@pytest.mark.parametrize("within", ["", "wrapped/"])
def test_a_zip_is_read_like_the_folder_that_it_holds(
    zoo: Path, tmp_path: Path, within: str
) -> None:
    packed = archive_of(zoo, tmp_path / "zoo.zip", within)
    unpacked = open_images(f"folder:{zoo}", image_size=16, channels=3)
    before = sorted(tmp_path.rglob("*.png"))
    zipped = open_images(f"folder:{packed}", image_size=16, channels=3)
    assert zipped.fingerprint == unpacked.fingerprint
    assert inspect(f"folder:{packed}") == DataInfo(16, 3, 2, 12)
    assert sorted(tmp_path.rglob("*.png")) == before, "a zip is never unpacked to disk"


def test_what_is_not_an_image_is_passed_over(zoo: Path, pictures: Any, save: Save) -> None:
    before = open_images(f"folder:{zoo}", image_size=16, channels=3)
    (zoo / "captions.csv").write_text("a,b")
    (zoo / "README.txt").write_text("hello")
    (zoo / "cat" / ".DS_Store").write_bytes(b"\0")
    (zoo / "cat" / "._000.png").write_bytes(b"\0")
    save(pictures, zoo / "__MACOSX")
    save(pictures, zoo / ".thumbnails")
    after = open_images(f"folder:{zoo}", image_size=16, channels=3)
    assert (after.fingerprint, after.skipped) == (before.fingerprint, ())


def test_train_and_test_subfolders_are_the_splits(
    tmp_path: Path, pictures: Any, save: Save
) -> None:
    save(pictures[:3], tmp_path / "set" / "train" / "cat")
    save(pictures[3:6], tmp_path / "set" / "train" / "dog")
    save(pictures[6:8], tmp_path / "set" / "test" / "dog")
    source = f"folder:{tmp_path}/set"
    train = open_images(source, image_size=16, channels=3)
    test = open_images(source, image_size=16, channels=3, split="test")
    np.testing.assert_array_equal(train.images, pictures[:6])
    np.testing.assert_array_equal(test.images, pictures[6:8])
    assert test.class_names == train.class_names == ("cat", "dog")
    assert test.labels is not None
    assert test.labels.tolist() == [1, 1], "a class has the same number in both splits"


def test_a_folder_without_splits_has_no_test_split(zoo: Path) -> None:
    with pytest.raises(DataError, match=r"single split.*'train' and 'test'"):
        open_images(f"folder:{zoo}", image_size=16, channels=3, split="test")


def test_a_look_finds_the_shared_size(zoo: Path) -> None:
    assert inspect(f"folder:{zoo}") == DataInfo(image_size=16, channels=3, classes=2, count=12)


def test_a_look_at_mixed_sizes_names_none(zoo: Path) -> None:
    Image.new("L", (5, 9)).save(zoo / "cat" / "odd.png")
    assert inspect(f"folder:{zoo}") == DataInfo(image_size=None, channels=3, classes=2, count=13)


def test_a_look_at_oblong_images_names_the_larger_side(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("L", (12, 20)).save(tmp_path / f"{number}.png")
    assert inspect(f"folder:{tmp_path}") == DataInfo(20, 1, 0, 3)


def test_linked_folders_are_followed_but_not_in_circles(
    tmp_path: Path, zoo: Path, pictures: Any
) -> None:
    (zoo / "dog" / "back").symlink_to(zoo)
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "cat").symlink_to(zoo / "cat")
    (linked / "dog").symlink_to(zoo / "dog")
    assert len(open_images(f"folder:{zoo}", image_size=16, channels=3)) == 12
    assert open_images(f"folder:{linked}", image_size=16, channels=3).class_names == ("cat", "dog")


def broken_files(folder: Path) -> dict[str, bytes]:
    whole = io.BytesIO()
    Image.effect_noise((40, 40), 50).save(whole, "PNG")
    bomb = io.BytesIO()
    Image.new("1", (14_000, 14_000)).save(bomb, "PNG")
    return {
        "cut.png": whole.getvalue()[:300],
        "empty.png": b"",
        "text.jpg": b"<html>404 not found</html>",
        "bomb.png": bomb.getvalue(),
        "eps.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    }


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", ["cut.png", "empty.png", "text.jpg", "bomb.png", "eps.png"])
def test_a_broken_image_is_left_out_and_named(
    zoo: Path, tmp_path: Path, pictures: Any, name: str, zipped: bool
) -> None:
    (zoo / "cat" / name).write_bytes(broken_files(zoo)[name])
    path = archive_of(zoo, tmp_path / "zoo.zip") if zipped else zoo
    data = open_images(f"folder:{path}", image_size=16, channels=3, broken_share=0.1)
    np.testing.assert_array_equal(data.images, pictures)
    assert data.labels is not None
    assert data.labels.tolist() == [0] * 5 + [1] * 7
    (skipped,) = data.skipped
    assert skipped.startswith(f"{path}/cat/{name}: ")
    assert "0x" not in skipped, "a reason for people, not an address in memory"


def test_leaving_a_broken_image_out_gives_the_content_without_it(zoo: Path) -> None:
    before = open_images(f"folder:{zoo}", image_size=16, channels=3)
    (zoo / "cat" / "cut.png").write_bytes(b"no")
    after = open_images(f"folder:{zoo}", image_size=16, channels=3, broken_share=0.5)
    assert after.fingerprint == before.fingerprint


def test_one_broken_image_in_ten_is_more_than_one_in_a_hundred(
    tmp_path: Path, pictures: Any, save: Save, cache: Path
) -> None:
    save(pictures[:9], tmp_path / "ten")
    (tmp_path / "ten" / "bad.png").write_bytes(b"no image")
    with pytest.raises(DataError) as caught:
        open_images(f"folder:{tmp_path}/ten", image_size=16, channels=3)
    message = str(caught.value)
    assert "1 of 10" in message
    assert f"{tmp_path}/ten/bad.png: not an image" in message
    assert "broken_share=0.1" in message
    assert list(cache.iterdir()) == [], "nothing is left half-written"


@pytest.mark.parametrize(("whole", "broken"), [(5, 2), (71, 29), (2, 1), (1, 5)])
def test_the_share_that_the_error_proposes_is_enough(
    tmp_path: Path, save: Save, whole: int, broken: int
) -> None:
    save(np.zeros((whole, 4, 4), dtype=np.uint8), tmp_path / "some")
    for number in range(broken):
        (tmp_path / "some" / f"bad{number}.png").write_bytes(b"no image")
    with pytest.raises(DataError) as caught:
        open_images(f"folder:{tmp_path}/some", image_size=4, channels=1)
    share = float(str(caught.value).rsplit("broken_share=", 1)[1])
    data = open_images(f"folder:{tmp_path}/some", image_size=4, channels=1, broken_share=share)
    assert len(data) == whole


def test_a_stricter_share_holds_for_data_in_the_cache_too(zoo: Path) -> None:
    (zoo / "cat" / "bad.png").write_bytes(b"no image")
    open_images(f"folder:{zoo}", image_size=16, channels=3, broken_share=0.5)
    with pytest.raises(DataError, match="1 of 13"):
        open_images(f"folder:{zoo}", image_size=16, channels=3)


def test_broken_images_alone_are_an_error_whatever_is_allowed(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="5 of 5") as caught:
        open_images(f"folder:{tmp_path}", image_size=16, channels=3, broken_share=1)
    assert "…" in str(caught.value), "not all of them are named"
    with pytest.raises(DataError, match="none of 5"):
        inspect(f"folder:{tmp_path}")


def test_a_damaged_member_of_a_zip_is_a_broken_image(zoo: Path, tmp_path: Path) -> None:
    path = tmp_path / "zoo.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as packed:
        for file in sorted(zoo.rglob("*.png")):
            packed.write(file, file.relative_to(zoo))
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 20] ^= 0xFF
    path.write_bytes(content)
    data = open_images(f"folder:{path}", image_size=16, channels=3, broken_share=0.1)
    assert len(data) == 11
    assert "CRC" in data.skipped[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_broken_image(zoo: Path) -> None:
    (zoo / "cat" / "000.png").chmod(0)
    data = open_images(f"folder:{zoo}", image_size=16, channels=3, broken_share=0.1)
    assert "Permission denied" in data.skipped[0]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no image files; name a folder or \.zip"):
        open_images(f"folder:{tmp_path}/empty", image_size=16, channels=3)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match="holds no image files"):
        inspect(f"folder:{tmp_path}")


def test_a_zip_without_images_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as packed:
        packed.writestr("notes.txt", "hello")
    with pytest.raises(DataError, match="holds no image files"):
        inspect(f"folder:{tmp_path}/empty.zip")


def test_a_file_where_a_folder_is_expected_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match=r"notes\.txt is a file, not a folder or \.zip"):
        inspect(f"folder:{tmp_path}/notes.txt")


def test_a_cut_zip_is_refused(zoo: Path, tmp_path: Path) -> None:
    packed = archive_of(zoo, tmp_path / "zoo.zip")
    packed.write_bytes(packed.read_bytes()[:-100])
    with pytest.raises(DataError, match="not a whole zip archive"):
        inspect(f"folder:{packed}")


def test_a_missing_folder_is_refused_with_the_nearest_name(zoo: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file or folder .*zooo; did you mean 'zoo'"):
        inspect(f"folder:{tmp_path}/zooo")


def test_a_relative_path_is_found_under_the_data_root(zoo: Path, tmp_path: Path) -> None:
    assert inspect("folder:zoo", root=tmp_path).count == 12
    shutil.rmtree(zoo)
    with pytest.raises(DataError, match="data root"):
        inspect("folder:zoo", root=tmp_path)


def test_real_images_in_a_zip(shared: Callable[[str], Path]) -> None:
    path = shared("noto-emoji/noto_emoji_64.zip")
    assert inspect(f"folder:{path}") == DataInfo(64, 3, 0, 1609)
    data = open_images(f"folder:{path}", image_size=32, channels=3)
    assert (len(data), data.skipped) == (1609, ())
    assert data.images[:, 0, 0].mean() > 200, "the transparent corners are white"
