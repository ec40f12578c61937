"""What networks and losses answer: shapes, types and ranges."""

import copy

import torch
from torch import Tensor, nn

from ganzoo_core.components import (
    AdversarialLoss,
    Code,
    CodeDiscriminator,
    Composer,
    Config,
    Discriminator,
    DiscriminatorOutput,
    Drawing,
    Encoder,
    Generator,
    Judged,
    Loss,
    MappedGenerator,
    Predictor,
    Prior,
    Regularizer,
    Reranker,
)
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.testing.report import NotApplicableError, NotKeptError
from ganzoo_core.testing.subjects import (
    ComponentSubject,
    answer_of,
    in_mode,
    inputs_for,
    named_tensors,
    noise_of,
)

SMALL_IMAGE = (1, 4, 4)
ROUNDING = 1e-4
COUNT = 3
"""Images in a batch here: no network may count on a power of two."""


def shapes_and_range(component: ComponentSubject) -> None:
    """What a component answers has the shapes, the type and the range of its contract."""
    built = component.build()
    if isinstance(built, Loss):
        _check_loss(built, component.name)
        return
    if isinstance(built, Regularizer):
        _check_regularizer(built, component.title)
        return
    _check_attributes(built, component)
    for training in (True, False):
        with in_mode(built, training=training), torch.no_grad():
            if isinstance(built, Generator):
                _check_generator(built, component.title)
            elif isinstance(built, Discriminator | CodeDiscriminator):
                _check_discriminator(built, component.title)
            elif isinstance(built, Encoder):
                _check_encoder(built, component.title)
            elif isinstance(built, Composer):
                _check_images(built, component.title)
            elif isinstance(built, Predictor):
                _check_predictor(built, component.title)
            elif isinstance(built, Prior | Reranker):
                _check_numbers_per_image(built, component.title)
                if isinstance(built, Prior):
                    _check_draws(built, component.title)


def adversarial(loss: Loss) -> AdversarialLoss:
    """Return a loss that is one side against another, which are the ones with a contract."""
    if not isinstance(loss, AdversarialLoss):
        raise NotApplicableError("only adversarial losses have a contract of their own to check")
    return loss


def judgement(shape: tuple[int, ...], seed: int) -> DiscriminatorOutput:
    """Return what a discriminator with random logits of this shape might say."""
    generator = torch.Generator().manual_seed(seed)
    return DiscriminatorOutput(
        torch.randn(shape, generator=generator),
        features=torch.randn(COUNT, 5, generator=generator),
        reconstruction=torch.rand(COUNT, *SMALL_IMAGE, generator=generator) * 2 - 1,
        images=torch.rand(COUNT, *SMALL_IMAGE, generator=generator) * 2 - 1,
    )


