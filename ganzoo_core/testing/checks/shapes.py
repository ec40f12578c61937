"""What networks and losses answer: shapes, types and ranges."""

import copy

import torch
from torch import Tensor, nn

from ganzoo_core.components import (
    AdversarialLoss,
    Code,
    Config,
    Discriminator,
    DiscriminatorOutput,
    Encoder,
    Generator,
    Loss,
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

COUNT = 3
"""Images in a batch here: no network may count on a power of two."""


def shapes_and_range(component: ComponentSubject) -> None:
    """What a component answers has the shapes, the type and the range of its contract."""
    built = component.build()
    if isinstance(built, Loss):
        _check_loss(built, component.name)
        return
    _check_attributes(built, component)
    for training in (True, False):
        with in_mode(built, training=training), torch.no_grad():
            if isinstance(built, Generator):
                _check_generator(built, component.title)
            elif isinstance(built, Discriminator):
                _check_discriminator(built, component.title)
            elif isinstance(built, Encoder):
                _check_encoder(built, component.title)


def adversarial(loss: Loss) -> AdversarialLoss:
    """Return a loss that is one side against another, which are the ones with a contract."""
    if not isinstance(loss, AdversarialLoss):
        raise NotApplicableError("only adversarial losses have a contract of their own to check")
    return loss


def judgement(shape: tuple[int, ...], seed: int) -> DiscriminatorOutput:
    """Return what a discriminator with random logits of this shape might say."""
    generator = torch.Generator().manual_seed(seed)
    return DiscriminatorOutput(torch.randn(shape, generator=generator))


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
        fake.logits.requires_grad_()
        for side, total in sides_of(loss, real, fake).items():
            if not isinstance(total, Tensor) or total.dim():
                raise NotKeptError(
                    f"both sides of an adversarial loss must be scalars, and the {side}'s of "
                    f"{name} for logits {list(shape)} is {_shown(total)}"
                )
            _must_be_numbers(f"the {side}'s loss", total, name)
            (gradient,) = torch.autograd.grad(total, fake.logits, allow_unused=True)
            if gradient is None or not gradient.any():
                raise NotKeptError(
                    f"both sides of an adversarial loss must depend on the fakes' logits, and the "
                    f"{side}'s of {name} does not"
                )


def _check_attributes(network: nn.Module, component: ComponentSubject) -> None:
    names = ["image_shape"]
    if not isinstance(network, Discriminator):
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
    _check_image_shape(network, component.config(), component.title)


def _check_image_shape(network: nn.Module, config: Config, title: str) -> None:
    channels, height, width = network.image_shape  # type: ignore[misc]
    for name, found in (("channels", {channels}), ("image_size", {height, width})):
        asked = getattr(config, name, None)
        if asked is not None and found != {asked}:
            raise NotKeptError(
                f"image_shape must follow from the setting {name}, and {title} built with "
                f"{name} = {asked} has image_shape {network.image_shape!r}"
            )
    asked = getattr(config, "classes", 0)
    if asked != getattr(network, "classes", 0):
        raise NotKeptError(
            f"classes must follow from the setting of that name, and {title} built with classes = "
            f"{asked} has classes {getattr(network, 'classes', 0)!r}"
        )


def _check_generator(generator: Generator, title: str) -> None:
    latents = generator.latents(COUNT, noise_of(0))
    _must_have_shape("latents", latents, (COUNT, *generator.latent_shape), title)
    answer = answer_of(generator, inputs_for(generator, COUNT))
    if not isinstance(answer, Tensor):
        raise NotKeptError(
            f"a generator must return a tensor of images, and {title} returned {_shown(answer)}"
        )
    _must_have_shape("images", answer, (COUNT, *generator.image_shape), title)
    _must_be_numbers("images", answer, title)
    largest = max(float(answer.abs().max()), _largest_when_grown(generator))
    if largest > 1:
        raise NotKeptError(
            f"images must be in [-1, 1] whatever the weights, and those of {title} reach "
            f"{largest:.4g}; end it with a tanh or a clamp"
        )


def _largest_when_grown(generator: Generator) -> float:
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


def _check_discriminator(discriminator: Discriminator, title: str) -> None:
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
    if answer.reconstruction is not None:
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
