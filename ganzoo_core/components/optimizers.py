"""Optimisers and schedules as settings: written in a config, built by the engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import Field

from ganzoo_core.components.config import Config

if TYPE_CHECKING:
    import torch


class Adam(Config):
    """Adam (Kingma and Ba 2015), in PyTorch's fused form."""

    name: Literal["adam"] = "adam"
    lr: float = Field(default=2e-4, gt=0, le=10)
    betas: tuple[
        Annotated[float, Field(ge=0, lt=1)],
        Annotated[float, Field(ge=0, lt=1)],
    ] = (0.9, 0.999)
    eps: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimiser over `parameters`."""
        import torch

        return torch.optim.Adam(
            parameters,
            lr=self.lr,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
            fused=True,
        )


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), in PyTorch's fused form."""

    name: Literal["adamw"] = "adamw"  # type: ignore[assignment]
    weight_decay: float = Field(default=0.01, ge=0)

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimiser over `parameters`."""
        import torch

        return torch.optim.AdamW(
            parameters,
            lr=self.lr,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
            fused=True,
        )


class SGD(Config):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"] = "sgd"
    lr: float = Field(default=0.1, gt=0, le=100)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(default=0.0, ge=0)

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimiser over `parameters`."""
        import torch

        weights = list(parameters)
        optimizer = torch.optim.SGD(
            weights,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            fused=True,
        )
        if self.momentum:
            # PyTorch's fused form begins with uninitialised memory, and keeps it where mixed
            # precision skips the first move.
            for weight in weights:
                optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        return optimizer


class RMSprop(Config):
    """RMSprop (Tieleman and Hinton 2012)."""

    name: Literal["rmsprop"] = "rmsprop"
    lr: float = Field(default=5e-5, gt=0, le=10)
    alpha: float = Field(default=0.99, ge=0, lt=1)
    eps: float = Field(default=1e-8, gt=0)

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimiser over `parameters`."""
        import torch

        return torch.optim.RMSprop(parameters, lr=self.lr, alpha=self.alpha, eps=self.eps)


class Adagrad(Config):
    """Adagrad (Duchi et al. 2011)."""

    name: Literal["adagrad"] = "adagrad"
    lr: float = Field(default=0.01, gt=0, le=10)
    eps: float = Field(default=1e-10, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimiser over `parameters`."""
        import torch

        return torch.optim.Adagrad(
            parameters, lr=self.lr, eps=self.eps, weight_decay=self.weight_decay
        )


Optimizer = Annotated[Adam | AdamW | SGD | RMSprop | Adagrad, Field(discriminator="name")]
"""The type of an optimiser's setting; `name` chooses which."""


def slowed(optimizer: Optimizer, share: float) -> Optimizer:
    """Return settings for an optimiser of whose moves only a share are those that it is set for.

    What is lazily regularised every k steps makes k + 1 moves instead of k. With c = k / (k + 1),
    λ' = c·λ and β' = β^c make them together what k moves were (Karras et al. 2020, appendix B).
    """
    changed: dict[str, object] = {"lr": optimizer.lr * share}
    if isinstance(optimizer, Adam):
        changed["betas"] = tuple(beta**share for beta in optimizer.betas)
    elif isinstance(optimizer, SGD):
        changed["momentum"] = optimizer.momentum**share
    elif isinstance(optimizer, RMSprop):
        changed["alpha"] = optimizer.alpha**share
    return optimizer.model_copy(update=changed)


class Progress(NamedTuple):
    """How far a stage has come, for schedules."""

    step: int
    """Steps done in this stage."""
    steps: int
    """Steps that the stage will have."""
    epochs: float
    """Passes over the data since training began."""

    @property
    def fraction(self) -> float:
        """Share of the stage that is done, from 0 to 1."""
        return self.step / self.steps


def constant(progress: Progress) -> float:
    """Keep the learning rate as it is: a factor of 1 throughout."""
    return 1.0
