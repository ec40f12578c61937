import pytest
import torch
from ganzoo_plugin_wgan_gp.config import GradientPenaltyConfig
from ganzoo_plugin_wgan_gp.penalty import GradientPenalty, gradient_norms

from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import Adam, DiscriminatorOutput, JointNoise, Judged
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_core.plugins import read_installed
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.subjects import engine_of

SHAPE = (1, 2, 2)
SMALL = {
    "image_size": 16,
    "channels": 1,
    "latent_size": 8,
    "width": 8,
    "training.batch_size": 8,
}


@parametrize_with_checks("ganzoo-plugin-wgan-gp")
def test_conformance(check):
    check()


def noise(seed: int = 0, **shared: int) -> JointNoise:
    return JointNoise(torch.Generator().manual_seed(seed), **shared)


def images(count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, *SHAPE, generator=generator) * 2 - 1


def linear(weights: torch.Tensor):
    return lambda x: DiscriminatorOutput(x.flatten(1) @ weights)


def quadratic(x: torch.Tensor) -> DiscriminatorOutput:
    """D(x) = ½‖x‖², whose gradient at x is x."""
    return DiscriminatorOutput(0.5 * x.flatten(1).square().sum(1))


def penalty_of(judge, real, fake, seed: int = 0, **settings) -> torch.Tensor:
    penalty = GradientPenalty(GradientPenaltyConfig(**settings))
    return penalty.penalty(Judged(judge, real, fake), noise(seed))


def test_of_a_linear_critic_it_has_a_closed_form():
    weights = torch.tensor([2.0, -1.0, 0.5, 3.0], requires_grad=True)
    penalty = penalty_of(linear(weights), images(5, 0), images(5, 1))
    norm = weights.detach().norm()
    assert penalty.item() == pytest.approx(10 * (norm.item() - 1) ** 2, rel=1e-5)
    penalty.backward()
    torch.testing.assert_close(weights.grad, 20 * (norm - 1) * weights.detach() / norm)


@pytest.mark.parametrize("length", [0.5, 1.5])
def test_it_pushes_the_norm_to_1_from_both_sides(length):
    weights = torch.tensor([length, 0.0, 0.0, 0.0])
    assert penalty_of(linear(weights), images(3, 0), images(3, 1)).item() == pytest.approx(2.5)


def test_the_norm_is_taken_of_each_image_over_all_its_dimensions():
    # Gradients (0.6, 0.8, 0, 0)·s with s of 3, 1 and 0: their norms are 3, 1 and 0.
    direction = torch.tensor([0.6, 0.8, 0.0, 0.0]).view(SHAPE)
    same = torch.stack([3 * direction, direction, 0 * direction])
    assert penalty_of(quadratic, same, same).item() == pytest.approx(10 * (4 + 0 + 1) / 3)
    of_the_batch = 10 * (10**0.5 - 1) ** 2
    assert penalty_of(quadratic, same, same).item() != pytest.approx(of_the_batch, rel=0.1)


def test_each_pair_is_judged_at_one_point_of_its_own_line():
    seen = []

    def watched(x: torch.Tensor) -> DiscriminatorOutput:
        seen.append(x.detach().clone())
        return quadratic(x)

    real, fake = images(64, 0), images(64, 1)
    penalty_of(watched, real, fake)
    (between,) = seen
    epsilon = ((between - fake) / (real - fake)).flatten(1)
    torch.testing.assert_close(epsilon, epsilon[:, :1].expand_as(epsilon), atol=1e-3, rtol=1e-3)
    shares = epsilon.mean(1)
    assert shares.min() >= -1e-3
    assert shares.max() <= 1 + 1e-3
    assert len(shares.round(decimals=3).unique()) > 50
    assert shares.mean().item() == pytest.approx(0.5, abs=0.15)


def test_the_same_seed_gives_the_same_points_and_another_gives_others():
    real, fake = images(4, 0), images(4, 1)
    assert penalty_of(quadratic, real, fake, 1) == penalty_of(quadratic, real, fake, 1)
    assert penalty_of(quadratic, real, fake, 1) != penalty_of(quadratic, real, fake, 2)


def test_where_the_gradient_is_zero_that_of_the_penalty_is_finite():
    weights = torch.zeros(4, requires_grad=True)
    penalty = penalty_of(linear(weights), images(3, 0), images(3, 1))
    penalty.backward()
    assert penalty.item() == pytest.approx(10)
    assert weights.grad.isfinite().all()


