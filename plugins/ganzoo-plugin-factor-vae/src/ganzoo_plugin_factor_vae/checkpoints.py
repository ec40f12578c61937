"""Reads FactorVAEs: YannDubs/disentangling-vae, and 1Konny/FactorVAE with its discriminator."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ganzoo_plugin_vae.checkpoints import read_convolutional

from ganzoo_core.components import AuthorsWeights
from ganzoo_core.hub.authors_files import read_authors_file, state_dict_of


def read(file: Path) -> AuthorsWeights:
    """Return encoder, decoder and, where it is there, the discriminator in `file`.

    Raises:
        CheckpointError: the file cannot be read, or holds none of these layouts.
    """
    weights = read_convolutional(file)
    content = read_authors_file(file)
    held = content.content
    states = held.get("model_states") if isinstance(held, Mapping) else None
    if not isinstance(states, Mapping) or "D" not in states:
        return weights
    state = state_dict_of(content, "model_states", "D")
    layers = {name.replace("net.", "layers."): tensor for name, tensor in state.items()}
    kernels = [tensor for tensor in layers.values() if tensor.dim() == 2]
    settings = {
        "discriminator.latent_size": kernels[0].shape[1],
        "discriminator.width": kernels[0].shape[0],
        "discriminator.layers": len(kernels) - 1,
    }
    return replace(
        weights,
        networks={**weights.networks, "discriminator": layers},
        settings={**weights.settings, **settings},
    )
