"""Captioned scenes: what they show is known, and some combinations are kept for the test."""

import hashlib

import numpy as np
import pytest
import torch

from ganzoo_core.data import open_images
from ganzoo_core.data.scenes import FACTORS, SIZES, Scene, all_scenes, draw, split_of
from ganzoo_core.evaluation.scene_judge import agreement, shown_by, upper_or_left_first


def scenes(split="train", size=16):
    return open_images("scenes", image_size=size, channels=3, split=split)


def test_a_caption_says_what_the_factors_are():
    data = scenes()
    assert (data.factor_names, data.factor_sizes) == (FACTORS, SIZES)
    for caption, row in zip(data.captions[:200], data.factors[:200], strict=True):
        assert caption == Scene(*row.tolist()).caption


@pytest.mark.parametrize(
    ("scene", "caption"),
    [
        (Scene(0, 0, 0, 1, 3, 2), "a red circle above a blue square"),
        (Scene(0, 5, 2), "an orange triangle"),
        (Scene(2, 1, 3), "three green crosses"),
        (Scene(1, 3, 1), "two yellow squares"),
        (Scene(0, 4, 3, 4, 6, 1), "a purple cross right of an orange circle"),
    ],
)
def test_scenes_are_told_in_plain_words(scene, caption):
    assert scene.caption == caption


def test_no_combination_of_the_test_is_ever_trained_on():
    train, test = ({tuple(row) for row in scenes(s).factors.tolist()} for s in ("train", "test"))
    assert not train & test

    def pairs(rows):
        return {frozenset([(r[1], r[2]), (r[4] - 1, r[5] - 1)]) for r in rows if r[3]}

    assert pairs(test)
    assert not pairs(train) & pairs(test)


def test_each_part_of_a_test_scene_is_trained_on():
    train, test = scenes().factors, scenes("test").factors
    for column in range(len(FACTORS)):
        assert set(test[:, column]) <= set(train[:, column])


def test_a_fifth_of_the_combinations_is_kept_back():
    kept = [split_of(scene) == "test" for scene in all_scenes()]
    assert 0.15 < np.mean(kept) < 0.25


def test_scenes_are_the_same_each_time_and_at_any_size():
    one, two = (np.random.default_rng(3) for _ in range(2))
    rows = scenes().factors[:5]
    np.testing.assert_array_equal(draw(rows, 16, one), draw(rows, 16, two))
    small = draw(rows, 32, np.random.default_rng(3)).reshape(5, 16, 2, 16, 2, 3).mean((2, 4))
    assert np.abs(small - draw(rows, 16, np.random.default_rng(3))).mean() < 2


def test_relations_hold_in_the_picture():
    rows = np.array([Scene(0, 0, 1, relation, 3, 1) for relation in (1, 2, 3, 4)])
    pictures = draw(rows, 64, np.random.default_rng(0)).astype(int)
    for relation, picture in zip(("above", "below", "left", "right"), pictures, strict=True):
        red = np.argwhere(picture[..., 0] - picture[..., 2] > 80).mean(0)
        blue = np.argwhere(picture[..., 2] - picture[..., 0] > 80).mean(0)
        down, right = red - blue
        assert {"above": down < -5, "below": down > 5, "left": right < -5, "right": right > 5}[
            relation
        ]


def test_the_judge_names_scenes_it_has_not_seen():
    data = scenes("test", 32)
    images = torch.from_numpy(data.images[:500].copy()).permute(0, 3, 1, 2) / 127.5 - 1
    found = agreement(shown_by(images), torch.tensor(data.factors[:500]))
    assert found["all"].mean() > 0.97


def test_two_ways_to_tell_a_scene_are_one():
    above, below = Scene(0, 0, 0, 1, 3, 2), Scene(0, 2, 1, 2, 1, 1)
    first, second = upper_or_left_first(torch.tensor([above, below]))
    assert first.tolist() == second.tolist() == list(above)


def test_a_wrong_colour_alone_is_a_wrong_image():
    asked, shown = torch.tensor([Scene(1, 2, 3)]), torch.tensor([Scene(1, 4, 3)])
    found = agreement(shown, asked)
    assert found["all"].item() == found["colour"].item() == 0
    assert found["number"].item() == found["shape"].item() == 1


def test_what_this_version_draws_is_known():
    """A drawing that changes fails here until its version is raised, and its digest below it."""
    from ganzoo_core.data.pixels import PixelFormat
    from ganzoo_core.data.scenes import DRAWING, ScenesSource

    source = ScenesSource("test")
    first = next(iter(source.decode(PixelFormat(16, 3, "lanczos"))))[:64]
    told = "\n".join(source.captions()[:64]).encode()
    digest = hashlib.sha256(np.ascontiguousarray(first).tobytes() + told).hexdigest()[:16]
    assert (DRAWING, digest) == (1, "20eb63761b1c413d")


def test_scenes_of_another_version_are_not_taken_from_the_cache(monkeypatch, tmp_path):
    from ganzoo_core.data import scenes as its

    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    monkeypatch.setattr(its, "COUNTS", {"train": 8, "test": 8})
    its._scenes.cache_clear()
    before = scenes(size=8).images[:].copy()
    monkeypatch.setattr(
        its, "draw", lambda rows, size, _: np.zeros((len(rows), size, size, 3), "u1")
    )
    assert np.array_equal(scenes(size=8).images, before)
    monkeypatch.setattr(its, "DRAWING", its.DRAWING + 1)
    assert not scenes(size=8).images.any()
    its._scenes.cache_clear()
