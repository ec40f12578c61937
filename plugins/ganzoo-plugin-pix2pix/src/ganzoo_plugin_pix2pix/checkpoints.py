"""Reads what pytorch-CycleGAN-and-pix2pix publishes: `latest_net_G.pth`, `edges2shoes.pth`, …

The names of its layers are their numbers in nested sequences, so that a normalisation without
weights or a dropout shows only by the numbers that it takes. All options are read from the names
and the shapes. The U-Net and the discriminators are read here; CycleGAN's plugin reads the others.

A bias before a normalisation over each image has no effect and is left out; so are the running
statistics that this normalisation kept in files of PyTorch before 0.4.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ganzoo_core.components import AuthorsWeights
from ganzoo_core.errors import CheckpointError
from ganzoo_core.hub.authors_files import read_authors_file, state_dict_of
from ganzoo_plugin_pix2pix.config import Normalization

State = dict[str, Tensor]
PROJECT = "pytorch-CycleGAN-and-pix2pix"

_RECEPTIVE_FIELDS = {1: 16, 2: 34, 3: 70, 4: 142, 5: 286}
_SHOWN: dict[Normalization, str] = {
    "batch": "batch normalisation",
    "instance": "instance normalisation",
    "none": "no normalisation",
}


@dataclass
class Network:
    """A network of a published file, under our names."""

    kind: str
    """`unet`, `patchgan` or `resnet`: our component's name."""
    state: State = field(default_factory=dict)
    settings: dict[str, int | float | str | bool] = field(default_factory=dict)
    """Of the component; `image_size` and `channels` of all."""
    words: str = ""
    """What it is, for people."""
    project: str = PROJECT

    def weights(
        self, role: str, described: str, file: Path, *, component: str = ""
    ) -> AuthorsWeights:
        """Return it as the network of a role; `component` names it where the recipe does not."""
        shared = ("image_size", "channels")
        settings = {
            name if name in shared else f"{role}.{name}": value
            for name, value in self.settings.items()
        }
        recognised = f"{described}, {self.project}'s {self.words}, as {role}"
        components = {role: component} if component else {}
        return AuthorsWeights({role: self.state}, settings, recognised, file, components)


class Layers:
    """The numbered layers of a published file."""

    def __init__(self, state: State) -> None:
        self.state = state

    def convolution(self, name: str) -> Tensor | None:
        """Return the kernels of a convolution, if `name` is one."""
        kernels = self.state.get(f"{name}.weight")
        return kernels if kernels is not None and kernels.dim() == 4 else None

    def normalization(self, convolution: str, following: str) -> Normalization:
        """Say what normalises after a convolution, by the names of both."""
        gains = self.state.get(f"{following}.weight")
        if gains is not None and gains.dim() == 1:
            return "batch"
        # The project gives convolutions a bias where it normalises over each image, and only there.
        return "instance" if f"{convolution}.bias" in self.state else "none"

    def shown(self, kind: Normalization) -> str:
        """Say how it is normalised, and what of it is left out."""
        old = kind == "instance" and any(name.endswith("running_mean") for name in self.state)
        return _SHOWN[kind] + (" (its old running statistics left out)" if old else "")

    def taken(
        self, convolution: str, following: str, kind: Normalization, ours: str, maps: int
    ) -> State:
        """Return a convolution and the normalisation after it as ours; `maps` leave it."""
        taken = {f"{ours}.convolution.weight": self.state[f"{convolution}.weight"]}
        if kind == "none":
            bias = self.state.get(f"{convolution}.bias")
            taken[f"{ours}.convolution.bias"] = torch.zeros(maps) if bias is None else bias
        elif kind == "batch":
            prefix = f"{following}."
            its = {k.removeprefix(prefix): v for k, v in self.state.items() if k.startswith(prefix)}
            its.setdefault("num_batches_tracked", torch.tensor(0))
            taken |= {f"{ours}.normalization.{name}": tensor for name, tensor in its.items()}
        return taken


