"""Passes are counted as they are: hand-written games whose cost is known."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganzoo_core.components import Adam, Batch, Losses, Parts, Phase, Step, Trainer
from ganzoo_core.testing import count_passes
from ganzoo_core.training.engine import Engine
from ganzoo_core.training.settings import TrainingSettings

SIZE, LATENT, BATCH = 9, 6, 4


class MLPGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(LATENT, 16), nn.Tanh(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, SIZE**2)
        )

    def forward(self, latents: Tensor) -> Tensor:
        images: Tensor = self.layers(latents).tanh().view(-1, 1, SIZE, SIZE)
        return images


class ConvGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(LATENT, 8, 3, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 3, stride=2, padding=1),
        )

    def forward(self, latents: Tensor) -> Tensor:
        images: Tensor = self.layers(latents[:, :, None, None]).tanh()
        return images


class MLPDiscriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(SIZE**2, 16), nn.LeakyReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images.flatten(1)).squeeze(1)
        return logits


class ConvDiscriminator(nn.Module):
    """Odd sizes and strides, whose double backward pass PyTorch computes with a margin."""

    def __init__(self, groups: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(8, 8, 4, stride=2, padding=1, groups=groups),
            nn.LeakyReLU(0.2),
            nn.Conv2d(8, 1, 4),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images).flatten()
        return logits


class AttentiveDiscriminator(nn.Module):
    """Its products of activations are not passes of a layer, however often they go backward."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))
        self.embed = nn.Linear(SIZE, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.query = nn.Linear(8, 8)
        self.to_logit = nn.Linear(8, 1)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embed(images.flatten(1, 2))
        tokens = tokens + self.attention(tokens, tokens, tokens, need_weights=True)[0]
        similar = torch.bmm(self.query(tokens), tokens.transpose(1, 2)).softmax(2)
        logits: Tensor = self.to_logit(tokens + self.gain * torch.bmm(similar, tokens))
        return logits.mean((1, 2))


class NormalisedDiscriminator(nn.Module):
    """Weights that are computed from weights, and a layer used without being called."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.utils.parametrizations.spectral_norm(nn.Linear(SIZE**2, 16))
        self.second = nn.Linear(16, 16)
        self.last = nn.utils.parametrizations.weight_norm(nn.Linear(16, 1))

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.first(images.flatten(1)).relu()
        hidden = (hidden @ (self.second.weight * 0.5).T).relu()
        logits: Tensor = self.last(hidden).squeeze(1)
        return logits


class HookedDiscriminator(nn.Module):
    """Weights that hooks compute before each call, of layers that stand alone."""

    def __init__(self) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch advises against these; papers' code has them.
            self.layers = nn.Sequential(
                nn.utils.spectral_norm(nn.Linear(SIZE**2, 16)),
                nn.LeakyReLU(),
                nn.utils.spectral_norm(nn.Linear(16, 16)),
                nn.LeakyReLU(),
                nn.utils.weight_norm(nn.Linear(16, 1)),
            )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images.flatten(1)).squeeze(1)
        return logits


class OwnLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return inputs.contiguous() @ weight.T

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        inputs, weight = ctx.saved_tensors
        wanted, weights_wanted = ctx.needs_input_grad
        return (
            gradient @ weight if wanted else None,
            gradient.T @ inputs if weights_wanted else None,
        )


class HandWrittenDiscriminator(nn.Module):
    """Layers with a backward pass of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList(
            [torch.randn(16, SIZE**2), torch.randn(16, 16), torch.randn(1, 16)]
        )

    def forward(self, images: Tensor) -> Tensor:
        hidden = images.flatten(1)
        for weight in self.weights:
            hidden = OwnLinear.apply(hidden, weight).tanh()
        return hidden.squeeze(1)


class Game(Trainer):
    """The alternating game; subclasses change what it costs."""

    critic_steps = 1

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        networks = {"generator": generator, "discriminator": discriminator}
        super().__init__(None, Parts(networks))  # type: ignore[arg-type]
        self.generator, self.discriminator = generator, discriminator

    def phases(self) -> Sequence[Phase]:
        return (
            Phase("discriminator", ("discriminator",), Adam(), repeat=self.critic_steps),
            Phase("generator", ("generator",), Adam()),
        )

    def fakes(self, count: int, step: Step) -> Tensor:
        images: Tensor = self.generator(step.noise.normal(count, LATENT))
        return images

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        if phase.name == "generator":
            return Losses(self.generators_loss(batch, step))
        return Losses(self.discriminators_loss(batch, step))

    def generators_loss(self, batch: Batch, step: Step) -> Tensor:
        return softplus(-self.discriminator(self.fakes(len(batch), step))).mean()

    def discriminators_loss(self, batch: Batch, step: Step) -> Tensor:
        with torch.no_grad():
            fakes = self.fakes(len(batch), step)
        real, fake = self.discriminator(batch.images), self.discriminator(fakes)
        return softplus(-real).mean() + softplus(fake).mean()


class SharedFakes(Game):
    def phases(self) -> Sequence[Phase]:
        return tuple(reversed(super().phases()))

    def generators_loss(self, batch: Batch, step: Step) -> Tensor:
        fakes = self.fakes(len(batch), step)
        step.reuse["fakes"] = fakes.detach()
        return softplus(-self.discriminator(fakes)).mean()

    def discriminators_loss(self, batch: Batch, step: Step) -> Tensor:
        fake = self.discriminator(step.reuse["fakes"])
        return softplus(-self.discriminator(batch.images)).mean() + softplus(fake).mean()


class NotFrozen(Game):
    """Detaches nothing, and lets the generator go that the engine froze."""

    def discriminators_loss(self, batch: Batch, step: Step) -> Tensor:
        self.generator.requires_grad_(True)
        fake = self.discriminator(self.fakes(len(batch), step))
        return softplus(-self.discriminator(batch.images)).mean() + softplus(fake).mean()


class Joined(Game):
    """Real and fake images in one batch of twice the size."""

    def discriminators_loss(self, batch: Batch, step: Step) -> Tensor:
        with torch.no_grad():
            fakes = self.fakes(len(batch), step)
        real, fake = self.discriminator(torch.cat([batch.images, fakes])).chunk(2)
        return softplus(-real).mean() + softplus(fake).mean()


class HalfTheFakes(Game):
    def discriminators_loss(self, batch: Batch, step: Step) -> Tensor:
        with torch.no_grad():
            fakes = self.fakes(len(batch) // 2, step)
        real, fake = self.discriminator(batch.images), self.discriminator(fakes)
        return softplus(-real).mean() + softplus(fake).mean()


class OncePerParts(Game):
    """Calls the parts of a network one by one, and never the network."""

    def generators_loss(self, batch: Batch, step: Step) -> Tensor:
        return softplus(-self.judged(self.fakes(len(batch), step))).mean()

    def discriminators_loss(self, batch: Batch, step: Step) -> Tensor:
        with torch.no_grad():
            fakes = self.fakes(len(batch), step)
        return softplus(-self.judged(batch.images)).mean() + softplus(self.judged(fakes)).mean()

    def judged(self, images: Tensor) -> Tensor:
        hidden = images.flatten(1)
        layers: nn.Sequential = self.discriminator.layers  # type: ignore[assignment]
        for layer in layers:
            hidden = layer(hidden)
        return hidden


class GradientPenalty(Game):
    """WGAN-GP: five critic steps, each with a gradient penalty."""

    critic_steps = 5

    def discriminators_loss(self, batch: Batch, step: Step) -> Tensor:
        with torch.no_grad():
            fakes = self.fakes(len(batch), step)
        shares = step.noise.uniform(len(batch), 1, 1, 1)
        between = torch.lerp(batch.images, fakes, shares).requires_grad_()
        scores = self.discriminator(between).sum()
        (slope,) = torch.autograd.grad(scores, between, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        real, fake = self.discriminator(batch.images), self.discriminator(fakes)
        total: Tensor = fake.mean() - real.mean() + 10 * penalty
        return total


class LazyPenalty(Game):
    """R1 on every fourth step: forward 1, backward 1, double backward 4."""

    def phases(self) -> Sequence[Phase]:
        return (*super().phases(), Phase("r1", ("discriminator",), Adam(), every=4))

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        if phase.name != "r1":
            return super().loss(phase, batch, step)
        images = batch.images.detach().requires_grad_()
        scores = self.discriminator(images).sum()
        (slope,) = torch.autograd.grad(scores, images, create_graph=True)
        return Losses(slope.square().mean())


class RandomBatches:
    count = 100

    def draw(self, position: int, size: int = BATCH, shape: object = None) -> Batch:
        generator = torch.Generator().manual_seed(position)
        return Batch(torch.rand(size, 1, SIZE, SIZE, generator=generator) * 2 - 1)


def passes(trainer: Trainer, **settings: Any) -> dict[str, float]:
    training = TrainingSettings(batch_size=BATCH, steps=1000, **settings)
    return count_passes(Engine(trainer, RandomBatches(), training))


@pytest.mark.parametrize("generator", [MLPGenerator, ConvGenerator])
@pytest.mark.parametrize(
    "discriminator",
    [
        MLPDiscriminator,
        ConvDiscriminator,
        AttentiveDiscriminator,
        NormalisedDiscriminator,
        HookedDiscriminator,
        HandWrittenDiscriminator,
    ],
)
def test_an_alternating_game_with_fresh_fakes_costs_4_and_8(
    generator: Callable[[], nn.Module], discriminator: Callable[[], nn.Module]
) -> None:
    counted = passes(Game(generator(), discriminator()))
    assert counted == pytest.approx({"generator": 4, "discriminator": 8})


@pytest.mark.parametrize(
    ("game", "cost"),
    [
        (SharedFakes, {"generator": 3, "discriminator": 8}),
        (NotFrozen, {"generator": 6, "discriminator": 8}),
        (Joined, {"generator": 4, "discriminator": 8}),
        (HalfTheFakes, {"generator": 3.5, "discriminator": 6.5}),
        (GradientPenalty, {"generator": 8, "discriminator": 62}),
        (LazyPenalty, {"generator": 4, "discriminator": 8 + 6 / 4}),
    ],
)
@pytest.mark.parametrize(
    "networks",
    [
        (MLPGenerator, MLPDiscriminator),
        (ConvGenerator, ConvDiscriminator),
        (ConvGenerator, lambda: ConvDiscriminator(groups=4)),
        (ConvGenerator, lambda: ConvDiscriminator(groups=8)),
    ],
    ids=["mlp", "convolutions", "grouped", "depthwise"],
)
def test_a_game_costs_what_it_does(
    game: type[Game],
    cost: Mapping[str, float],
    networks: tuple[Callable[[], nn.Module], Callable[[], nn.Module]],
) -> None:
    counted = passes(game(*(network() for network in networks)))
    assert counted == pytest.approx(cost, rel=1e-6)


@pytest.mark.parametrize("discriminator", [MLPDiscriminator, HookedDiscriminator])
def test_parts_that_are_called_one_by_one_count_alike(
    discriminator: Callable[[], nn.Module],
) -> None:
    counted = passes(OncePerParts(MLPGenerator(), discriminator()))
    assert counted == pytest.approx({"generator": 4, "discriminator": 8})


def test_accumulated_batches_count_as_one() -> None:
    counted = passes(Game(MLPGenerator(), MLPDiscriminator()), accumulate=3)
    assert counted == pytest.approx({"generator": 4, "discriminator": 8})


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_precision_changes_no_count(precision: str) -> None:
    counted = passes(Game(MLPGenerator(), MLPDiscriminator()), precision=precision)
    assert counted == pytest.approx({"generator": 4, "discriminator": 8})


def test_a_network_that_rests_costs_nothing() -> None:
    class Alone(Game):
        def phases(self) -> Sequence[Phase]:
            return (Phase("discriminator", ("discriminator",), Adam()),)

        def discriminators_loss(self, batch: Batch, step: Step) -> Tensor:
            return softplus(-self.discriminator(batch.images)).mean()

    counted = passes(Alone(MLPGenerator(), MLPDiscriminator()))
    assert counted == pytest.approx({"generator": 0, "discriminator": 3})


def test_counting_leaves_the_run_as_it_would_have_been() -> None:
    def state(counted: bool) -> dict[str, Tensor]:
        torch.manual_seed(0)
        trainer = GradientPenalty(MLPGenerator(), MLPDiscriminator())
        settings = TrainingSettings(batch_size=BATCH, steps=1000)
        engine = Engine(trainer, RandomBatches(), settings)
        if counted:
            count_passes(engine, 2)
        else:
            engine.step()
            engine.step()
        return engine.state()[0]

    with torch.random.fork_rng(devices=[]):
        watched, alone = state(True), state(False)
    assert watched.keys() == alone.keys()
    assert all(torch.equal(watched[name], alone[name]) for name in alone)
