"""Images with captions, as people keep them: a table beside them, or a text file beside each."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganzoo_core.data import inspect, open_images
from ganzoo_core.errors import DataError

Save = Callable[..., None]


@pytest.fixture
def cats(tmp_path: Path, pictures: Any, save: Save) -> Path:
    """A folder with four images, 00.png to 03.png."""
    save(pictures[:4], tmp_path / "cats")
    return tmp_path / "cats"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.png"))


def captions(source: object, **options: Any) -> tuple[str, ...] | None:
    return open_images(f"captions:{source}", image_size=16, channels=3, **options).captions


def test_a_text_file_beside_an_image_is_its_caption(cats: Path) -> None:
    first, second, *_ = names(cats)
    (cats / first).with_suffix(".txt").write_text("a  black\ncat \n", encoding="utf-8")
    (cats / second).with_suffix(".txt").write_text("une chatte grise 🐈", encoding="utf-8")
    assert captions(cats) == ("a black cat", "une chatte grise 🐈", "", "")


def test_a_table_names_files_and_captions(cats: Path) -> None:
    rows = [f"{name},caption {number}" for number, name in enumerate(names(cats))]
    (cats / "captions.csv").write_text("\n".join(["file,caption", *reversed(rows)]))
    assert captions(cats) == ("caption 0", "caption 1", "caption 2", "caption 3")


def test_a_table_of_json_lines_serves_too(cats: Path) -> None:
    rows = [{"file_name": name, "text": name[:2]} for name in names(cats)]
    (cats / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert captions(cats) == tuple(name[:2] for name in names(cats))


def test_a_table_may_be_named_itself(cats: Path) -> None:
    rows = [json.dumps({"id": Path(name).stem, "name": "cat"}) for name in names(cats)]
    (cats / "mine.jsonl").write_text("\n".join(rows))
    assert captions(cats / "mine.jsonl") == ("cat",) * 4


def test_a_zip_and_a_table_beside_it_go_together(cats: Path, tmp_path: Path) -> None:
    place = tmp_path / "packed"
    place.mkdir()
    with zipfile.ZipFile(place / "images.zip", "w") as packed:
        for name in names(cats):
            packed.write(cats / name, f"deep/{name}")
    rows = [f"deep/{name},a cat" for name in names(cats)]
    (place / "captions.csv").write_text("\n".join(["file,caption", *rows]))
    assert captions(place) == ("a cat",) * 4


def test_a_zip_may_hold_its_table(cats: Path, tmp_path: Path) -> None:
    rows = [f"{name},a cat" for name in names(cats)]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        packed.writestr("captions.csv", "\n".join(["file,caption", *rows]))
        for name in names(cats):
            packed.write(cats / name, name)
    assert captions(tmp_path / "all.zip") == ("a cat",) * 4


def test_an_image_without_a_row_has_an_empty_caption(cats: Path) -> None:
    (cats / "captions.csv").write_text(f"file,caption\n{names(cats)[1]},one\n")
    assert captions(cats) == ("", "one", "", "")


def test_captions_stay_with_their_images_where_one_is_broken(cats: Path) -> None:
    for number, name in enumerate(names(cats)):
        (cats / name).with_suffix(".txt").write_text(str(number))
    (cats / names(cats)[1]).write_bytes(b"no image")
    assert captions(cats, broken_share=0.5) == ("0", "2", "3")


def test_other_captions_are_other_data(cats: Path) -> None:
    def fingerprint(text: str) -> str:
        (cats / names(cats)[0]).with_suffix(".txt").write_text(text)
        return open_images(f"captions:{cats}", image_size=16, channels=3).fingerprint

    assert fingerprint("a cat") != fingerprint("a dog")
    assert fingerprint("a cat") == fingerprint("a cat")


def test_decoded_captions_are_found_again(cats: Path) -> None:
    (cats / names(cats)[0]).with_suffix(".txt").write_text("a cat")
    assert captions(cats) == captions(cats) == ("a cat", "", "", "")


def test_a_look_tells_size_and_count(cats: Path) -> None:
    (cats / names(cats)[0]).with_suffix(".txt").write_text("a cat")
    info = inspect(f"captions:{cats}")
    assert (info.count, info.channels, info.classes) == (4, 3, 0)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("file,caption\nnowhere.png,a cat\n", "there is no such image"),
        ("picture,words\n00.png,a cat\n", "no column of files"),
        ("file,words\n00.png,a cat\n", "no column of captions"),
        ("file,caption\n", "is empty"),
        ("", "is empty"),
        ('file,caption\n00.png,"a cat\n', "not a table"),
        ("file,caption\n{first},\n", "no caption for any image"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_by_name(cats: Path, table: str, said: str) -> None:
    text = table.replace("{first}", names(cats)[0])
    (cats / "captions.csv").write_text(text)
    with pytest.raises(DataError, match=said) as raised:
        captions(cats)
    assert "captions.csv" in str(raised.value)


@pytest.mark.parametrize("line", ["[1]", "{", '"words"', '{"file": 3, "caption": "a cat"}'])
def test_json_lines_that_are_no_rows_are_refused(cats: Path, line: str) -> None:
    (cats / "captions.jsonl").write_text(line)
    with pytest.raises(DataError, match=r"captions\.jsonl"):
        captions(cats)


def test_text_that_is_not_utf_8_is_refused(cats: Path) -> None:
    (cats / names(cats)[0]).with_suffix(".txt").write_bytes("Kätzchen".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        captions(cats)


def test_a_text_file_that_is_a_book_is_refused(cats: Path) -> None:
    (cats / names(cats)[0]).with_suffix(".txt").write_text("a" * 200_000)
    with pytest.raises(DataError, match="at most"):
        captions(cats)


def test_images_without_any_caption_are_refused(cats: Path) -> None:
    with pytest.raises(DataError, match="has no captions"):
        captions(cats)


@pytest.mark.parametrize("name", ["noto-emoji", "crawl-tiles", "coco-mini-captions"])
def test_the_real_captioned_sets_can_be_read(name: str, shared: Callable[[str], Path]) -> None:
    folder = shared(name)
    data = open_images(f"captions:{folder}", image_size=8, channels=3)
    assert data.captions is not None
    assert len(data.captions) == len(data)
    assert np.mean([bool(text) for text in data.captions]) > 0.99
