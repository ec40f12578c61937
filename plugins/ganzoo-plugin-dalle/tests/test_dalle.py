"""What only this paper claims: its figures and equations, drawing, stages, and published files."""

import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time
import types
import warnings
from pathlib import Path

import pytest
import torch
from ganzoo_plugin_dalle import clip, dvae, transformer
from ganzoo_plugin_dalle.config import (
    CLIPConfig,
    DVAEConfig,
    DVAEDecoderConfig,
    RotaryConfig,
    TransformerConfig,
)
from ganzoo_plugin_dalle.dalle_pytorch import RotaryTransformer
from safetensors.torch import load_file
from torch import nn

import ganzoo_core as zoo
from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import Drawing, JointNoise, Progress
from ganzoo_core.errors import CheckpointError, ConfigError, DataError, UnsupportedError
from ganzoo_core.model import Model
from ganzoo_core.plugins import read_installed
from ganzoo_core.prompting import Prompt
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.subjects import engine_of, random_captions, random_images
from ganzoo_core.text import Tokenizer


@parametrize_with_checks("ganzoo-plugin-dalle")
def test_conformance(check):
    check()


def noise(seed=0):
    return JointNoise(torch.Generator().manual_seed(seed))


def tiny(variant="dalle", **settings):
    entry = draw_up(read_installed(), variant, {}).entry
    return draw_up(read_installed(), variant, entry.tiny | settings)


TINY = {
    "image_size": 8,
    "channels": 1,
    "groups": 2,
    "codes": 6,
    "vocabulary": 9,
    "text_length": 4,
    "width": 8,
    "layers": 2,
    "heads": 2,
}


def small_transformer(**settings):
    torch.manual_seed(0)
    network = transformer.Transformer(TransformerConfig(**TINY | {"kernel": 3} | settings))
    return spread(network)


def small_rotary(**settings):
    torch.manual_seed(0)
    config = RotaryConfig(**TINY | {"head_size": 8, "rotary_size": 6} | settings)
    network = spread(RotaryTransformer(config))
    if network.rotary:
        network.angles.uniform_(-3, 3)
    return network


@torch.no_grad()
def spread(network):
    """Give weights that say something, so that what is drawn depends on all that is seen."""
    for weight in network.parameters():
        weight.normal_(0, 0.5)
    return network.eval()


# The paper's sizes.


def test_the_paper_s_encoder_makes_a_grid_of_32_by_32_of_8192_codes():
    with torch.device("meta"):
        encoder = dvae.DVAEEncoder(DVAEConfig())
        decoder = dvae.DVAEDecoder(DVAEDecoderConfig())
    assert encoder.latent_shape == decoder.latent_shape == (32, 32)
    assert encoder.codes == decoder.discrete == 8192
    count = [sum(weight.numel() for weight in net.parameters()) for net in (encoder, decoder)]
    # OpenAI's encoder.pkl and decoder.pkl take 215 and 175 megabytes, four bytes a weight.
    assert [round(number * 4 / 1e6) for number in count] == [215, 175]


def test_the_paper_s_transformer_has_12_billion_weights():
    with torch.device("meta"):
        network = transformer.Transformer(TransformerConfig())
    assert 12.0e9 < sum(weight.numel() for weight in network.parameters()) < 12.5e9
    kinds = network.kinds
    assert (len(kinds), kinds[:6], kinds[-1]) == (
        64,
        ("row", "column", "row", "row", "row", "column"),
        "convolution",
    )
    assert all((kind == "column") == (n % 4 == 1) for n, kind in enumerate(kinds[:-1]))


# The autoencoder.


def test_the_logit_laplace_density_is_a_density():
    pixels = torch.linspace(0.0005, 0.9995, 1000, dtype=torch.float64)
    for mean, log_scale in ((0.0, 0.0), (1.0, -0.5), (-2.0, -1.0)):
        its = torch.full_like(pixels, mean), torch.full_like(pixels, log_scale)
        density = torch.exp(-dvae.logit_laplace(pixels, *its))
        assert abs(density.mean().item() - 1) < 0.03


def test_the_logit_laplace_density_by_hand():
    # x = 1/2: logit 0, x (1 - x) = 1/4; μ = 1, b = 2: f = 4 / (2 · 2) · exp(-1/2).
    half, one = torch.tensor(0.5), torch.tensor(1.0)
    found = dvae.logit_laplace(half, one, torch.tensor(math.log(2.0)))
    torch.testing.assert_close(found, torch.tensor(0.5))


def test_pixels_are_squeezed_away_from_0_and_1_and_come_back():
    images = torch.tensor([-1.0, -0.5, 0.0, 1.0])
    squeezed = dvae.squeezed(images, 0.1)
    torch.testing.assert_close(squeezed, torch.tensor([0.1, 0.3, 0.5, 0.9]))
    torch.testing.assert_close(dvae.unsqueezed(squeezed, 0.1), images)


