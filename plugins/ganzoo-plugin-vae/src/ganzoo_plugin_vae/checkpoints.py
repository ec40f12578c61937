"""Reads variational autoencoders as others publish them, in three layouts.

- The PyTorch examples' perceptrons: `fc1`, `fc21` and `fc22` (mean and log-variance), `fc3`, `fc4`.
- YannDubs/disentangling-vae, `model.pt`: `encoder.conv1` to `decoder.convT3`, in which the encoder
  answers with mean and log-variance of one number after those of another.
- 1Konny/FactorVAE, a checkpoint's `model_states.VAE`: `encode.0` to `decode.10`, in which the full
  connections are written as convolutions.

Sizes and widths are read from the shapes.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ganzoo_core.components import AuthorsWeights
from ganzoo_core.errors import CheckpointError
from ganzoo_core.hub.authors_files import AuthorsFile, read_authors_file, state_dict_of

State = dict[str, Tensor]

_EXAMPLES = {"fc1", "fc21", "fc22", "fc3", "fc4"}


class _Layer(NamedTuple):
    weight: Tensor
    bias: Tensor


def read(file: Path) -> AuthorsWeights:
    """Return the encoder and the decoder of perceptrons in `file`.

    Raises:
        CheckpointError: the file cannot be read, or holds none of this layout.
    """
    content = read_authors_file(file)
    state = _state(content)
    if {name.rpartition(".")[0] for name in state} != _EXAMPLES:
        if _is_disentangling(state) or _is_factor(state):
            raise CheckpointError(
                f"{file} holds convolutional networks, and those of vae are perceptrons; "
                "convert it with --variant beta-vae or --variant factor-vae"
            )
        raise _unknown(file, "of the PyTorch examples")
    to_mean, to_variance = _layer(state, "fc21"), _layer(state, "fc22")
    to_code = _Layer(
        torch.cat([to_mean.weight, to_variance.weight]), torch.cat([to_mean.bias, to_variance.bias])
    )
    first, to_hidden = _layer(state, "fc1"), _layer(state, "fc3")
    width, pixels = first.weight.shape
    side = round(pixels**0.5)
    if side * side != pixels:
        raise _unknown(file, f"with square images ({pixels} pixels)")
    networks = {
        "encoder": _named([first, to_code], [1, 3]),
        "decoder": _named([to_hidden, _layer(state, "fc4")], [0, 2]),
    }
    settings = {
        "image_size": side,
        "channels": 1,
        "latent_size": to_mean.weight.shape[0],
        "width": width,
        "activation": "relu",
    }
    recognised = (
        f"{content.format}, PyTorch examples' VAE, {side}x{side} pixels, {width} units, "
        f"{to_mean.weight.shape[0]} latents"
    )
    return AuthorsWeights(networks, settings, recognised, file)


def read_convolutional(file: Path) -> AuthorsWeights:
    """Return the convolutional encoder and decoder in `file`.

    Raises:
        CheckpointError: the file cannot be read, or holds none of these layouts.
    """
    content = read_authors_file(file)
    state = _state(content)
    if _is_disentangling(state):
        encoder, decoder = _of_disentangling(state)
        project = "YannDubs/disentangling-vae"
    elif _is_factor(state):
        encoder, decoder = _of_factor(state)
        project = "1Konny/FactorVAE"
    else:
        raise _unknown(file, "of YannDubs/disentangling-vae or 1Konny/FactorVAE")
    convolutions = [layer for layer in encoder if layer.weight.dim() == 4]
    maps = [layer.weight.shape[0] for layer in convolutions]
    hidden = [layer.weight.shape[0] for layer in encoder[len(maps) : -1]]
    halvings = len(maps)
    if maps != ([maps[0]] * 2 + [maps[-1]] * halvings)[:halvings] or any(
        layer.weight.shape[2:] != (4, 4) for layer in convolutions
    ):
        raise _unknown(file, f"with convolutions of other sizes ({maps})")
    image_size, channels = 4 * 2**halvings, convolutions[0].weight.shape[1]
    latent_size = decoder[0].weight.shape[1]
    in_decoder = len(hidden) + 1
    networks = {
        "encoder": _named(
            encoder,
            [2 * i for i in range(halvings)]
            + [2 * (halvings + i) + 1 for i in range(len(hidden) + 1)],
        ),
        "decoder": _named(
            decoder,
            [2 * i for i in range(in_decoder)]
            + [2 * (in_decoder + i) + 1 for i in range(halvings)],
        ),
    }
    settings = {
        "image_size": image_size,
        "channels": channels,
        "latent_size": latent_size,
        "width": maps[0],
        "deep_width": maps[-1],
        "hidden": hidden,
    }
    # The discriminator of codes has a width too.
    settings = {f"{role}.{name}": value for role in networks for name, value in settings.items()}
    recognised = (
        f"{content.format}, {project}, {image_size}x{image_size} pixels, {channels} channels, "
        f"{latent_size} latents"
    )
    return AuthorsWeights(networks, settings, recognised, file)


def _of_disentangling(state: State) -> tuple[list[_Layer], list[_Layer]]:
    """Return the layers of encoder and decoder, in their order."""
    at_64 = ["conv_64"] if "encoder.conv_64.weight" in state else []
    names = ["conv1", "conv2", "conv3", *at_64, "lin1", "lin2"]
    encoder = [_layer(state, f"encoder.{name}") for name in names]
    interleaved = _layer(state, "encoder.mu_logvar_gen")
    encoder.append(_Layer(*(torch.cat([its[0::2], its[1::2]]) for its in interleaved)))
    outwards = ["convT_64"] if at_64 else []
    names = ["lin1", "lin2", "lin3", *outwards, "convT1", "convT2", "convT3"]
    return encoder, [_layer(state, f"decoder.{name}") for name in names]


def _of_factor(state: State) -> tuple[list[_Layer], list[_Layer]]:
    """Return the layers of encoder and decoder, with full connections as such."""
    inwards, outwards = (
        [_layer(state, f"{part}.{number}") for number in _numbers(state, part)]
        for part in ("encode", "decode")
    )
    *convolutions, to_hidden, to_code = inwards
    from_code, to_maps, *transposed = outwards
    encoder = [*convolutions, *(_Layer(w.flatten(1), b) for w, b in (to_hidden, to_code))]
    # From 1×1, a transposed convolution gives each of its 4×4 positions a full connection.
    spread = to_maps.weight.permute(1, 2, 3, 0).flatten(0, 2)
    decoder = [
        _Layer(from_code.weight.flatten(1), from_code.bias),
        _Layer(spread, to_maps.bias.repeat_interleave(to_maps.weight[0, 0].numel())),
        *transposed,
    ]
    return encoder, decoder


def _state(content: AuthorsFile) -> State:
    """Return the networks' tensors, from within a checkpoint of several things where it is one."""
    held = content.content
    for keys in (("model_states", "VAE"), ("state_dict",)):
        if isinstance(held, Mapping) and keys[0] in held:
            return state_dict_of(content, *keys)
    return state_dict_of(content)


