"""What the verbs share: the networks that a model keeps, checks of what is asked, and drawing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn

from ganzoo_core.components import Generator, ImageNoise, Rendering, Translator, drawing_from
from ganzoo_core.errors import UnknownNameError, UnsupportedError

if TYPE_CHECKING:
    from ganzoo_core.model import Model

Progress = Callable[[int, int], None]
Label = int | str
"""A class by its number, or by its name where the model knows names."""
Labels = Label | Sequence[Label] | Tensor | None
"""What a conditional model is asked for: one class for all images, or one for each."""
Contract = TypeVar("Contract", bound=nn.Module)
PLAIN = Rendering()


def kept(model: "Model") -> dict[str, nn.Module]:
    """Return the networks of inference by their roles."""
    roles = model.blueprint.entry.recipe.inference
    return {role: model.networks[role] for role in roles if role in model.networks}


def find(model: "Model", contract: type[Contract]) -> Contract | None:
    """Return the first kept network that fulfils a contract, or None."""
    for network in kept(model).values():
        # A translator's latent is an image: there is no prior to sample it from.
        if isinstance(network, contract) and not isinstance(network, Translator):
            return network
    return None


def need(model: "Model", contract: type[Contract], verb: str) -> Contract:
    """Return the first kept network that fulfils a contract.

    Raises:
        UnsupportedError: there is none; `verb` is what the model then cannot do.
    """
    network = find(model, contract)
    if network is None:
        raise unable(model, verb, f"it has no {contract.__name__.lower()}")
    return network


def unable(model: "Model", verb: str, why: str = "") -> UnsupportedError:
    """Return the error that says what a model cannot do, and what it can."""
    reason = f": {why}" if why else ""
    return UnsupportedError(
        f"{model.variant} cannot {verb}{reason}; what it can do: "
        f"{', '.join(model.verbs) or 'nothing'}"
    )


@contextmanager
def at_rest(*networks: nn.Module, gradients: bool = False) -> Iterator[None]:
    """Run networks in eval mode and without gradients unless asked, then put their mode back."""
    training = [layer for net in networks for layer in net.modules() if layer.training]
    for network in networks:
        network.eval()
    try:
        with torch.set_grad_enabled(gradients):
            yield
    finally:
        for layer in training:
            layer.training = True


def check_positive(**numbers: int) -> None:
    """Check that each of some numbers is at least 1."""
    for name, number in numbers.items():
        if number < 1:
            raise UnsupportedError(f"{name.replace('_', ' ')} must be at least 1, not {number}")


def check_shape(model: "Model", does: str, given: Tensor, wanted: tuple[int, ...]) -> None:
    """Check the shape of all but the first axis; `does` is such as "decodes latents"."""
    if tuple(given.shape[1:]) != tuple(wanted):
        raise UnsupportedError(
            f"{model.variant} {does} of shape {('N', *wanted)}, not {tuple(given.shape)}"
        )


def class_number(model: "Model", label: Label) -> int:
    """Return the number of a class.

    Raises:
        UnknownNameError: no class has this name.
        UnsupportedError: the model knows its classes by their numbers alone.
    """
    if not isinstance(label, str):
        return label
    if not model.class_names:
        raise UnsupportedError(
            f"this model of {model.variant} has no names of its classes; give a whole number, not "
            f"{label!r}"
        )
    if label not in model.class_names:
        raise UnknownNameError("class", label, model.class_names, f"this model of {model.variant}")
    return model.class_names.index(label)


def asked_labels(model: "Model", generator: Generator, labels: Labels, count: int) -> Tensor | None:
    """Return the classes of `count` images [count], or None where the model takes none."""
    classes = generator.classes
    if not classes:
        if labels is not None:
            raise UnsupportedError(f"{model.variant} cannot be asked for a class: it takes none")
        return None
    if labels is None:
        return torch.arange(count) % classes
    if isinstance(labels, str):
        labels = class_number(model, labels)
    elif not isinstance(labels, int | Tensor):
        labels = [class_number(model, label) for label in labels]
    asked = torch.as_tensor(labels, dtype=torch.int64).cpu()
    if not asked.dim():
        asked = asked.expand(count)
    if asked.shape != (count,):
        raise UnsupportedError(
            f"{len(asked)} labels were given for {count}; give one for all, or one for each"
        )
    unknown = asked[(asked < 0) | (asked >= classes)]
    if len(unknown):
        raise UnsupportedError(
            f"{model.variant} knows the classes 0 to {classes - 1}, and was asked for "
            f"{int(unknown[0])}"
        )
    return asked


def generated(
    model: "Model",
    generator: Generator,
    latents: Tensor,
    noise: ImageNoise,
    labels: Tensor | None,
    rendering: Rendering = PLAIN,
) -> Tensor:
    """Draw latents with their noise and classes: [N, C, H, W] in [-1, 1], on the CPU."""
    its = None if labels is None else labels.to(model.device)
    with at_rest(generator), drawing_from(noise, generator):
        return rendering.of(generator, latents, its).float().cpu()