def turn(seed: int) -> tuple[Discriminator, Judged]:
    """Return a small critic and its turn at random images."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        critic = _SmallCritic()
    generator = torch.Generator().manual_seed(seed)
    real, fake = (torch.rand(COUNT, *SMALL_IMAGE, generator=generator) * 2 - 1 for _ in range(2))
    return critic, Judged(critic, real, fake)


def sides_of(loss: Loss, real: DiscriminatorOutput, fake: DiscriminatorOutput) -> dict[str, Tensor]:
    """Return both sides of an adversarial loss on given judgements."""
    game = adversarial(loss)
    try:
        return {"discriminator": game.discriminator(real, fake), "generator": game.generator(fake)}
    except UnsupportedError as reason:
        raise NotApplicableError(str(reason)) from None


def _check_loss(loss: Loss, name: str) -> None:
    for shape in ((COUNT,), (COUNT, 1, 2, 2)):
        real, fake = judgement(shape, 0), judgement(shape, 1)
        assert real.logits is not None
        assert fake.logits is not None
        assert fake.reconstruction is not None
        fake.logits.requires_grad_()
        fake.reconstruction.requires_grad_()
        for side, total in sides_of(loss, real, fake).items():
            if not isinstance(total, Tensor) or total.dim():
                raise NotKeptError(
                    f"both sides of an adversarial loss must be scalars, and the {side}'s of "
                    f"{name} for logits {list(shape)} is {_shown(total)}"
                )
            _must_be_numbers(f"the {side}'s loss", total, name)
            said = (fake.logits, fake.reconstruction)
            gradients = torch.autograd.grad(total, said, allow_unused=True)
            if not any(gradient is not None and gradient.any() for gradient in gradients):
                raise NotKeptError(
                    f"both sides of an adversarial loss must depend on what is said of the fakes, "
                    f"and the {side}'s of {name} does not"
                )


def _check_regularizer(regularizer: Regularizer, title: str) -> None:
    critic, judged = turn(0)
    penalty = regularizer.penalty(judged, noise_of(0))
    before = copy.deepcopy(critic.state_dict())
    with torch.no_grad():
        regularizer.constrain(critic)
    constrains = any(not torch.equal(before[n], now) for n, now in critic.state_dict().items())
    if penalty is None:
        if not constrains and not _grown(critic, regularizer):
            raise NotKeptError(
                f"a regulariser must penalise or constrain, and {title} does neither to a small "
                "critic"
            )
        return
    if not isinstance(penalty, Tensor) or penalty.dim():
        raise NotKeptError(f"a penalty must be a scalar, and that of {title} is {_shown(penalty)}")
    _must_be_numbers("the penalty", penalty, title)
    weights = list(critic.parameters())
    gradients = torch.autograd.grad(penalty, weights, allow_unused=True)
    if not any(gradient is not None and gradient.any() for gradient in gradients):
        raise NotKeptError(f"a penalty must depend on the critic's weights, and {title} does not")


def _grown(critic: nn.Module, regularizer: Regularizer) -> bool:
    """Say whether a constraint changes weights that are larger than fresh ones."""
    with torch.no_grad():
        for weight in critic.parameters():
            weight.mul_(100)
        before = copy.deepcopy(critic.state_dict())
        regularizer.constrain(critic)
    return any(not torch.equal(before[n], now) for n, now in critic.state_dict().items())


class _SmallCritic(Discriminator):
    """Two layers with a curve between them, so that a gradient's norm depends on the image."""

    def __init__(self) -> None:
        super().__init__()
        self.image_shape = SMALL_IMAGE
        self.hidden = nn.Linear(16, 8)
        self.to_logit = nn.Linear(8, 1)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        features = torch.tanh(self.hidden(images.flatten(1)))
        return DiscriminatorOutput(self.to_logit(features).squeeze(1), features)


def _check_attributes(network: nn.Module, component: ComponentSubject) -> None:
    names = []
    if not isinstance(network, CodeDiscriminator | Predictor):
        names.append("image_shape")
    if isinstance(network, Composer):
        names += ["content_shape", "pose_shape"]
    elif not isinstance(network, Discriminator | Reranker):
        names.append("latent_shape")
    for name in names:
        shape = getattr(network, name, None)
        numbers = isinstance(shape, tuple) and all(type(n) is int and n > 0 for n in shape)
        if not numbers or (name == "image_shape" and len(shape) != 3):  # type: ignore[arg-type]
            wanted = "(channels, height, width)" if name == "image_shape" else "a tuple"
            raise NotKeptError(
                f"{name} must be {wanted} of whole numbers above 0, and that of "
                f"{component.title} is {shape!r}"
            )
    if "image_shape" in names:
        _check_image_shape(network, component.config(), component.title)
    _check_classes(network, component.config(), component.title)


def _check_image_shape(network: nn.Module, config: Config, title: str) -> None:
    channels, height, width = network.image_shape  # type: ignore[misc]
    for name, found in (("channels", {channels}), ("image_size", {height, width})):
        asked = getattr(config, name, None)
        if asked is not None and name == "channels" and getattr(config, "pairs", False):
            asked *= 2  # a discriminator of pairs sees both images, one behind the other
        if asked is not None and found != {asked}:
            raise NotKeptError(
                f"image_shape must follow from the setting {name}, and {title} built with "
                f"{name} = {asked} has image_shape {network.image_shape!r}"
            )