def test_cold_relaxed_codes_choose_as_the_gumbel_trick_does():
    logits = torch.log(torch.tensor([0.2, 0.5, 0.3])).view(1, 3, 1, 1).expand(1, 3, 80, 80)
    shares = dvae.relaxed_codes(logits, 1e-3, noise().uniform(1, 3, 80, 80))
    torch.testing.assert_close(shares.sum(1), torch.ones(1, 80, 80))
    assert (shares.max(1).values > 0.99).float().mean() > 0.98
    torch.testing.assert_close(
        shares.mean((0, 2, 3)), torch.tensor([0.2, 0.5, 0.3]), rtol=0, atol=0.03
    )


def test_the_divergence_from_the_uniform_prior_is_0_for_it_and_ln_k_for_one_code():
    flat, sure = torch.zeros(2, 8, 3, 3), torch.zeros(2, 8, 3, 3)
    sure[:, 5] = 100
    torch.testing.assert_close(dvae.uniform_divergence(flat), torch.zeros(2))
    torch.testing.assert_close(dvae.uniform_divergence(sure), torch.full((2,), 9 * math.log(8)))


def test_perplexity_counts_codes_that_are_as_frequent():
    torch.testing.assert_close(dvae.perplexity(torch.tensor([3, 3, 0, 3])), torch.tensor(3.0))
    torch.testing.assert_close(dvae.perplexity(torch.tensor([0, 7, 0, 0])), torch.tensor(1.0))


def dvae_losses(steps=1, **settings):
    blueprint = tiny("dvae", **settings)
    engine = engine_of(blueprint)
    for _ in range(steps):
        engine.step()
    return engine.mean_losses()


def test_the_loss_is_the_bound_of_equation_1_a_number_of_the_image():
    losses = dvae_losses(**{"trainer.kl_weight": 6.6, "trainer.kl_steps": 1})
    assert losses["dvae"] == pytest.approx(losses["dvae/nll"], abs=1e-5)  # β is 0 at first
    losses = dvae_losses(3, **{"trainer.kl_weight": 6.6, "trainer.kl_steps": 1})
    assert losses["dvae"] == pytest.approx(losses["dvae/nll"] + 6.6 * losses["dvae/kl"], rel=1e-5)


def test_the_temperature_falls_from_1_to_a_sixteenth():
    settings = {"trainer.temperature_steps": 4}
    found = [dvae_losses(steps, **settings)["dvae/temperature"] for steps in (1, 3, 5, 7)]
    middle = (1 + 1 / 16) / 2
    assert found == pytest.approx([1, middle, 1 / 16, 1 / 16])


def test_codes_that_no_batch_uses_are_reported_as_dead():
    found = [dvae_losses(steps, **{"trainer.dead_after": 3})["dvae/dead"] for steps in (1, 8)]
    assert found[0] == 0
    assert found[1] > 0


@pytest.mark.parametrize("likelihood", ["logit-laplace", "l1", "l2"])
def test_every_likelihood_decodes_to_images(likelihood):
    settings = tiny("dvae").networks["decoder"].config.model_dump()
    model = zoo.create("dvae", **settings | {"likelihood": likelihood})
    images = model.reconstruct(random_images(3, (1, 8, 8)))
    assert images.shape == (3, 1, 8, 8)
    assert images.abs().max() <= 1


