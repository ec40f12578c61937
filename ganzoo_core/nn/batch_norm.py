"""Batch normalisation over the joined batch of all processes, on any device.

`torch.nn.SyncBatchNorm` refuses the CPU; this one is written with differentiable sums, and
runs wherever torch.distributed does.
"""

from typing import Any

import torch
from torch import Tensor, nn


class SyncedBatchNorm(nn.Module):
    """Batch normalisation (Ioffe and Szegedy 2015) with statistics over all processes.

    It takes over the weights and statistics of the layer it replaces, under the same names, and
    computes the same on one process with the joined batch.
    """

    def __init__(self, layer: nn.modules.batchnorm._BatchNorm) -> None:
        super().__init__()
        self.eps = layer.eps
        self.momentum = layer.momentum
        self.affine = layer.affine
        self.weight, self.bias = layer.weight, layer.bias
        self.running_mean: Tensor | None
        self.running_var: Tensor | None
        self.num_batches_tracked: Tensor | None
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(layer, name))

    def forward(self, activations: Tensor) -> Tensor:
        """Normalise [N, C, …] over all dimensions but C."""
        if not self.training:
            return nn.functional.batch_norm(
                activations, self.running_mean, self.running_var, self.weight, self.bias,
                eps=self.eps,
            )  # fmt: skip
        precise = activations.float()  # of mixed precision too: sums of 16 bits would not do
        dims = [0, *range(2, activations.dim())]
        count = activations.numel() // activations.shape[1]
        sums = torch.cat([precise.sum(dims), precise.new_tensor([float(count)])])
        sums = _summed(sums)
        total = sums[-1]
        mean = sums[:-1] / total
        shape = (1, -1, *(1 for _ in dims[1:]))
        centred = precise - mean.view(shape)
        # The second exchange avoids the cancellation of E[x²] − E[x]².
        variance = _summed(centred.square().sum(dims)) / total
        self._track(mean.detach(), variance.detach(), total.detach())
        normalised = centred * torch.rsqrt(variance.view(shape) + self.eps)
        if self.affine:
            normalised = normalised * self.weight.view(shape) + self.bias.view(shape)
        return normalised.to(activations.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, total: Tensor) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = self.momentum
        if share is None:
            share = 1.0 / float(self.num_batches_tracked)
        unbiased = variance * (total / (total - 1))
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(unbiased, share)


def _summed(tensor: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(tensor)
    return total


class _Sum(torch.autograd.Function):
    """The sum over all processes, whose gradient is the sum of theirs; differentiable again."""

    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        """Add up."""
        total = tensor.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        """Add up the gradients."""
        return _summed(gradients[0])


def synced(network: nn.Module) -> nn.Module:
    """Replace every batch normalisation in `network`, in place, by its synced form; return it."""
    if isinstance(network, nn.modules.batchnorm._BatchNorm):
        return SyncedBatchNorm(network)
    for name, child in network.named_children():
        setattr(network, name, synced(child))
    return network
