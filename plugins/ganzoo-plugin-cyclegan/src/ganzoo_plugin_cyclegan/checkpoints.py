"""Reads what pytorch-CycleGAN-and-pix2pix publishes: `latest_net_G_A.pth`, `horse2zebra.pth`, …

The layers of its residual generator are numbered in one sequence, and again within each block, so
that dropout within the blocks shifts the number of the second convolution.
"""

import re
from pathlib import Path

import torch
from ganzoo_plugin_pix2pix.checkpoints import (
    PROJECT,
    Layers,
    Network,
    State,
    opened,
    patchgan,
    unet,
    unknown,
)

from ganzoo_core.components import AuthorsWeights
from ganzoo_core.errors import CheckpointError

ONE_WAY = "cyclegan-one-way"
UNET = "ganzoo-plugin-pix2pix/unet"
ROLES = {"G_A": "ab", "G_B": "ba", "D_A": "discriminator_b", "D_B": "discriminator_a"}
"""What the project calls the networks; its D_A judges what G_A makes, which are images of B."""


def read(variant: str, file: Path) -> AuthorsWeights:
    """Return CycleGAN's generator or discriminator in `file`; its name says which one it is.

    Raises:
        CheckpointError: the file cannot be read, is no such network of this project, or does not
            say which of the two generators or discriminators it is.
    """
    state, described = opened(file)
    network = resnet(state, file) or unet(state) or patchgan(state)
    if network is None:
        raise unknown(file, "a ResNet, a U-Net or a PatchGAN", state)
    role = _role(variant, network.kind, file)
    component = UNET if network.kind == "unet" else ""
    return network.weights(role, described, file, component=component)


def resnet(state: State, file: Path) -> Network | None:
    """Recognise a residual generator.

    Raises:
        CheckpointError: it is one, with an option that there is not here.
    """
    layers = Layers(state)
    inner: dict[int, list[int]] = {}
    outer: list[int] = []
    for name, tensor in state.items():
        match = re.fullmatch(r"model\.(\d+)(?:\.conv_block\.(\d+))?\.weight", name)
        if match is None or tensor.dim() != 4:
            continue
        if match[2]:
            inner.setdefault(int(match[1]), []).append(int(match[2]))
        else:
            outer.append(int(match[1]))
    if not inner or len(outer) != 6:
        return None
    positions = {tuple(sorted(each)) for each in inner.values()}
    if positions not in ({(1, 5)}, {(1, 6)}):
        raise CheckpointError(
            f"{file} is a ResNet of {PROJECT} whose blocks do not reflect their borders, which "
            "ganzoo's do; it cannot be converted"
        )
    ((first, second),) = positions
    names = [f"model.{number}" for number in sorted(outer)]
    after = [f"model.{number + 1}" for number in sorted(outer)]
    kind = layers.normalization(names[0], after[0])
    own: State = {}
    ours = ["downs.0", "downs.1", "downs.2", "ups.0", "ups.1"]
    for name, following, its in zip(names, after, ours, strict=False):
        maps = state[f"{name}.weight"].shape[1 if its.startswith("ups") else 0]
        own |= layers.taken(name, following, kind, its, maps)
    for number, place in enumerate(sorted(inner)):
        for part, position in (("first", first), ("second", second)):
            name = f"model.{place}.conv_block.{position}"
            following = f"model.{place}.conv_block.{position + 1}"
            maps = state[f"{name}.weight"].shape[0]
            own |= layers.taken(name, following, kind, f"blocks.{number}.{part}", maps)
    last = state[f"{names[-1]}.weight"]
    own["to_image.weight"] = last
    own["to_image.bias"] = state.get(f"{names[-1]}.bias", torch.zeros(len(last)))
    width, channels = state[f"{names[0]}.weight"].shape[:2]
    blocks, drops = len(inner), second == 6
    return Network(
        "resnet",
        own,
        {
            # As the papers use them; any multiple of four will do.
            "image_size": 128 if blocks == 6 else 256,
            "channels": channels,
            "width": width,
            "blocks": blocks,
            "normalization": kind,
            "dropout": 0.5 if drops else 0.0,
        },
        f"ResNet generator of {blocks} blocks, {channels} channels, width {width}, "
        f"{layers.shown(kind)}, {'trained with' if drops else 'without'} dropout",
    )


def _role(variant: str, kind: str, file: Path) -> str:
    named = re.search(r"net_([GD]_[AB])(?![A-Za-z0-9])", file.name)
    if named and (kind == "patchgan") == named[1].startswith("D"):
        role = ROLES[named[1]]
        return "ab" if variant == ONE_WAY and role == "ba" else role
    if kind == "patchgan":
        raise CheckpointError(
            f"the name of {file} does not say which discriminator it is; name it "
            "latest_net_D_A.pth if it judges images of B, else latest_net_D_B.pth"
        )
    if variant == ONE_WAY:
        return "ab"
    raise CheckpointError(
        f"the name of {file} does not say which way its generator translates; name it "
        "latest_net_G_A.pth if from A to B, else latest_net_G_B.pth, or convert it alone, as "
        f"--variant {ONE_WAY}"
    )