def test_codes_are_grids_of_whole_numbers():
    model = zoo.create("dvae", **tiny("dvae").networks["decoder"].config.model_dump())
    codes = model.encode(random_images(3, (1, 8, 8)))
    assert (codes.shape, codes.dtype) == ((3, 4, 4), torch.int64)
    torch.testing.assert_close(
        model.decode(codes), model.reconstruct(random_images(3, (1, 8, 8))), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("codes", [torch.full((1, 4, 4), 8), torch.full((1, 4, 4), -1)])
def test_codes_that_there_are_not_are_refused(codes):
    model = zoo.create("dvae", **tiny("dvae").networks["decoder"].config.model_dump())
    with pytest.raises(UnsupportedError, match="whole numbers from 0 to 7"):
        model.decode(codes)
    with pytest.raises(UnsupportedError, match="whole numbers"):
        model.decode(torch.rand(1, 4, 4))


# Attention.


def seen_codes(kind, place, kernel=3):
    """Return which codes of a 4 × 4 grid the code at `place` sees, captions being 6 long."""
    mask = transformer.attention_mask(kind, 6, 4, kernel)
    assert mask.shape == (22, 22)
    assert mask[7 + place, :7].all(), "a code sees the start and the whole caption"
    return mask[7 + place, 7:].nonzero().flatten().tolist()


def test_row_attention_sees_five_codes_back_to_the_one_above():
    assert seen_codes("row", 9) == [5, 6, 7, 8, 9]


def test_column_attention_sees_the_codes_above():
    assert seen_codes("column", 9) == [1, 5, 9]


def test_convolutional_attention_sees_the_neighbours_and_goes_round_at_the_border():
    assert seen_codes("convolution", 9) == [4, 5, 6, 8, 9]
    assert seen_codes("convolution", 8) == [3, 4, 5, 7, 8]


def test_full_attention_sees_all_before_it():
    assert seen_codes("full", 9) == list(range(10))


@pytest.mark.parametrize("kind", ["full", "row", "column", "convolution"])
def test_nothing_sees_what_comes_after_it(kind):
    assert not transformer.attention_mask(kind, 6, 4, 3).triu(1).any()


# The transformer.


@pytest.mark.parametrize("kinds", [("full",), ("row", "column"), ("convolution",)])
def test_the_probabilities_of_all_images_sum_to_1(kinds):
    network = small_transformer(codes=2, image_size=4, attention=kinds, last_attention=kinds[0])
    every = torch.tensor(list(itertools.product((0, 1), repeat=4))).view(16, 2, 2)
    captions = random_captions(1, 9, 4).expand(16, -1)
    for given in (None, captions):
        torch.testing.assert_close(network(every, given).exp().sum(), torch.tensor(1.0))


def test_the_likelihood_depends_on_the_caption():
    network = small_transformer()
    codes = noise().integers(6, 3, 4, 4)
    assert (network(codes, random_captions(3, 9, 4)) - network(codes)).abs().min() > 1e-3


def test_each_place_of_an_ended_caption_has_a_padding_of_its_own():
    network = small_transformer()
    captions = torch.tensor([[3, 5, 0, 0]])
    inputs = network.embedded(captions, torch.zeros(1, 0, dtype=torch.int64))
    inputs.sum().backward()
    used = network.paddings.weight.grad.abs().sum(1) > 0
    assert used.tolist() == [False, False, True, True]


def test_gradient_checkpointing_changes_no_gradient():
    grads = []
    for checkpointing in (False, True):
        network = small_transformer(gradient_checkpointing=checkpointing).train()
        network(noise().integers(6, 2, 4, 4), random_captions(2, 9, 4)).sum().backward()
        grads.append([weight.grad for weight in network.parameters() if weight.grad is not None])
    assert len(grads[0]) == len(grads[1])
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other)


def test_text_counts_an_eighth_and_images_the_rest():
    engine = engine_of(tiny())
    engine.steps_done = engine._ends[0]
    engine.step()
    losses = engine.mean_losses()
    wanted = losses["transformer/text"] / 8 + losses["transformer/image"] * 7 / 8
    assert losses["transformer"] == pytest.approx(wanted, rel=1e-5)


def test_what_follows_a_caption_s_end_costs_nothing():
    logits = torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(0))
    image, codes = torch.zeros(2, 4, 6), torch.zeros(2, 2, 2, dtype=torch.int64)
    captions = torch.tensor([[3, 5, 0, 0], [7, 0, 0, 0]])
    text, grid = transformer.cross_entropies(logits, image, captions, codes)
    chosen = logits.log_softmax(2)
    wanted = -(chosen[0, 0, 3] + chosen[0, 1, 5] + chosen[1, 0, 7]) / 3
    torch.testing.assert_close(text, wanted)
    torch.testing.assert_close(grid, torch.tensor(math.log(6)))
    empty, _ = transformer.cross_entropies(logits, image, torch.zeros_like(captions), codes)
    assert empty == 0


# Drawing.

PRIORS = {
    "full": lambda: small_transformer(attention=("full",), last_attention="full"),
    "sparse": lambda: small_transformer(attention=("row", "column"), last_attention="convolution"),
    "rotary": lambda: small_rotary(attention=("full", "row", "column", "convolution"), layers=4),
    "rotary without shifts": lambda: small_rotary(shift_tokens=False, sandwich=True),
    "embedded positions": lambda: small_rotary(rotary=False, stable=True),
    "reversible": lambda: small_rotary(reversible=True, attention=("convolution",), centred=True),
}


@pytest.mark.parametrize("name", list(PRIORS))
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_a_cache_changes_nothing(name, guidance):
    network, captions = PRIORS[name](), random_captions(5, 9, 4)
    kept = noise(3).integers(6, 5, 1, 4)
    for rows in (None, kept):
        cached, plain = (
            network.draw(
                5,
                noise(1),
                captions,
                drawing=Drawing(guidance=guidance, cache=cache, temperature=0.9, top_p=0.95),
                kept=rows,
            )
            for cache in (True, False)
        )
        assert torch.equal(cached, plain)
        assert len(cached.unique()) > 1


def test_with_a_cache_each_place_is_computed_once():
    network, places = small_transformer(), []
    network.layers[0].register_forward_pre_hook(lambda _, args: places.append(args[0].shape[1]))
    network.draw(2, noise(), random_captions(2, 9, 4))
    assert places == [1 + 4] + [1] * 15