def _check_classes(network: nn.Module, config: Config, title: str) -> None:
    asked = getattr(config, "classes", 0)
    if asked != getattr(network, "classes", 0):
        raise NotKeptError(
            f"classes must follow from the setting of that name, and {title} built with classes = "
            f"{asked} has classes {getattr(network, 'classes', 0)!r}"
        )


def _check_generator(generator: Generator, title: str) -> None:
    latents = generator.latents(COUNT, noise_of(0))
    _must_have_shape("latents", latents, (COUNT, *generator.latent_shape), title)
    _check_images(generator, title)
    if isinstance(generator, MappedGenerator) and not generator.training:
        _check_styles(generator, title)


def _check_styles(generator: MappedGenerator, title: str) -> None:
    styles = generator.map(*inputs_for(generator, COUNT))
    _must_have_shape("styles", styles, (COUNT, generator.style_size), title)
    _must_have_shape("style_mean", generator.style_mean, (generator.style_size,), title)
    if "style_mean" not in dict(generator.named_buffers()):
        raise NotKeptError(
            f"style_mean must be a buffer, so that models keep it, and that of {title} is none"
        )
    wide = generator.broadcast(styles)
    _must_have_shape("wide styles", wide, (COUNT, generator.style_layers, styles.shape[1]), title)
    images = generator.synthesize(styles, "none")
    _must_have_shape("images of styles", images, (COUNT, *generator.image_shape), title)
    if float((images - generator.synthesize(wide, "none")).abs().max()) > ROUNDING:
        raise NotKeptError(
            "one style for all layers must draw what as many of the same draw, and for "
            f"{title} it does not"
        )


def _check_images(generator: Generator | Composer, title: str) -> None:
    answer = answer_of(generator, inputs_for(generator, COUNT))
    if not isinstance(answer, Tensor):
        raise NotKeptError(
            f"a generator must return a tensor of images, and {title} returned {_shown(answer)}"
        )
    _must_have_shape("images", answer, (COUNT, *generator.image_shape), title)
    _must_be_numbers("images", answer, title)
    if getattr(generator, "linear", False) and generator.training:
        return
    largest = max(float(answer.abs().max()), _largest_when_grown(generator))
    if largest > 1:
        raise NotKeptError(
            f"images must be in [-1, 1] whatever the weights, and those of {title} reach "
            f"{largest:.4g}; end it with a tanh or a clamp, or set linear and clamp in eval mode"
        )


def _check_predictor(predictor: Predictor, title: str) -> None:
    for length, future in ((1, 3), (3, 1)):
        inputs = inputs_for(predictor, COUNT)
        past = inputs[0][:, :1].expand(-1, length, *[-1] * len(predictor.latent_shape))
        answer = answer_of(predictor, (past, future, *inputs[2:]))
        if not isinstance(answer, Tensor):
            raise NotKeptError(
                f"a predictor must return a tensor, and {title} returned {_shown(answer)}"
            )
        _must_have_shape("series", answer, (COUNT, future, *predictor.latent_shape), title)
        _must_be_numbers("series", answer, title)


def _largest_when_grown(generator: Generator | Composer) -> float:
    """Return the largest value that larger weights lead to: fresh ones are small."""
    largest = 0.0
    for factor in (10, 100):
        grown = copy.deepcopy(generator)
        for weight in grown.parameters():
            weight.mul_(factor)
        values = answer_of(grown, inputs_for(grown, COUNT))
        assert isinstance(values, Tensor)
        finite = values[values.isfinite()].abs()
        largest = max(largest, float(finite.max()) if finite.numel() else 0.0)
    return largest


