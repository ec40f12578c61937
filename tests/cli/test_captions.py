"""`ganzoo sample --text`: what is said and refused, with the model of scenes that ships."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_plugins import GanzooHere
from PIL import Image

MODEL = ("sample", "dalle.scenes", "-n", "1", "--out", "it.png")
RED = ("--text", "a red circle")


def test_the_best_is_kept_and_its_score_said(ganzoo_here: GanzooHere) -> None:
    said = ganzoo_here(*MODEL, *RED, "--rerank", "3", "--json").json
    (its,) = said["captions"]
    assert (its["text"], its["candidates"], len(its["scores"])) == ("a red circle", 3, 1)
    assert 0 <= its["numbers"][0] < 3
    assert "unread" not in said


def test_each_text_has_its_row(ganzoo_here: GanzooHere) -> None:
    said = ganzoo_here(*MODEL, *RED, "--text", "two blue squares", "-n", "2")
    assert said.code == 0
    with Image.open("it.png") as picture:
        assert picture.width == picture.height


def test_what_the_model_does_not_read_is_noted(ganzoo_here: GanzooHere) -> None:
    long = "a red circle above a blue square " * 3
    said = ganzoo_here(*MODEL, "--text", long)
    assert said.code == 0
    assert "note: dalle does not read all of" in said.err
    assert "its end is left out" in said.err
    assert "characters" not in said.err
    assert "characters that no caption had" in ganzoo_here(*MODEL, "--text", "漢").err


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "1"])
def test_a_picture_of_any_mode_is_gone_on_from(ganzoo_here: GanzooHere, mode: str) -> None:
    Image.effect_noise((48, 40), 60).convert("RGB").convert(mode).save("prompt.png")
    assert ganzoo_here(*MODEL, *RED, "--image", "prompt.png", "--keep-rows", "8").code == 0
    assert Path("it.png").is_file()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--rerank", "3"), "--rerank needs a --text"),
        ((*RED, "--reranker", "runs/clip"), "--reranker judges candidates"),
        ((*RED, "--keep-rows", "8"), "--image and --keep-rows go together"),
        ((*RED, "--class", "3"), "--text for captions"),
        ((*RED, "--image", "none.png", "--keep-rows", "8"), "none.png"),
        ((*RED, "--image", "dot.png", "--keep-rows", "40"), "rows"),
        ((*RED, "--temperature", "-1"), "temperature"),
        ((*RED, "--top-p", "2"), "top_p"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    ganzoo_here: GanzooHere, options: tuple[str, ...], sentence: str
) -> None:
    Image.new("RGB", (32, 32)).save("dot.png")
    said = ganzoo_here(*MODEL, *options)
    assert said.code == 2
    assert said.err.count("\n") == 1, said.err
    assert sentence in said.err
    assert not Path("it.png").exists()


def test_a_model_without_captions_takes_no_text(ganzoo_here: GanzooHere) -> None:
    said = ganzoo_here("sample", "dcgan.mnist", *RED, "-n", "1", "--out", "it.png")
    assert said.code == 2
    assert "dcgan" in said.err


def test_a_judge_says_how_many_images_show_their_caption(ganzoo_here: GanzooHere) -> None:
    metrics = ("--metrics", "faithfulness,reranked-faithfulness", "-n", "4", "--json")
    said = ganzoo_here("evaluate", "dalle.scenes", "--data", "scenes", *metrics).json
    values = {its["metric"]: its["value"] for its in said["results"]}
    assert values["faithfulness of real images"] == 1
    assert 0 <= values["faithfulness"] <= values["faithfulness: number"] <= 1
    assert "faithfulness of the best of 16: colour" in values


def test_the_class_that_a_caption_names_is_judged_by_the_features(
    ganzoo_here: GanzooHere, shared: Callable[[str], Path]
) -> None:
    of = ("evaluate", "dalle.mnist", "--data", "idx:mnist", "--data-root", str(shared("data")))
    metrics = ("--split", "test", "--metrics", "faithfulness", "-n", "8", "--json")
    said = ganzoo_here(*of, *metrics).json
    values = {its["metric"]: its["value"] for its in said["results"]}
    assert values.keys() == {
        "faithfulness[mnist-convnet]",
        "faithfulness of real images[mnist-convnet]",
        "faithfulness of reconstructions[mnist-convnet]",
    }
    assert values["faithfulness of reconstructions[mnist-convnet]"] > 0.7


def test_nobody_says_what_images_show_that_the_judges_do_not_know(
    ganzoo_here: GanzooHere,
) -> None:
    metrics = ("--metrics", "faithfulness", "-n", "2")
    said = ganzoo_here("evaluate", "dalle.mnist", "--data", "digits", *metrics)
    assert said.code == 2
    assert "too few to judge generated ones" in said.err
    folder = Path("named")
    folder.mkdir()
    Image.new("L", (8, 8), 200).save(folder / "cat.png")
    (folder / "cat.txt").write_text("a cat")
    said = ganzoo_here("evaluate", "dalle.mnist", "--data", "captions:named", *metrics)
    assert said.code == 2
    assert "it is not known what the images of captions:named show" in said.err
    assert "--data scenes" in said.err