@pytest.mark.parametrize("name", list(PRIORS))
def test_drawing_leaves_captions_and_kept_rows_as_they_were(name):
    captions, kept = random_captions(2, 9, 4), noise(3).integers(6, 2, 2, 4)
    before = captions.clone(), kept.clone()
    drawn = PRIORS[name]().draw(2, noise(), captions, kept=kept, drawing=Drawing(guidance=2.0))
    assert torch.equal(captions, before[0])
    assert torch.equal(kept, before[1])
    assert torch.equal(drawn[:, :2], kept)


def test_kept_rows_change_what_is_drawn_below_them():
    network = small_transformer()
    one, other = (torch.full((4, 1, 4), code) for code in (0, 5))
    drawn = [network.draw(4, noise(), kept=kept)[:, 1:] for kept in (one, other)]
    assert not torch.equal(*drawn)


def test_codes_are_drawn_as_often_as_they_are_likely():
    shares = torch.tensor([0.5, 0.0, 0.3, 0.2])
    uniform = (torch.arange(1000) + 0.5) / 1000
    logits = shares.log().expand(1000, 4)
    counts = torch.bincount(transformer.chosen(logits, uniform, Drawing()), minlength=4)
    assert counts.tolist() == [500, 0, 300, 200]
    halves = transformer.chosen(logits, uniform, Drawing(temperature=0.5))
    counts = torch.bincount(halves, minlength=4) / 1000
    torch.testing.assert_close(counts, shares**2 / (shares**2).sum(), rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    ("drawing", "left"),
    [
        (Drawing(temperature=0), {0}),
        (Drawing(top_k=1), {0}),
        (Drawing(top_k=2), {0, 2}),
        (Drawing(top_k=100), {0, 2, 3}),
        (Drawing(top_p=0.4), {0}),
        (Drawing(top_p=0.6), {0, 2}),
        (Drawing(top_p=0.81), {0, 2, 3}),
        (Drawing(top_k=3, top_p=0.6), {0, 2}),
    ],
)
def test_unlikely_codes_are_left_out(drawing, left):
    logits = torch.tensor([0.5, 0.0, 0.3, 0.2]).log().expand(1000, 4)
    uniform = (torch.arange(1000) + 0.5) / 1000
    assert set(transformer.chosen(logits, uniform, drawing).tolist()) == left


@pytest.mark.parametrize("uniform", [0.0, 1 - 1e-7])
def test_the_ends_of_the_distribution_are_codes_that_can_be(uniform):
    logits = torch.tensor([[-math.inf, 0.0, 0.0, -math.inf]])
    drawn = transformer.chosen(logits, torch.tensor([uniform]), Drawing())
    assert drawn.item() in (1, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"top_k": -1},
        {"top_p": 0},
        {"top_p": 1.1},
        {"guidance": -0.1},
        {"guidance": math.nan},
    ],
)
def test_ways_to_draw_that_there_are_not_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Drawing(**wrong)


# A model of captions.


@pytest.fixture(scope="module")
def model():
    blueprint = tiny(vocabulary=40, text_length=6)
    built = Model(blueprint, blueprint.build_networks())
    torch.manual_seed(0)
    for network in built.networks.values():
        spread(network)
    built.tokenizer = Tokenizer.trained(["a red circle", "two blue squares"] * 5, 40)
    return built


def test_an_image_depends_on_its_text_and_its_number_alone(model):
    one = model.sample(4, seed=3, text="a red circle")
    assert torch.equal(one, model.sample(4, seed=3, text=["a red circle"] * 4, batch_size=2))
    assert torch.equal(one[:2], model.sample(2, seed=3, text="a red circle"))
    assert not torch.equal(one, model.sample(4, seed=3, text="two blue squares"))
    assert not torch.equal(model.sample(16, text="a red circle"), model.sample(16))


def test_the_first_rows_of_a_picture_are_kept(model):
    image = random_images(1, (1, 8, 8))[0]
    before = image.clone()
    drawn = model.sample(3, text="a red circle", prompt=Prompt(image=image, keep_rows=4))
    codes = model.encode(image[None])
    assert torch.equal(image, before)
    again = model.sample(3, text="a red circle", prompt=Prompt(image=image, keep_rows=4))
    assert torch.equal(drawn, again)
    prior = model.networks["prior"]
    latents = prior.draw(
        3, noise(), model.tokenizer.encode(["a"] * 3, 6), kept=codes[:, :2].expand(3, 2, 4)
    )
    assert torch.equal(latents[:, :2], codes[:, :2].expand(3, 2, 4))


def test_the_best_of_many_are_kept_with_their_scores(model):
    best = model.ranked(2, "a red circle", candidates=6, seed=1)
    every = model.sample(6, seed=1, text="a red circle")
    scores = model.score(every, "a red circle")
    assert best.scores.tolist() == sorted(scores.tolist(), reverse=True)[:2]
    assert torch.equal(best.images, every[best.numbers])
    assert scores.abs().max() <= 1


