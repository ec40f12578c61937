"""Captions as tokens."""

import json

import pytest
import torch

from ganzoo_core.errors import CheckpointError, ConfigError, DataError
from ganzoo_core.text import Tokenizer, captions_of, text_shape

CAPTIONS = ["a red circle", "a blue square", "two red squares", "a red square above a blue circle"]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.trained(CAPTIONS * 10, 64)


def test_a_caption_can_be_told_from_its_tokens(tokenizer):
    (tokens,) = tokenizer.encode(["a red circle"], 8)
    assert tokens.dtype == torch.int64
    assert tokenizer.decode(tokens.tolist()) == "a red circle"


def test_tokens_end_in_zeros(tokenizer):
    tokens = tokenizer.encode(["a red circle", ""], 8)
    assert tokens.shape == (2, 8)
    assert (tokens[0] != 0).sum() == 3
    assert not tokens[1].any()


def test_what_is_longer_is_cut_off(tokenizer):
    whole = tokenizer.encode(["a red square above a blue circle"], 8)
    assert torch.equal(tokenizer.encode(["a red square above a blue circle"], 3), whole[:, :3])


def test_what_is_lost_of_a_caption_can_be_told(tokenizer):
    assert tokenizer.unread("a red circle", 8) == []
    (cut,) = tokenizer.unread("a red square above a blue circle", 3)
    assert "from 'above a blue circle' on" in cut
    (unknown,) = tokenizer.unread("a 🐈 circle", 8)
    assert "characters that no caption had" in unknown


def test_case_does_not_matter(tokenizer):
    one, other = tokenizer.encode(["A RED circle", "a red circle"], 6)
    assert torch.equal(one, other)


@pytest.mark.parametrize("text", ["漢字", "🐈", "\x00", "a 🐈 circle", "ﬃ", "   ", "\n"])
def test_unknown_characters_are_unknown_tokens_and_no_error(tokenizer, text):
    tokens = tokenizer.encode([text], 6)
    assert bool(((tokens >= 0) & (tokens < tokenizer.size)).all())


def test_the_same_captions_give_the_same_tokenizer(tokenizer):
    assert Tokenizer.trained(CAPTIONS * 10, 64).content == tokenizer.content


@pytest.mark.parametrize("vocabulary", [3, 8, 40])
def test_there_are_no_more_tokens_than_asked_for(vocabulary):
    assert Tokenizer.trained([*CAPTIONS, "漢字かな交じり文"], vocabulary).size <= vocabulary


def test_a_saved_tokenizer_is_the_same(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    again = Tokenizer.read(tmp_path / "tokenizer.json")
    assert torch.equal(again.encode(CAPTIONS, 12), tokenizer.encode(CAPTIONS, 12))


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"model": {"type": "BPE"}}', '{"version": "1.0"}']
)
def test_what_is_no_tokenizer_is_refused_by_name(content, tmp_path):
    file = tmp_path / "tokenizer.json"
    file.write_text(content)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        Tokenizer.read(file)


def test_a_missing_tokenizer_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        Tokenizer.read(tmp_path / "tokenizer.json")


def test_a_tokenizer_is_plain_json(tokenizer):
    content = json.loads(tokenizer.content)
    assert content["model"]["vocab"]["[PAD]"] == 0
    assert content["model"]["vocab"]["[UNK]"] == 1


class Reader(torch.nn.Module):
    def __init__(self, vocabulary, text_length):
        super().__init__()
        self.vocabulary, self.text_length = vocabulary, text_length


def test_networks_say_what_captions_they_read():
    assert text_shape({"a": Reader(0, 0), "b": torch.nn.Linear(1, 1)}) is None
    assert text_shape({"a": Reader(9, 4), "b": Reader(9, 4)}) == (9, 4)


def test_networks_that_read_other_tokens_are_refused():
    with pytest.raises(ConfigError, match="vocabulary and text_length"):
        text_shape({"a": Reader(9, 4), "b": Reader(8, 4)})


def test_classes_are_captions_where_there_are_none():
    from ganzoo_core.data import open_images

    digits = open_images("digits", image_size=8, channels=1)
    captions = captions_of(digits)
    assert captions[:3] == ("zero", "one", "two")


def test_images_without_captions_or_classes_are_refused(tmp_path):
    import numpy as np

    from ganzoo_core.data import open_images

    np.savez(tmp_path / "a.npz", images=np.zeros((4, 8, 8, 1), np.uint8))
    data = open_images(f"npz:{tmp_path}/a.npz", image_size=8, channels=1)
    with pytest.raises(DataError, match="has no captions"):
        captions_of(data)
