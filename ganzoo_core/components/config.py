"""The base of every component's hyper-parameters.

A component's config is a pydantic model whose defaults are the paper's. Names mean the same in
every component: `image_size` (side in pixels), `channels` (of the images), `classes` (0 where
unconditional) and `latent_size` are filled in from the data or set once for all parts.
"""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """Hyper-parameters of a component: immutable, checked, and without unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )
    agreed: ClassVar[frozenset[str]] = frozenset({"image_size", "channels", "latent_size"})
    """Settings that the parts of a recipe agree on: of a network that a training is given, the
    others take them over."""
