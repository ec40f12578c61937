"""A user's mistakes: one sentence, exit code 2, nothing half-written, no traceback."""

from pathlib import Path

import pytest
from fake_plugins import Ganzoo, GanzooHere
from PIL import Image

TINY = ("--set", "width=4", "--set", "latent_size=4", "--image-size", "16", "--batch-size", "4")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lst",), "did you mean 'list'"),
        (("train",), "say what to train"),
        (("train", "dcgn"), "did you mean 'dcgan'"),
        (("train", "dcgan", "--loss", "non-saturatin"), "did you mean 'non-saturating'"),
        (("train", "dcgan", "--encoder", "x"), "unknown part 'encoder'"),
        (("train", "dcgan", "--data", "digit"), "did you mean 'digits'"),
        (("train", "dcgan", "--data", "folder:nowhere"), "nowhere"),
        (("train", "dcgan", "--data", "idx:nowhere"), "nowhere"),
        (("train", "dcgan", "--preset", "mnst"), "did you mean 'mnist'"),
        (("train", "dcgan", "--set", "generator.widht=3"), "did you mean 'generator.width'"),
        (("train", "dcgan", "--set", "latentsize=3"), "latent_size"),
        (("train", "dcgan", "--set", "generator.width=-3"), "generator.width cannot be -3"),
        (("train", "dcgan", "--set", "generator.width=1e99"), "generator.width"),
        (("train", "dcgan", "--set", "generator.width=wide"), "generator.width"),
        (("train", "dcgan", "--set", "generator.width"), "key=value"),
        (("train", "dcgan", "--set", "training.ema=NaN"), "training.ema"),
        (("train", "dcgan", "--set", "training.ema=1.5"), "training.ema cannot be 1.5"),
        (("train", "dcgan", "--image-size", "48"), "16, 32, 64 or 128"),
        (("train", "dcgan", "--steps", "-1"), "at least 1"),
        (("train", "dcgan", "--steps", "many"), "whole number"),
        (("train", "dcgan", "--steps", "99999999999"), "training.steps"),
        (("train", "dcgan", "--epochs", "0"), "above 0"),
        (("train", "dcgan", "--epochs", "nan"), "above 0"),
        (("train", "dcgan", "--epochs", "1e30"), "more than"),
        (("train", "dcgan", "--steps", "1", "--epochs", "1"), "not allowed with"),
        (("train", "dcgan", "--batch-size", "0"), "at least 1"),
        (("train", "dcgan", "--batch-size", "5000"), "larger than the 1797 images"),
        (("train", "dcgan", "--seed", "-1"), "0 to 2**63"),
        (("train", "dcgan", "--seed", "99999999999999999999"), "0 to 2**63"),
        (("train", "dcgan", "--device", "abacus"), "no device 'abacus'"),
        (("train", "dcgan", "--precision", "fp8"), "invalid choice"),
        (("train", "dcgan", "--config", "nowhere.toml"), "nowhere.toml cannot be read"),
        (("train", "--resume", "nowhere"), "is not a run"),
        (("train", "--resume", "."), "is not a run"),
        (("train", "--resume", "x", "--preset", "mnist"), "--preset cannot go with --resume"),
        (("sample", "nowhere"), "unknown model 'nowhere'"),
        (("sample", "."), "neither a run nor a model"),
        (("sample", "x", "-n", "0"), "at least 1"),
        (("sample", "x", "--out", "grid.bmp"), "suffix '.bmp'"),
        (("interpolate", "nowhere"), "unknown model"),
        (("load", "nowhere"), "unknown model"),
        (("check", "no-such-plugin"), "no-such-plugin"),
        (("completion", "dos"), "invalid choice"),
    ],
)
def test_a_mistake_gets_one_sentence(
    ganzoo_here: GanzooHere, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    ganzoo_here(*arguments).is_one_sentence(said)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_an_empty_folder_of_images(ganzoo_here: GanzooHere, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    ganzoo_here("train", "dcgan", "--data", "folder:photos").is_one_sentence("photos", "no image")
    assert not (tmp_path / "runs").exists()


def test_a_folder_with_one_broken_image_in_few(ganzoo_here: GanzooHere, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(9):
        Image.new("RGB", (16, 16), (number * 20, 0, 0)).save(photos / f"{number}.png")
    (photos / "broken.png").write_bytes(b"not a picture")
    said = ganzoo_here("train", "dcgan", "--data", "folder:photos", "--steps", "1", *TINY)
    said.is_one_sentence("broken.png", "1 of 10")


def test_one_broken_image_in_many_is_named_and_left_out(
    ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(120):
        Image.new("RGB", (16, 16), (number * 2, 0, 0)).save(photos / f"{number}.png")
    (photos / "broken.png").write_bytes(b"not a picture")
    said = ganzoo_here(
        "train", "dcgan", "--data", "folder:photos", "--steps", "1", *TINY, "--out", "r"
    )
    assert said.code == 0, said.err
    assert "broken.png" in said.err
    assert (tmp_path / "r" / "model" / "model.safetensors").is_file()


def test_a_file_where_a_folder_is_expected(ganzoo_here: GanzooHere, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ganzoo_here("train", "dcgan", "--data", "folder:file").is_one_sentence("file")
    ganzoo_here("train", "dcgan", "--steps", "1", "--out", "file").is_one_sentence("is a file")


def test_a_place_that_cannot_be_written(ganzoo_here: GanzooHere, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ganzoo_here("train", "dcgan", "--steps", "1", *TINY, "--out", "file/run").is_one_sentence(
        "cannot be written"
    )


def test_a_run_is_not_overwritten(ganzoo_here: GanzooHere, tmp_path: Path) -> None:
    assert ganzoo_here("train", "gan", "--steps", "1", "--out", "run").code == 0
    ganzoo_here("train", "gan", "--steps", "1", "--out", "run").is_one_sentence("--resume run")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    ganzoo_here("train", "gan", "--steps", "1", "--out", "mine").is_one_sentence("not empty")


def test_debug_shows_the_traceback(ganzoo: Ganzoo) -> None:
    said = ganzoo("--debug", "sample", "nowhere")
    assert said.code != 0
    assert "Traceback" in said.err