def test_progress_goes_up_to_the_end(model):
    told = []
    model.sample(4, batch_size=2, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (4, 4)
    assert told == sorted(told)
    assert len(told) > 4


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m: m.sample(3, text=["one", "two"]), "2 captions were given for 3"),
        (lambda m: m.sample(1, prompt=Prompt(keep_rows=2)), "go together"),
        (lambda m: m.sample(1, prompt=Prompt(image=torch.zeros(1, 8, 8))), "go together"),
        (
            lambda m: m.sample(1, prompt=Prompt(image=torch.zeros(1, 8, 8), keep_rows=3)),
            "keeps rows of 2 pixels",
        ),
        (
            lambda m: m.sample(1, prompt=Prompt(image=torch.zeros(1, 8, 8), keep_rows=8)),
            "2 to 6",
        ),
        (
            lambda m: m.sample(1, prompt=Prompt(image=torch.zeros(3, 8, 8), keep_rows=2)),
            "goes on from",
        ),
        (lambda m: m.ranked(5, "a", candidates=4), "at least 5"),
        (lambda m: m.score(torch.zeros(2, 1, 4, 4), "a"), "judges images of shape"),
        (lambda m: m.sample(0, text="a"), "at least 1"),
        (lambda m: m.interpolate(1, 2), "cannot interpolate"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(model, call, said):
    with pytest.raises(UnsupportedError, match=said) as raised:
        call(model)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "漢字 🐈", "red " * 500, "A\tRED\ncircle"])
def test_any_text_can_be_drawn_of(model, text):
    assert model.sample(1, text=text).shape == (1, 1, 8, 8)


def test_models_that_take_no_text_say_so():
    vae = zoo.create("vae", image_size=8, channels=1)
    with pytest.raises(UnsupportedError, match="vae takes no text"):
        vae.sample(1, text="a red circle")
    with pytest.raises(UnsupportedError, match="takes no such prompt"):
        vae.sample(1, prompt=Prompt(drawing=Drawing(temperature=0.5)))
    with pytest.raises(UnsupportedError, match="cannot score"):
        vae.score(torch.zeros(1, 1, 8, 8), "a")
    alone = zoo.create("dvae", **tiny("dvae").networks["decoder"].config.model_dump())
    with pytest.raises(UnsupportedError, match="takes no text"):
        alone.sample(1, text="a red circle")


def test_a_tokenizer_travels_with_its_model(model, tmp_path):
    folder = model.save(tmp_path / "model")
    assert (folder / "tokenizer.json").is_file()
    again = zoo.load(folder)
    assert torch.equal(again.sample(2, text="a red circle"), model.sample(2, text="a red circle"))


def test_a_model_without_its_tokenizer_says_what_is_missing(model, tmp_path):
    folder = model.save(tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    loaded = zoo.load(folder)
    assert loaded.sample(1).shape == (1, 1, 8, 8)
    with pytest.raises(UnsupportedError, match="no tokenizer"):
        loaded.sample(1, text="a red circle")


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"model": 3}'])
def test_a_damaged_tokenizer_is_refused_by_name(model, tmp_path, content):
    folder = model.save(tmp_path / "model")
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        zoo.load(folder)


def test_a_tokenizer_of_another_model_is_refused(model, tmp_path):
    folder = model.save(tmp_path / "model")
    words = [f"word{number}" for number in range(200)]
    Tokenizer.trained(words, 300).save(folder / "tokenizer.json")
    with pytest.raises(CheckpointError, match="the model knows 40"):
        zoo.load(folder)


# The reranker.


def small_clip():
    torch.manual_seed(0)
    return spread(
        clip.CLIP(
            CLIPConfig(
                image_size=8,
                channels=1,
                groups=2,
                codes=6,
                vocabulary=9,
                text_length=4,
                width=8,
                layers=1,
                heads=2,
                embedding=8,
            )
        )
    )


def test_images_of_the_same_caption_are_not_wrong_for_each_other():
    captions = torch.tensor([[3, 0], [3, 0], [5, 0]])
    sure = torch.tensor([[9.0, 9.0, -9], [9, 9, -9], [-9, -9, 9]])
    torch.testing.assert_close(
        clip.contrastive_loss(sure, captions),
        torch.tensor(2 * math.log(2) / 3),
        rtol=0,
        atol=1e-4,
    )


def test_what_follows_a_caption_s_end_is_not_read():
    network = small_clip()
    with torch.no_grad():
        one = network.of_captions(torch.tensor([[3, 5, 0, 0]]))
        network.positions.weight[2:] += 7
        other = network.of_captions(torch.tensor([[3, 5, 0, 0]]))
    torch.testing.assert_close(one, other)


def test_an_empty_caption_has_a_score():
    scores = small_clip()(random_images(2, (1, 8, 8)), torch.zeros(2, 4, dtype=torch.int64))
    assert scores.isfinite().all()


def test_a_published_clip_without_its_library_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match="pip install ganzoo-plugin-dalle"):
        clip.published("openai/clip-vit-base-patch32")
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ConfigError, match="needs the library open_clip; install it"):
        clip.published("timm/ViT-B-16-SigLIP")


