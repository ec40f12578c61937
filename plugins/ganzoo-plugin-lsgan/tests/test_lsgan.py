import pytest
import torch
from ganzoo_plugin_lsgan.config import LeastSquaresConfig
from ganzoo_plugin_lsgan.losses import LeastSquaresLoss

from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import DiscriminatorOutput
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_core.plugins import read_installed
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.subjects import engine_of

EQUATION_8 = {"a": -1.0, "b": 1.0, "c": 0.0}
EQUATION_9 = {"a": 0.0, "b": 1.0, "c": 1.0}


@parametrize_with_checks("ganzoo-plugin-lsgan")
def test_conformance(check):
    check()


def judged(*scores: float) -> DiscriminatorOutput:
    return DiscriminatorOutput(torch.tensor(scores))


@pytest.mark.parametrize(
    ("codes", "discriminator", "generator"),
    [
        # ½·mean(0.25, 1) + ½·mean(0, 2.25) and ½·mean(1, 0.25)
        (EQUATION_8, 0.875, 0.3125),
        # ½·mean(0.25, 1) + ½·mean(1, 0.25) and ½·mean(4, 0.25)
        (EQUATION_9, 0.625, 1.0625),
    ],
)
def test_both_sides_are_equation_2(codes, discriminator, generator):
    loss = LeastSquaresLoss(LeastSquaresConfig(**codes))
    real, fake = judged(0.5, 2.0), judged(-1.0, 0.5)
    assert loss.discriminator(real, fake).item() == pytest.approx(discriminator)
    assert loss.generator(fake).item() == pytest.approx(generator)


def test_the_default_codes_are_those_that_the_paper_trains_with():
    assert LeastSquaresConfig().model_dump() == EQUATION_9


@pytest.mark.parametrize("codes", [EQUATION_8, EQUATION_9])
@pytest.mark.parametrize(("real_share", "fake_share"), [(3, 1), (1, 1), (1, 4)])
def test_the_best_discriminator_weighs_the_codes_by_frequency(codes, real_share, fake_share):
    loss = LeastSquaresLoss(LeastSquaresConfig(**codes))
    best = (codes["b"] * real_share + codes["a"] * fake_share) / (real_share + fake_share)
    score = torch.tensor([best], requires_grad=True)
    said = DiscriminatorOutput(score)
    (real_share * loss.as_real(said) + fake_share * loss.as_fake(said)).sum().backward()
    assert score.grad.item() == pytest.approx(0, abs=1e-6)


def test_a_fake_on_the_right_side_but_far_off_is_pulled_back():
    scores = torch.tensor([6.0, 1.0, -4.0], requires_grad=True)
    LeastSquaresLoss(LeastSquaresConfig()).generator(DiscriminatorOutput(scores)).backward()
    assert scores.grad.tolist() == pytest.approx([5 / 3, 0, -5 / 3])  # ⅓(D(x) − c)


def test_each_image_can_have_a_target_of_its_own():
    loss = LeastSquaresLoss(LeastSquaresConfig())
    softened = loss.towards(torch.tensor([0.9, 0.0]), judged(0.5, 2.0))
    # (0.9·½·0.25 + 0.1·½·0.25 + ½·4) / 2
    assert softened.item() == pytest.approx(1.0625)


def test_judgements_of_patches_count_alike():
    loss = LeastSquaresLoss(LeastSquaresConfig())
    patches = DiscriminatorOutput(torch.tensor([[[0.0, 1.0], [2.0, 3.0]]]))
    assert loss.as_real(patches).shape == (1, 2, 2)
    assert loss.generator(patches).item() == pytest.approx(0.5 * (1 + 0 + 1 + 4) / 4)


def test_a_discriminator_without_logits_is_refused():
    with pytest.raises(UnsupportedError, match="needs a discriminator with logits"):
        LeastSquaresLoss(LeastSquaresConfig()).generator(DiscriminatorOutput(None))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loss.a": 1.0}, "a and b must differ"),
        ({"loss.b": 1e9}, r"loss\.b cannot be"),
        ({"loss.c": "real"}, r"loss\.c cannot be 'real'"),
    ],
)
def test_codes_that_cannot_be_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        draw_up(read_installed(), "lsgan", settings)


def test_preset_names_the_rate_for_characters_and_the_variant_that_for_scenes():
    scenes = draw_up(read_installed(), "lsgan", {})
    characters = draw_up(read_installed(), "lsgan", {}, preset="mnist")
    assert scenes.trainer.config.generator_optimizer.lr == 0.001
    assert characters.trainer.config.generator_optimizer.lr == 0.0002
    assert characters.trainer.config.discriminator_optimizer.betas == (0.5, 0.999)


MLP = {"generator": "mlp", "discriminator": "maxout"}
SMALL = {"image_size": 16, "channels": 1, "latent_size": 8, "training.batch_size": 8}


@pytest.mark.parametrize(
    ("variant", "components"),
    [
        ("gan", {"loss": "lsgan"}),
        ("dcgan", {"loss": "lsgan"}),
        ("lsgan", MLP),
        ("lsgan", {"generator": "mlp"}),
        ("lsgan", {"discriminator": "maxout"}),
    ],
)
def test_any_networks_play_it(variant, components):
    settings = SMALL | {"generator.width": 8, "discriminator.width": 8}
    engine = engine_of(draw_up(read_installed(), variant, settings, components=components))
    for _ in range(2):
        engine.step()
    engine.check_finite()


@pytest.mark.parametrize("networks", [{}, MLP])
def test_it_goes_with_the_gradient_penalty(networks):
    pytest.importorskip("ganzoo_plugin_wgan_gp")
    components = {"regularizer": "gradient-penalty", **networks}
    engine = engine_of(
        draw_up(read_installed(), "lsgan", SMALL | {"width": 8}, components=components)
    )
    engine.step()
    engine.check_finite()
    parts = engine.losses
    assert parts["discriminator/gradient_penalty"] > 0
    total = parts["discriminator/game"] + parts["discriminator/gradient_penalty"]
    torch.testing.assert_close(parts["discriminator"], total)
