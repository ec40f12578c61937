"""The hooks of this plugin; see ganzoo-plugin.json for what they build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo_core.plugins import hookimpl

if TYPE_CHECKING:
    from pathlib import Path

    from ganzoo_core.components import (
        AuthorsWeights,
        Config,
        Encoder,
        Generator,
        Parts,
        Prior,
        Reranker,
        Trainer,
    )


@hookimpl
def ganzoo_config(component: str) -> type[Config] | None:
    from ganzoo_plugin_dalle import config

    return config.CONFIGS.get(component)


@hookimpl
def ganzoo_encoder(component: str, config: Any) -> Encoder:
    if component == "strided":
        from ganzoo_plugin_dalle.dalle_pytorch import StridedEncoder

        return StridedEncoder(config)
    from ganzoo_plugin_dalle.dvae import DVAEEncoder

    return DVAEEncoder(config)


@hookimpl
def ganzoo_generator(component: str, config: Any) -> Generator:
    if component == "strided":
        from ganzoo_plugin_dalle.dalle_pytorch import StridedDecoder

        return StridedDecoder(config)
    from ganzoo_plugin_dalle.dvae import DVAEDecoder

    return DVAEDecoder(config)


@hookimpl
def ganzoo_prior(component: str, config: Any) -> Prior:
    if component == "rotary":
        from ganzoo_plugin_dalle.dalle_pytorch import RotaryTransformer

        return RotaryTransformer(config)
    from ganzoo_plugin_dalle.transformer import Transformer

    return Transformer(config)


@hookimpl
def ganzoo_reranker(component: str, config: Any) -> Reranker:
    from ganzoo_plugin_dalle.clip import CLIP, HubCLIP

    return HubCLIP(config) if component == "hub" else CLIP(config)


@hookimpl
def ganzoo_trainer(component: str, config: Any, parts: Parts) -> Trainer:
    from ganzoo_plugin_dalle.trainer import TRAINERS

    return TRAINERS[component](config, parts)


@hookimpl
def ganzoo_read_checkpoint(variant: str, file: Path) -> AuthorsWeights:
    from ganzoo_plugin_dalle.checkpoints import read_checkpoint

    return read_checkpoint(variant, file)
