"""The hooks of this plugin; see ganzoo-plugin.json for what they build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganzoo_core.plugins import hookimpl

if TYPE_CHECKING:
    from pathlib import Path

    from ganzoo_core.components import (
        AuthorsWeights,
        CodeDiscriminator,
        Composer,
        Config,
        Encoder,
        Parts,
        Predictor,
        Trainer,
    )


@hookimpl
def ganzoo_config(component: str) -> type[Config] | None:
    from ganzoo_plugin_drnet import config

    return config.CONFIGS.get(component)


@hookimpl
def ganzoo_encoder(component: str, config: Any) -> Encoder:
    from ganzoo_plugin_drnet import networks

    encoders: dict[str, type[Encoder]] = {
        "dcgan-content": networks.DCGANContent,
        "vgg-content": networks.VGGContent,
        "dcgan-pose": networks.DCGANPose,
        "resnet-pose": networks.ResNetPose,
    }
    return encoders[component](config)


@hookimpl
def ganzoo_composer(component: str, config: Any) -> Composer:
    from ganzoo_plugin_drnet import networks

    return networks.VGGComposer(config) if component == "vgg" else networks.DCGANComposer(config)


@hookimpl
def ganzoo_code_discriminator(component: str, config: Any) -> CodeDiscriminator:
    from ganzoo_plugin_drnet.networks import SceneDiscriminator

    return SceneDiscriminator(config)


@hookimpl
def ganzoo_predictor(component: str, config: Any) -> Predictor:
    from ganzoo_plugin_drnet.networks import PoseLSTM

    return PoseLSTM(config)


@hookimpl
def ganzoo_read_checkpoint(variant: str, file: Path) -> AuthorsWeights:
    from ganzoo_plugin_drnet import checkpoints

    return checkpoints.read(variant, file)


@hookimpl
def ganzoo_trainer(component: str, config: Any, parts: Parts) -> Trainer:
    from ganzoo_plugin_drnet.trainer import DrNetTrainer

    return DrNetTrainer(config, parts)
