"""Hyper-parameters; defaults are those of the lecture notes and of their exercises."""

from typing import Literal

from ganzoo_plugin_autoencoder.config import AutoencoderConfig
from pydantic import Field

from ganzoo_core.components import Adam, Config, Optimizer


class SparseAutoencoderConfig(AutoencoderConfig):
    """A reconstruction's error and a price on activity."""

    optimizer: Optimizer = Adam(lr=1e-3, weight_decay=1e-4)
    """The decay is the λ of the notes' exercise: λ/2 of the squared weights beside the cost."""
    error: Literal["cross-entropy", "squared"] = "squared"
    sparsity: Literal["kl", "l1"] = "kl"
    """What activity costs: by each unit's mean, or by each activation."""
    weight: float = Field(default=3.0, ge=0, le=10_000)
    """β: the sparsity's weight against the reconstruction's error."""
    target: float = Field(default=0.05, gt=0, lt=1)
    """ρ: the mean activation that each unit should have; only of `kl`."""


CONFIGS: dict[str, type[Config]] = {"trainer/sparse-autoencoder": SparseAutoencoderConfig}