def read(file: Path) -> AuthorsWeights:
    """Return pix2pix's generator or discriminator in `file`.

    Raises:
        CheckpointError: the file cannot be read, or is no such network of this project or of
            PyTorch-GAN.
    """
    from ganzoo_plugin_pix2pix import pytorch_gan  # it begins from what is defined here

    state, described = opened(file)
    network = (
        unet(state)
        or pytorch_gan.unet(state)
        or pytorch_gan.patchgan(state, pairs=True)
        or patchgan(state)
    )
    if network is None:
        raise unknown(file, "a U-Net or a PatchGAN", state)
    if network.kind == "unet":
        return network.weights("ab", described, file)
    channels = int(network.settings["channels"])
    if channels % 2 == 0:  # else it judges single images
        network.settings |= {"pairs": True, "channels": channels // 2}
    else:
        network.settings["pairs"] = False
    return network.weights("discriminator", described, file)


def opened(file: Path) -> tuple[State, str]:
    """Return the tensors of a file, and what format it has."""
    content = read_authors_file(file)
    return state_dict_of(content), content.format


def unknown(file: Path, wanted: str, state: State) -> CheckpointError:
    """Return the error that says that a file holds another network."""
    return CheckpointError(
        f"{file} is not {wanted} in the layout of {PROJECT} or of PyTorch-GAN: its first tensor "
        f"is {next(iter(state))!r}; other layouts are not read"
    )


def unet(state: State) -> Network | None:
    """Recognise a U-Net: sequences nested in one another, each two levels of ours."""
    layers = Layers(state)
    first, last = layers.convolution("model.model.0"), layers.convolution("model.model.3")
    if first is None or last is None or first.shape[1] != last.shape[1]:
        return None
    own: State = {}
    ups: list[tuple[str, str, int]] = []
    place, level = "model.model.1.model", 1
    kind: Normalization | None = None
    while True:
        down, innermost = layers.convolution(f"{place}.1"), layers.convolution(f"{place}.3")
        up = f"{place}.3" if innermost is not None else f"{place}.5"
        kernels = layers.convolution(up)
        if down is None or kernels is None:
            return None
        after = f"{place}.4" if innermost is not None else f"{place}.6"
        kind = kind or layers.normalization(up, after)
        ups.append((up, after, kernels.shape[1]))
        its: Normalization = "none" if innermost is not None else kind
        own |= layers.taken(f"{place}.1", f"{place}.2", its, f"downs.{level}", down.shape[0])
        level += 1
        if innermost is not None:
            break
        place = f"{place}.3.model"
    own |= layers.taken("model.model.0", "", "none", "downs.0", first.shape[0])
    for number, (up, after, maps) in enumerate(reversed(ups)):
        own |= layers.taken(up, after, kind, f"ups.{number}", maps)
    own["to_image.weight"] = last
    own["to_image.bias"] = state.get("model.model.3.bias", torch.zeros(last.shape[1]))
    width, channels = first.shape[:2]
    size = 2**level
    return Network(
        "unet",
        own,
        {
            "image_size": size,
            "channels": channels,
            "width": width,
            "normalization": kind,
            "as_trained": False,
        },
        f"U-Net generator of {size} pixels ({level} levels), {channels} channels, width {width}, "
        f"{layers.shown(kind)}, at rest as in eval mode",
    )


def patchgan(state: State) -> Network | None:
    """Recognise a discriminator: numbered layers of one sequence."""
    layers = Layers(state)
    names = numbered_convolutions(state)
    kernels = [state[f"{name}.weight"] for name in names]
    sides = {tuple(kernel.shape[2:]) for kernel in kernels}
    if len(kernels) < 3 or kernels[-1].shape[0] != 1 or len(sides) != 1:
        return None
    (side,) = sides
    halved = len(kernels) - 2
    if side == (4, 4) and halved in _RECEPTIVE_FIELDS:
        receptive_field = _RECEPTIVE_FIELDS[halved]
    elif side == (1, 1) and len(kernels) == 3:
        receptive_field = 1
    else:
        return None
    following = [re.sub(r"\d+$", lambda number: str(int(number[0]) + 1), name) for name in names]
    kind = layers.normalization(names[1], following[1])
    own: State = {}
    for number, (name, after, kernel) in enumerate(
        zip(names[:-1], following[:-1], kernels[:-1], strict=True)
    ):
        its: Normalization = kind if number else "none"
        own |= layers.taken(name, after, its, f"layers.{number}", kernel.shape[0])
    own["to_logits.weight"] = kernels[-1]
    own["to_logits.bias"] = state.get(f"{names[-1]}.bias", torch.zeros(1))
    width, channels = kernels[0].shape[:2]
    return Network(
        "patchgan",
        own,
        {
            "channels": channels,
            "width": width,
            "receptive_field": receptive_field,
            "normalization": kind,
        },
        f"PatchGAN discriminator of {receptive_field}x{receptive_field} pixels, {channels} "
        f"channels, width {width}, {layers.shown(kind)}",
    )


def numbered_convolutions(state: State) -> list[str]:
    """Return the names of the convolutions of one sequence, in their order."""
    numbers = sorted(
        (int(match[2]), match[1])
        for name, tensor in state.items()
        if (match := re.fullmatch(r"(model|net)\.(\d+)\.weight", name)) and tensor.dim() == 4
    )
    return [f"{prefix}.{number}" for number, prefix in numbers]