def _check_discriminator(discriminator: Discriminator | CodeDiscriminator, title: str) -> None:
    answer = answer_of(discriminator, inputs_for(discriminator, COUNT))
    if not isinstance(answer, DiscriminatorOutput):
        raise NotKeptError(
            "a discriminator must return a DiscriminatorOutput, and "
            f"{title} returned {_shown(answer)}"
        )
    named = named_tensors(answer)
    if not named.keys() - {"features"}:
        raise NotKeptError(
            "a discriminator must answer with logits, heads or a reconstruction, and "
            f"{title} answers with none of them"
        )
    for name, tensor in named.items():
        _must_be_per_image(name, tensor, title)
        _must_be_numbers(name, tensor, title)
    if answer.reconstruction is not None and isinstance(discriminator, Discriminator):
        wanted = (COUNT, *discriminator.image_shape)
        _must_have_shape("reconstruction", answer.reconstruction, wanted, title)


def _check_encoder(encoder: Encoder, title: str) -> None:
    answer = answer_of(encoder, inputs_for(encoder, COUNT))
    if not isinstance(answer, Code):
        raise NotKeptError(f"an encoder must return a Code, and {title} returned {_shown(answer)}")
    _must_be_per_image("mean", answer.mean, title)
    _must_be_numbers("mean", answer.mean, title)
    if answer.indices is not None:
        _must_be_per_image("indices", answer.indices, title)
        if answer.indices.dtype != torch.int64:
            raise NotKeptError(
                f"indices must be int64, and those of {title} are {_dtype(answer.indices)}"
            )
    else:
        _must_have_shape("mean", answer.mean, (COUNT, *encoder.latent_shape), title)
    if answer.log_variance is not None:
        _must_be_numbers("log_variance", answer.log_variance, title)
        _must_have_shape("log_variance", answer.log_variance, tuple(answer.mean.shape), title)


def _check_numbers_per_image(network: Prior | Reranker, title: str) -> None:
    answer = answer_of(network, inputs_for(network, COUNT))
    if not isinstance(answer, Tensor):
        raise NotKeptError(
            f"a {'prior' if isinstance(network, Prior) else 'reranker'} must return a tensor with "
            f"a number for each image, and {title} returned {_shown(answer)}"
        )
    _must_have_shape("what is said of images", answer, (COUNT,), title)
    _must_be_numbers("what is said of images", answer, title)


def _check_draws(prior: Prior, title: str) -> None:
    latents, *captions = inputs_for(prior, COUNT)
    _must_have_shape("latents", latents, (COUNT, *prior.latent_shape), title)
    with in_mode(prior, training=False):
        kept = prior.draw(COUNT, noise_of(1), *captions, kept=latents[:, :1])
        cached, plain = (
            prior.draw(COUNT, noise_of(2), *captions, drawing=Drawing(cache=cache))
            for cache in (True, False)
        )
    if not torch.equal(kept[:, :1], latents[:, :1]):
        raise NotKeptError(f"a prior must keep the rows that it is given, and {title} does not")
    if not torch.equal(cached, plain):
        raise NotKeptError(
            f"a cache must change nothing but speed, and {title} draws other latents with it"
        )


def _must_have_shape(name: str, tensor: Tensor, shape: tuple[int, ...], title: str) -> None:
    if tuple(tensor.shape) != shape:
        raise NotKeptError(
            f"{name} must have the shape {list(shape)} for a batch of {COUNT}, and those of "
            f"{title} have {list(tensor.shape)}"
        )


def _must_be_per_image(name: str, tensor: Tensor, title: str) -> None:
    if not tensor.dim() or len(tensor) != COUNT:
        raise NotKeptError(
            f"{name} must have a row for each of {COUNT} images, and that of {title} has the "
            f"shape {list(tensor.shape)}"
        )


def _must_be_numbers(name: str, tensor: Tensor, title: str) -> None:
    if tensor.dtype != torch.float32:
        raise NotKeptError(f"{name} must be float32, and that of {title} is {_dtype(tensor)}")
    if not tensor.isfinite().all():
        raise NotKeptError(f"{name} must be finite, and that of {title} is not")


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _shown(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {list(value.shape)}"
    return f"an object of type {type(value).__name__}"