def test_a_critic_of_patches_is_judged_by_their_mean():
    def patches(x: torch.Tensor) -> DiscriminatorOutput:
        return DiscriminatorOutput(torch.stack([3 * x.sum((1, 2, 3)), -x.sum((1, 2, 3))], 1))

    norms = gradient_norms(patches, images(3, 0))
    assert norms.tolist() == pytest.approx([2.0] * 3)  # the mean is the sum of four pixels


def test_it_is_computed_in_32_bits_whatever_the_precision():
    layer = torch.nn.Linear(4, 1)
    seen = []

    def judge(x: torch.Tensor) -> DiscriminatorOutput:
        scores = layer(x.flatten(1)).squeeze(1)
        seen.append(scores.dtype)
        return DiscriminatorOutput(scores)

    exact = penalty_of(judge, images(3, 0), images(3, 1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = penalty_of(judge, images(3, 0), images(3, 1).bfloat16())
    assert seen == [torch.float32, torch.float32]
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, exact)


def test_nothing_flows_into_the_images():
    real, fake = images(3, 0).requires_grad_(), images(3, 1).requires_grad_()
    weights = torch.ones(4, requires_grad=True)
    penalty_of(linear(weights), real, fake).backward()
    assert real.grad is None
    assert fake.grad is None


def test_the_shares_of_two_processes_average_to_the_whole_batch():
    real, fake = images(8, 0), images(8, 1)
    penalty = GradientPenalty(GradientPenaltyConfig())
    whole = penalty.penalty(Judged(quadratic, real, fake), noise())
    shares = [
        penalty.penalty(Judged(quadratic, real[rows], fake[rows]), noise(rank=rank, processes=2))
        for rank, rows in enumerate((slice(0, 4), slice(4, 8)))
    ]
    torch.testing.assert_close(torch.stack(shares).mean(), whole)


def test_a_critic_without_scores_is_refused():
    with pytest.raises(UnsupportedError, match="choose --regularizer none or another"):
        gradient_norms(lambda x: DiscriminatorOutput(None, reconstruction=x), images(2, 0))


@pytest.mark.parametrize("weight", [0, -10, "ten"])
def test_a_weight_that_cannot_be_is_refused(weight):
    with pytest.raises(ConfigError, match=r"gradient-penalty\.weight cannot be"):
        draw_up(read_installed(), "wgan-gp", {"gradient-penalty.weight": weight})


def test_defaults_are_those_of_algorithm_1():
    blueprint = draw_up(read_installed(), "wgan-gp", {})
    config = blueprint.trainer.config
    assert config.discriminator_optimizer == Adam(lr=1e-4, betas=(0.0, 0.9))
    assert config.generator_optimizer == config.discriminator_optimizer
    assert config.discriminator_steps == 5
    assert blueprint.training.batch_size == 64
    assert blueprint.regularizers["gradient-penalty"].config.weight == 10
    assert blueprint.loss.full_name == "ganzoo-plugin-wgan/wgan"


def test_a_step_costs_8_passes_of_the_generator_and_62_of_the_critic():
    trainer = engine_of(draw_up(read_installed(), "wgan-gp", SMALL)).trainer
    assert trainer.passes() == {"generator": 8, "discriminator": 62}


def test_the_critic_judges_each_image_by_itself():
    critic = draw_up(read_installed(), "wgan-gp", SMALL).build_networks()["discriminator"].train()
    judged = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    alone = torch.cat([critic(judged[number : number + 1]).logits for number in range(3)])
    torch.testing.assert_close(critic(judged).logits, alone)


@pytest.mark.parametrize(
    ("variant", "components"),
    [
        ("gan", {"regularizer": "gradient-penalty"}),
        ("gan", {"loss": "wgan", "regularizer": "gradient-penalty"}),
        ("dcgan", {"loss": "minimax", "regularizer": "gradient-penalty"}),
        ("wgan-gp", {"generator": "mlp", "discriminator": "maxout"}),
    ],
)
def test_it_goes_with_any_loss_and_any_networks(variant, components):
    engine = engine_of(draw_up(read_installed(), variant, SMALL, components=components))
    engine.step()
    engine.check_finite()
    assert engine.losses["discriminator/gradient_penalty"] >= 0


def test_it_goes_with_clipping():
    components = {"regularizer": "gradient-penalty,weight-clipping"}
    engine = engine_of(draw_up(read_installed(), "wgan", SMALL, components=components))
    engine.step()
    engine.check_finite()
    assert engine.losses["discriminator/gradient_penalty"] > 0
    critic = engine.networks["discriminator"]
    assert max(weight.abs().max() for weight in critic.parameters()) <= torch.tensor(0.01)
    assert engine.trainer.passes()["discriminator"] == 62
