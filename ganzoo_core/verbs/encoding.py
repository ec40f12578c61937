"""Codes of images: encoding, classifying, and what is left after decoding again."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganzoo_core.components import Code, Encoder
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.verbs.parts import Labels, at_rest, kept, need, unable
from ganzoo_core.video import Recomposer

if TYPE_CHECKING:
    from ganzoo_core.model import Model


def encoder(model: "Model", space: str = "") -> Encoder:
    """Return the network that encodes; `space` is its role, of a model with several.

    Raises:
        UnsupportedError: there is none, or none of that role.
    """
    if not space:
        return need(model, Encoder, "encode")
    found = {role: net for role, net in kept(model).items() if isinstance(net, Encoder)}
    if space not in found:
        raise UnsupportedError(
            f"{model.variant} has no codes of {space!r}; what it encodes: "
            f"{', '.join(found) or 'nothing'}"
        )
    return found[space]


def encode(model: "Model", images: Tensor, *, space: str = "", batch_size: int = 64) -> Tensor:
    """Return the codes of images [N, C, H, W], on the CPU.

    They are the means of Gaussian codes, and int64 grids of discrete ones. `space` is which
    codes, of a model with several encoders, such as "content" or "pose".
    """
    codes = _codes_of(model, images, "encode", batch_size, space)
    return torch.cat(
        [(code.mean if code.indices is None else code.indices).cpu() for code in codes]
    )


def classify(model: "Model", images: Tensor, *, batch_size: int = 64) -> Tensor:
    """Return how probable each class is for images [N, C, H, W]: [N, classes], on the CPU."""
    codes = _codes_of(model, images, "classify", batch_size)
    return torch.cat([_logits(code, model.variant).softmax(1).cpu() for code in codes])


def reconstruct(
    model: "Model", images: Tensor, *, labels: Labels = None, batch_size: int = 64
) -> Tensor:
    """Return what encoding and decoding leaves of images [N, C, H, W], on the CPU.

    A decoder that takes classes is given `labels`, or else those that the encoder names.
    """
    if Recomposer.among(kept(model)):
        return model.swap(images, images, batch_size=batch_size)
    need(model, Encoder, "reconstruct")
    if labels is None and model.classes and "classify" in model.verbs:
        labels = model.classify(images, batch_size=batch_size).argmax(1)
    codes = model.encode(images, batch_size=batch_size)
    return model.decode(codes, labels=labels, batch_size=batch_size)


def _codes_of(
    model: "Model", images: Tensor, verb: str, batch_size: int, space: str = ""
) -> Iterator[Code]:
    if verb not in model.verbs:
        raise unable(model, verb)
    encoder = model.encoder(space) if space else need(model, Encoder, verb)
    if tuple(images.shape[1:]) != tuple(encoder.image_shape):
        raise UnsupportedError(
            f"{model.variant} encodes images of shape {('N', *encoder.image_shape)}, not "
            f"{tuple(images.shape)}"
        )
    for chunk in images.split(batch_size):
        with at_rest(encoder):
            yield encoder(chunk.to(model.device))


def _logits(code: Code, variant: str) -> Tensor:
    if code.logits is None:
        raise UnsupportedError(f"the encoder of {variant} promises classes and names none")
    return code.logits