def _is_disentangling(state: State) -> bool:
    return {"encoder.mu_logvar_gen.weight", "decoder.convT3.weight"} <= state.keys()


def _is_factor(state: State) -> bool:
    return len(_numbers(state, "encode")) >= 4 and len(_numbers(state, "decode")) >= 4


def _numbers(state: State, part: str) -> list[int]:
    found = (re.fullmatch(rf"{part}\.(\d+)\.weight", name) for name in state)
    return sorted(int(match[1]) for match in found if match)


def _layer(state: State, name: str) -> _Layer:
    try:
        return _Layer(state[f"{name}.weight"], state[f"{name}.bias"])
    except KeyError as missing:
        raise CheckpointError(
            f"the checkpoint has no {missing}, which its layout should have; "
            "get it again from where its authors publish it"
        ) from None


def _named(layers: Sequence[_Layer], places: Sequence[int]) -> State:
    """Return a state dict of layers by their places in a sequence."""
    state = {}
    for layer, place in zip(layers, places, strict=True):
        state[f"layers.{place}.weight"] = layer.weight.contiguous()
        state[f"layers.{place}.bias"] = layer.bias.contiguous()
    return state


def _unknown(file: Path, wanted: str) -> CheckpointError:
    return CheckpointError(
        f"{file} is not a variational autoencoder {wanted}; other layouts are not read"
    )
