"""The engine's settings, the same for every variant."""

from typing import Literal

from pydantic import Field

from ganzoo_core.components.config import Config


class TrainingSettings(Config):
    """How long and on what terms to train; a variant's manifest may change the defaults."""

    steps: int = Field(default=10_000, ge=1, le=10**9)
    """Steps in all; in each step every phase has its turn."""
    batch_size: int = Field(default=64, ge=1, le=2**20)
    """Images a batch, over all processes together."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    flip: bool = False
    """Mirror each image left to right with probability one half, anew each time it is seen."""
    jitter: float = Field(default=0.0, ge=0, le=1)
    """Share by which images are decoded larger and then cropped at random, anew each time: 286
    pixels and a crop of 256 are 0.1171875."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Arithmetic of the forward pass; weights and optimisers stay in 32 bits."""
    accumulate: int = Field(default=1, ge=1, le=4096)
    """Batches whose gradients are averaged before the optimiser moves."""
    clip: float = Field(default=0.0, ge=0)
    """Largest norm of a phase's gradient; 0 does not clip."""
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay of the moving average of the inference networks' weights; 0 keeps none."""
    keep: tuple[str, ...] = ()
    """Networks by role, such as `discriminator`, that the trained model keeps beside those that it
    needs."""
    batch_norm: Literal["local", "synced"] = "local"
    """Across processes: each normalises its own share, or all the joined batch."""
    channels_last: bool = True
    """Keep convolutions' memory in the order that is faster on most devices."""
    log_every: int = Field(default=50, ge=1)
    sample_every: int = Field(default=1000, ge=0)
    """Steps between preview grids; 0 makes none."""
    checkpoint_every: int = Field(default=1000, ge=0)
    """Steps between checkpoints; 0 keeps only the last one."""
    keep_checkpoints: int = Field(default=2, ge=1)