# Stages.


def test_the_codes_stay_as_they_are_while_the_transformer_learns():
    engine = engine_of(tiny(**{"training.steps": 8}))
    for _ in range(4):
        engine.step()
    names = ("encoder", "decoder")
    before = {n: [w.clone() for w in engine.networks[n].parameters()] for n in names}
    prior = [w.clone() for w in engine.networks["prior"].parameters()]
    assert engine.stage.name == "transformer"
    for _ in range(4):
        engine.step()
    for name in names:
        assert all(map(torch.equal, before[name], engine.networks[name].parameters()))
    moved = [
        not torch.equal(*p) for p in zip(prior, engine.networks["prior"].parameters(), strict=True)
    ]
    assert any(moved)


def test_all_captions_can_be_left_out():
    blueprint = tiny(**{"trainer.empty_captions": 1.0})
    engine = engine_of(blueprint)
    engine.steps_done = engine._ends[0]
    engine.step()
    assert engine.mean_losses()["transformer/text"] == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prior.codes": 5}, "must have the codes"),
        ({"encoder.codes": 5}, "same codes and groups"),
        ({"encoder.groups": 3}, "same codes and groups"),
        ({"image_size": 9}, "no multiple of 2"),
        ({"prior.heads": 3}, "no multiple of 3 heads"),
        ({"prior.kernel": 4}, "odd"),
        ({"encoder.width": 6}, "multiple of 4"),
    ],
)
def test_parts_that_do_not_fit_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        blueprint = tiny(**settings)
        blueprint.build_trainer(blueprint.build_networks(device="meta"))


def test_a_published_clip_cannot_be_trained():
    blueprint = draw_up(
        read_installed(), "clip", {"image_size": 8}, components={"reranker": "hub:a/b"}
    )
    with pytest.raises(UnsupportedError, match="only the reranker clip can be trained"):
        blueprint.build_trainer(blueprint.build_networks(device="meta"))


def arguments(out, steps):
    settings = {**tiny().entry.tiny, "training.channels_last": False}
    words = [f"--set={key}={json.dumps(value)}" for key, value in settings.items()]
    return [
        *(sys.executable, "-m", "ganzoo_core", "train", "dalle", "--data", "digits", *words),
        *("--steps", str(steps), "--set=training.checkpoint_every=10"),
        *("--set=training.sample_every=0", "--out", str(out)),
    ]


def weights(run):
    return load_file(run / "model" / "model.safetensors")


