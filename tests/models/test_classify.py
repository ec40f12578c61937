"""`ganzoo classify`: what images of any kind and size show, by a model that knows classes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fake_plugins import GanzooHere
from PIL import Image

import ganzoo_core as zoo


@pytest.fixture
def model(tmp_path: Path) -> Path:
    settings = {"image_size": 16, "channels": 1, "classes": 4, "first_maps": 2, "second_maps": 3}
    return zoo.create("source-only", **settings).save(tmp_path / "model")


def write(path: Path, *, size: tuple[int, int] = (16, 16), mode: str = "L") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(path.name)).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def test_the_most_probable_classes_are_those_of_the_model(
    ganzoo_here: GanzooHere, model: Path, tmp_path: Path
) -> None:
    file = write(tmp_path / "one.png")
    said = ganzoo_here("classify", model, "--input", file, "--top", "2", "--json")
    assert said.code == 0, said.err
    (found,) = said.json["images"]
    pixels = torch.tensor(np.asarray(Image.open(file)))[None, None].float() / 127.5 - 1
    wanted = zoo.load(model).classify(pixels)[0].topk(2)
    assert [each["class"] for each in found["classes"]] == wanted.indices.tolist()
    given = [each["probability"] for each in found["classes"]]
    assert given == pytest.approx(wanted.values.tolist(), rel=1e-5)


def test_a_folder_of_any_sizes_and_modes_is_a_table(
    ganzoo_here: GanzooHere, model: Path, tmp_path: Path
) -> None:
    for name, size, mode in (("a.png", (40, 20), "RGB"), ("b.jpg", (9, 9), "L")):
        write(tmp_path / "pile" / name, size=size, mode=mode)
    write(tmp_path / "pile" / "c.webp", mode="RGBA")
    said = ganzoo_here("classify", model, "--input", tmp_path / "pile")
    assert said.code == 0, said.err
    header, *rows = said.out.splitlines()
    assert header.split() == ["FILE", "CLASS", "NEXT", "NEXT"]
    assert [Path(row.split()[0]).name for row in rows] == ["a.png", "b.jpg", "c.webp"]
    assert all(row.count("%") == 3 for row in rows)


def test_broken_images_of_a_folder_are_named_and_the_rest_is_done(
    ganzoo_here: GanzooHere, model: Path, tmp_path: Path
) -> None:
    write(tmp_path / "pile" / "good.png")
    (tmp_path / "pile" / "bad.png").write_bytes(b"no image")
    said = ganzoo_here("classify", model, "--input", tmp_path / "pile", "--json")
    assert said.code == 1
    assert len(said.json["images"]) == 1
    (sentence,) = said.json["broken"]
    assert "bad.png" in sentence


def test_more_classes_than_there_are_shows_all(
    ganzoo_here: GanzooHere, model: Path, tmp_path: Path
) -> None:
    file = write(tmp_path / "one.png")
    said = ganzoo_here("classify", model, "--input", file, "--top", "99", "--json")
    assert sorted(each["class"] for each in said.json["images"][0]["classes"]) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("none.png", ("there is no image or folder",)),
        ("empty", ("holds no image files",)),
        ("bad.png", ("bad.png", "cannot be decoded")),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    ganzoo_here: GanzooHere, model: Path, tmp_path: Path, given: str, parts: tuple[str, ...]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.png").write_bytes(b"no image")
    ganzoo_here("classify", model, "--input", tmp_path / given).is_one_sentence(*parts)


def test_a_model_without_classes_says_what_it_can_do(
    ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    settings = {"image_size": 16, "width": 4, "latent_size": 4}
    model = zoo.create("dcgan", **settings).save(tmp_path / "dcgan")
    file = write(tmp_path / "one.png")
    said = ganzoo_here("classify", model, "--input", file)
    said.is_one_sentence("dcgan cannot classify", "sample")
