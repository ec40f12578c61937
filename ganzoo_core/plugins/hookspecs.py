"""The hooks through which a plugin builds what its manifest names.

A plugin implements those it needs in the module that its entry point names, each in a few lines
and with its imports inside, so that importing the module costs nothing:

    from ganzoo_core.plugins import hookimpl

    @hookimpl
    def ganzoo_generator(component, config):
        from ganzoo_plugin_dcgan.networks import DCGANGenerator

        return DCGANGenerator(config)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from pathlib import Path

    from ganzoo_core.components import (
        AuthorsWeights,
        CodeDiscriminator,
        Composer,
        Config,
        Discriminator,
        Encoder,
        Generator,
        Loss,
        Parts,
        Predictor,
        Prior,
        Regularizer,
        Reranker,
        Trainer,
    )

PROJECT_NAME = "ganzoo"
hookspec = pluggy.HookspecMarker(PROJECT_NAME)
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)


@hookspec(firstresult=True)
def ganzoo_config(component: str) -> type[Config] | None:
    """Return the pydantic model of a component's hyper-parameters; defaults are the paper's.

    `component` is `kind/name`, such as `generator/dcgan`, since a generator and a discriminator
    may share a name.
    """


@hookspec(firstresult=True)
def ganzoo_generator(component: str, config: Any) -> Generator | None:
    """Return the generator (or decoder) of that name, built from its config."""


@hookspec(firstresult=True)
def ganzoo_discriminator(component: str, config: Any) -> Discriminator | None:
    """Return the discriminator (or critic) of that name, built from its config."""


@hookspec(firstresult=True)
def ganzoo_code_discriminator(component: str, config: Any) -> CodeDiscriminator | None:
    """Return the discriminator of codes of that name, built from its config."""


@hookspec(firstresult=True)
def ganzoo_encoder(component: str, config: Any) -> Encoder | None:
    """Return the encoder of that name, built from its config."""


@hookspec(firstresult=True)
def ganzoo_composer(component: str, config: Any) -> Composer | None:
    """Return the decoder of that name that makes images of content and pose."""


@hookspec(firstresult=True)
def ganzoo_predictor(component: str, config: Any) -> Predictor | None:
    """Return the network of that name that goes on with a video."""


@hookspec(firstresult=True)
def ganzoo_prior(component: str, config: Any) -> Prior | None:
    """Return the network of that name which draws a decoder's latents, of captions or of none."""


@hookspec(firstresult=True)
def ganzoo_reranker(component: str, config: Any) -> Reranker | None:
    """Return the network of that name which says how well images show what captions say."""


@hookspec(firstresult=True)
def ganzoo_loss(component: str, config: Any) -> Loss | None:
    """Return the loss of that name, built from its config."""


@hookspec(firstresult=True)
def ganzoo_regularizer(component: str, config: Any) -> Regularizer | None:
    """Return the penalty or the constraint of that name, which goes beside any loss."""


@hookspec(firstresult=True)
def ganzoo_trainer(component: str, config: Any, parts: Parts) -> Trainer | None:
    """Return the trainer of that name over the networks and the loss that the recipe names."""


@hookspec(firstresult=True)
def ganzoo_read_checkpoint(variant: str, file: Path) -> AuthorsWeights | None:
    """Return the authors' published weights in `file` as our state dicts and settings."""
