"""The gradient reversal layer, and what all adaptations of this family minimise."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from ganzoo_core.components import Code, DiscriminatorOutput


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, codes: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return codes.view_as(codes)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * -ctx.strength, None


def reversed_gradient(codes: Tensor, strength: float) -> Tensor:
    """Return codes as they are; their gradient comes back times -strength (equations 13, 14)."""
    reversed_codes: Tensor = _Reversal.apply(codes, strength)
    return reversed_codes


def classification(code: Code, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return L_y, the cross-entropy of classes in nats, and the share of wrong ones.

    Args:
        code: of an encoder; the images that `labels` do not reach to are left out.
        labels: [N], int64, of the first images.
    """
    assert code.logits is not None
    logits = code.logits[: len(labels)].float()
    wrong = (logits.detach().argmax(1) != labels).float().mean()
    return cross_entropy(logits, labels), wrong


def told_apart(output: DiscriminatorOutput) -> tuple[Tensor, Tensor]:
    """Return L_d: the mean cross-entropy of the source's domain plus that of the target's, in nats.

    Args:
        output: of a discriminator for the codes of both, first the source's, then as many of the
            target's.

    Returns:
        the scalar to minimise, and the share that is taken for the other domain.
    """
    assert output.logits is not None
    source, target = output.logits.float().chunk(2)
    wrong = torch.cat([source.detach() <= 0, target.detach() > 0]).float().mean()
    return softplus(-source).mean() + softplus(target).mean(), wrong


def taken_for_source(output: DiscriminatorOutput) -> Tensor:
    """Return the mean cross-entropy in nats where all codes are to be taken for the source's."""
    assert output.logits is not None
    return softplus(-output.logits.float()).mean()