@pytest.mark.parametrize("stage", ["dvae", "transformer"])
def test_a_run_that_is_killed_in_either_stage_goes_on_bit_for_bit(stage, tmp_path):
    steps = 160
    subprocess.run(arguments(tmp_path / "straight", steps), check=True, capture_output=True)
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        arguments(killed, steps), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wanted = 20 if stage == "dvae" else steps // 2 + 20
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        if any(int(p.name[5:]) >= wanted for p in (killed / "checkpoints").glob("step-*")):
            break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "model").exists()
    resumed = [sys.executable, "-m", "ganzoo_core", "train", "--resume", str(killed)]
    subprocess.run(resumed, check=True, capture_output=True)
    one, other = weights(tmp_path / "straight"), weights(killed)
    assert all(torch.equal(one[name], other[name]) for name in one)
    files = [run / "model" / "tokenizer.json" for run in (tmp_path / "straight", killed)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_data_without_captions_are_refused(tmp_path):
    import numpy as np

    np.savez(tmp_path / "plain.npz", images=np.zeros((8, 8, 8, 1), np.uint8))
    with pytest.raises(DataError, match="has no captions"):
        zoo.train(
            "dalle",
            f"npz:{tmp_path}/plain.npz",
            out=tmp_path / "run",
            settings={**tiny().entry.tiny, "training.steps": 2},
        )


# Published weights.


@pytest.fixture
def samples():
    beside = Path(__file__).resolve().parents[4] / "shared"
    root = Path(os.environ.get("GANZOO_SHARED", beside)) / "checkpoints"
    if not root.exists():
        pytest.skip("the sample checkpoints are not on this machine (GANZOO_SHARED)")
    return root


def test_dalle_pytorch_s_autoencoder_answers_as_it_does_there(samples, tmp_path):
    folder = samples / "lucidrains_dvae"
    model, said = zoo.convert([folder / "checkpoint.pth"], "dvae", tmp_path / "model")
    assert "64 codes and 2 strided layers" in said[0]
    given, wanted = torch.load(folder / "input.pt"), torch.load(folder / "expected.pt")
    images = given["img"] * 2 - 1
    logits = model.networks["encoder"](images).mean
    torch.testing.assert_close(logits, wanted["logits"], rtol=0, atol=1e-4)
    assert torch.equal(model.encode(images).flatten(1).float(), wanted["idx"])
    decoded = model.decode(given["ids"].view(2, 8, 8))
    torch.testing.assert_close(decoded, wanted["dec"].clamp(-1, 1), rtol=0, atol=1e-4)


def test_dalle_pytorch_s_transformer_answers_as_it_does_there(samples, tmp_path):
    folder = samples / "lucidrains_dalle"
    model, said = zoo.convert([folder / "checkpoint.pth"], "dalle", tmp_path / "model")
    assert "4 layers (full, row, column, convolution)" in said[0]
    given, wanted = torch.load(folder / "input.pt"), torch.load(folder / "expected.pt")
    prior = zoo.load(tmp_path / "model").networks["prior"]
    for name, known in (("logits_full", 63), ("logits_prefix20", 20)):
        found = prior.logits(given["text"], given["image_ids"][:, :known])
        is_text = torch.arange(found.shape[1]) < 8
        text_logits = torch.arange(found.shape[2]) < 58
        found = found.masked_fill(is_text[:, None] != text_logits[None, :], 0)
        torch.testing.assert_close(found, wanted[name], rtol=0, atol=1e-4)
    assert "score" not in model.verbs
    assert model.sample(2).shape == (2, 3, 32, 32)
    with pytest.raises(UnsupportedError, match="no tokenizer"):
        model.sample(1, text="a cat")


class OpenAIConv(nn.Module):
    def __init__(self, inputs, outputs, kernel):
        super().__init__()
        self.w = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel) / 10)
        self.b = nn.Parameter(torch.randn(outputs) / 10)
        self.kernel = kernel

    def forward(self, x):
        return nn.functional.conv2d(x, self.w, self.b, padding=(self.kernel - 1) // 2)


class OpenAIBlock(nn.Module):
    def __init__(self, inputs, outputs, kernels):
        super().__init__()
        hidden = outputs // 4
        self.post_gain = 1 / 8**2
        self.id_path = nn.Identity() if inputs == outputs else OpenAIConv(inputs, outputs, 1)
        path, width = nn.Sequential(), inputs
        for n, (its, kernel) in enumerate(zip((hidden,) * 3 + (outputs,), kernels, strict=True), 1):
            path.add_module(f"relu_{n}", nn.ReLU())
            path.add_module(f"conv_{n}", OpenAIConv(width, its, kernel))
            width = its
        self.res_path = path

    def forward(self, x):
        return self.id_path(x) + self.post_gain * self.res_path(x)


class OpenAINetwork(nn.Module):
    def forward(self, x):
        return self.blocks(x)


def openai_network(kind, width=8, codes=16, stem=4):
    """Build OpenAI's module, which its code saves whole, at a smaller size."""
    network, blocks = OpenAINetwork(), nn.Sequential()
    encodes = kind == "encoder"
    multiples = (1, 2, 4, 8) if encodes else (8, 4, 2, 1)
    kernels = (3, 3, 3, 1) if encodes else (1, 3, 3, 3)
    inputs = width if encodes else stem
    blocks.add_module("input", OpenAIConv(3, width, 7) if encodes else OpenAIConv(codes, stem, 1))
    for number, multiple in enumerate(multiples, 1):
        group = nn.Sequential()
        for block in (1, 2):
            group.add_module(f"block_{block}", OpenAIBlock(inputs, multiple * width, kernels))
            inputs = multiple * width
        if number < 4 and encodes:
            group.add_module("pool", nn.MaxPool2d(2))
        elif number < 4:
            upsample = nn.Upsample(scale_factor=2, mode="nearest")
            del upsample.recompute_scale_factor  # PyTorch 1.7 did not have it yet
            group.add_module("upsample", upsample)
        blocks.add_module(f"group_{number}", group)
    output = nn.Sequential()
    output.add_module("relu", nn.ReLU())
    output.add_module("conv", OpenAIConv(inputs, codes if encodes else 6, 1))
    blocks.add_module("output", output)
    network.blocks = blocks
    return network


@pytest.fixture
def openai_files(tmp_path, monkeypatch):
    """encoder.pkl and decoder.pkl as OpenAI's code saves them, and the modules in them."""
    package = {
        name: types.ModuleType(name) for name in ("dall_e", "dall_e.encoder", "dall_e.utils")
    }
    for name, module in package.items():
        monkeypatch.setitem(sys.modules, name, module)
    homes = {
        OpenAIConv: ("dall_e.utils", "Conv2d"),
        OpenAIBlock: ("dall_e.encoder", "EncoderBlock"),
        OpenAINetwork: ("dall_e.encoder", "Encoder"),
    }
    before = {cls: (cls.__module__, cls.__qualname__) for cls in homes}
    for cls, (module, name) in homes.items():
        cls.__module__, cls.__qualname__ = module, name
        setattr(package[module], name, cls)
    torch.manual_seed(0)
    networks = {kind: openai_network(kind) for kind in ("encoder", "decoder")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the classes' source cannot be found
        for kind, network in networks.items():
            torch.save(network, tmp_path / f"{kind}.pkl", _use_new_zipfile_serialization=False)
    for cls, names in before.items():
        cls.__module__, cls.__qualname__ = names
    for name in package:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path, networks


def test_openai_s_autoencoder_answers_as_it_does_there(openai_files, tmp_path):
    folder, networks = openai_files
    files = [folder / "encoder.pkl", folder / "decoder.pkl"]
    model, said = zoo.convert(files, "dvae", tmp_path / "model", settings={"image_size": 32})
    assert "16 codes, 4 groups of 2 blocks, 8 channels" in said[0]
    images = random_images(2, (3, 32, 32))
    pixels = 0.8 * (images + 1) / 2 + 0.1
    with torch.no_grad():
        logits = networks["encoder"](pixels)
        torch.testing.assert_close(
            model.networks["encoder"](images).mean, logits, rtol=0, atol=1e-4
        )
        shares = nn.functional.one_hot(logits.argmax(1), 16).permute(0, 3, 1, 2).float()
        for upsample in networks["decoder"].modules():
            if isinstance(upsample, nn.Upsample):
                upsample.recompute_scale_factor = None
        drawn = torch.sigmoid(networks["decoder"](shares)[:, :3])
    wanted = ((drawn - 0.1) / 0.8).clamp(0, 1) * 2 - 1
    torch.testing.assert_close(model.reconstruct(images), wanted, rtol=0, atol=1e-4)


def test_one_of_openai_s_files_is_not_enough(openai_files, tmp_path):
    folder, _ = openai_files
    with pytest.raises(CheckpointError, match="decoder of dvae is in none"):
        zoo.convert([folder / "encoder.pkl"], "dvae", tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "content",
    [
        {"weights": {"other.weight": torch.zeros(2, 2)}},
        {"hparams": {}, "weights": {"codebook.weight": torch.zeros(4, 4)}},
        {"state_dict": 3},
        {"layer.weight": torch.zeros(2, 2)},
        {"blocks.input.w": torch.zeros(4, 3, 7, 7)},
        {"weights": {"vae.codebook.weight": torch.zeros(4, 4), "text_emb.weight": torch.zeros(2)}},
    ],
)
def test_other_files_are_refused_by_name(content, tmp_path):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"other\.pt|in the checkpoint"):
        zoo.convert([tmp_path / "other.pt"], "dalle", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_attention_that_is_not_read_is_named(samples, tmp_path):
    content = torch.load(samples / "lucidrains_dalle" / "checkpoint.pth")
    content["hparams"]["attn_types"] = ("full", "mlp")
    torch.save(content, tmp_path / "gated.pt")
    with pytest.raises(CheckpointError, match="'mlp'"):
        zoo.convert([tmp_path / "gated.pt"], "dalle", tmp_path / "model")


def test_schedules_end_where_they_should():
    from ganzoo_plugin_dalle.trainer import warmed_up

    found = [warmed_up(Progress(step, 110, 0.0), 10) for step in (0, 4, 10, 60, 110)]
    assert found == pytest.approx([0.1, 0.5, 1.0, 0.5, 0.0])


def test_half_precision_learns_in_both_stages():
    engine = engine_of(tiny(**{"training.precision": "bf16", "training.steps": 4}))
    for _ in range(4):
        engine.step()
        engine.check_finite()


@pytest.fixture
def published_clip(tmp_path):
    """A tiny CLIP with random weights, as the Hub has them."""
    transformers = pytest.importorskip("transformers")
    text = {
        "vocab_size": 300,
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 16,
        "bos_token_id": 52,
        "eos_token_id": 53,
    }
    vision = {
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 16,
        "patch_size": 8,
    }
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    folder = tmp_path / "clip"
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPImageProcessor(
        size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}
    ).save_pretrained(folder)
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = {c: n for n, c in enumerate([*letters, *(f"{c}</w>" for c in letters)])}
    vocabulary |= {"<|startoftext|>": 52, "<|endoftext|>": 53}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    files = str(folder / "vocab.json"), str(folder / "merges.txt")
    transformers.CLIPTokenizer(*files, model_max_length=16).save_pretrained(folder)
    return folder


def test_a_published_clip_judges_images_by_their_words(published_clip, model):
    from ganzoo_core.cli.captions import reranker_of

    judge = reranker_of(model, f"hub:{published_clip}")
    images = random_images(3, (1, 8, 8))
    scores = model.score(images, ["a red circle", "two", "two"], reranker=judge)
    assert scores.shape == (3,)
    assert scores.abs().max() <= 1
    assert not torch.equal(scores, model.score(images, "a blue square", reranker=judge))
    best = model.ranked(1, "a red circle", candidates=3, reranker=judge)
    assert best.images.shape == (1, 1, 8, 8)


def test_what_is_no_published_clip_is_refused(tmp_path):
    from ganzoo_core.errors import HubError

    pytest.importorskip("transformers")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(HubError, match="cannot be had as a CLIP"):
        clip.published(str(tmp_path))
