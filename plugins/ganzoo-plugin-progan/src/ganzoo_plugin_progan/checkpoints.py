"""Reads the two layouts in which ProGANs are published for PyTorch.

pytorch_GAN_zoo: `{config, netG, netD, avgG}`, of which the config is a pickled object. It
multiplies a layer's answer by He's constant, the bias too, and has the same gain in all layers.

genforce: numbered layers and a buffer `lod`, one network or several under names such as
`generator_smooth`. Its layers are the authors', in another order: they normalise before they
convolve, and the first one is a convolution of a single pixel.

Sizes, feature maps, latents and classes are read from names and shapes.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganzoo_core.components import AuthorsWeights
from ganzoo_core.errors import CheckpointError
from ganzoo_core.hub.authors_files import constructor_of, read_authors_file, state_dict_of

State = dict[str, Tensor]
ZOO = "pytorch_GAN_zoo"
GENFORCE = "genforce"


@dataclass
class _Network:
    """A network of a published file, under our names."""

    role: str
    state: State
    project: str
    maps: tuple[int, ...]
    channels: int
    settings: dict[str, Any]
    """Of this network alone."""
    words: str = ""
    """What else there is to say about it."""

    @property
    def image_size(self) -> int:
        return 4 << (len(self.maps) - 1)


def read(file: Path) -> AuthorsWeights:
    """Return the generator, the discriminator or both in `file`.

    Of a generator and its moving average the average is taken.

    Raises:
        CheckpointError: the file cannot be read, is of neither layout, or has a network that ours
            is not equal to.
    """
    content = read_authors_file(file)
    networks = _networks(content, file)
    if not networks:
        raise CheckpointError(
            f"{file} is no ProGAN in the layout of {ZOO} or of {GENFORCE}; other layouts are not "
            "read"
        )
    shapes = {(network.image_size, network.channels) for network in networks}
    if len(shapes) > 1:
        raise CheckpointError(
            f"the networks in {file} are of different sizes and cannot be of one model"
        )
    ((image_size, channels),) = shapes
    settings: dict[str, Any] = {"image_size": image_size, "channels": channels}
    for network in networks:
        its = {"maps": list(network.maps), **network.settings}
        settings |= {f"{network.role}.{name}": value for name, value in its.items()}
    described = " and ".join(f"{each.role}{each.words}" for each in networks)
    recognised = (
        f"{content.format}, {networks[0].project}'s ProGAN {described}, "
        f"{image_size}x{image_size} pixels, {channels} channels"
    )
    return AuthorsWeights({each.role: each.state for each in networks}, settings, recognised, file)


def _networks(content: Any, file: Path) -> list[_Network]:
    holder = content.content
    if isinstance(holder, Mapping) and isinstance(holder.get("models"), Mapping):
        holder = holder["models"]
    if not isinstance(holder, Mapping):
        holder = {}
    if "netG" in holder or "avgG" in holder:
        return _of_zoo(content, file)
    found = []
    for names in (("generator_smooth", "generator"), ("discriminator",)):
        chosen = next((name for name in names if isinstance(holder.get(name), Mapping)), None)
        if chosen:
            found.append(_of_genforce(state_dict_of(holder[chosen]), file))
    if found:
        _refuse_conditional(found, file)
        return found
    try:
        state = state_dict_of(content)
    except CheckpointError:
        return []
    if "layer0.weight" in state:
        return [_of_genforce(state, file)]
    return [_generator_of_zoo(state, file, {})] if "formatLayer.module.weight" in state else []


def _of_zoo(content: Any, file: Path) -> list[_Network]:
    holder = content.content
    about: Mapping[str, Any] = {}
    if "config" in holder:
        about = constructor_of(content, "config").attributes
    state = state_dict_of(content, "avgG" if holder.get("avgG") else "netG")
    generator = _generator_of_zoo(state, file, about)
    if generator.settings["classes"] or "netD" not in holder:
        # Its discriminators of classes have their score among the classes' logits.
        return [generator]
    return [generator, _discriminator_of_zoo(state_dict_of(content, "netD"), file, about)]


def _generator_of_zoo(state: State, file: Path, about: Mapping[str, Any]) -> _Network:
    taken = _Taken(state, file, ZOO)
    top = _top(state, r"toRGBLayers\.(\d+)\.module\.weight", file, ZOO)
    taken.scaled("formatLayer", "blocks.0.spread", gain=math.sqrt(2) / 4)
    taken.scaled("groupScale0.0", "blocks.0.convolve")
    for level in range(top + 1):
        taken.scaled(f"toRGBLayers.{level}", f"to_image.{level}", gain=1)
        if level:
            for number, ours in enumerate(("first", "second")):
                taken.scaled(f"scaleLayers.{level - 1}.{number}", f"blocks.{level}.{ours}")
    own = taken.all(_alpha(about))
    inputs = own["blocks.0.spread.weight"].shape[1]
    classes = about.get("categoryVectorDim")
    classes = classes if isinstance(classes, int) and 0 < classes < inputs else 0
    return _Network(
        "generator",
        own,
        ZOO,
        tuple(own[f"to_image.{level}.weight"].shape[1] for level in range(top + 1)),
        len(own["to_image.0.weight"]),
        {"latent_size": inputs - classes, "classes": classes},
        f" with latents of {inputs - classes}" + (f" and {classes} classes" if classes else ""),
    )


def _discriminator_of_zoo(state: State, file: Path, about: Mapping[str, Any]) -> _Network:
    taken = _Taken(state, file, ZOO)
    top = _top(state, r"fromRGBLayers\.(\d+)\.module\.weight", file, ZOO)
    taken.scaled("groupScaleZero.0", "blocks.0.convolve")
    taken.scaled("groupScaleZero.1", "blocks.0.gather")
    taken.scaled("decisionLayer", "to_logits", gain=1)
    for level in range(top + 1):
        taken.scaled(f"fromRGBLayers.{level}", f"from_image.{level}")
        if level:
            for number, ours in enumerate(("first", "second")):
                taken.scaled(f"scaleLayers.{level - 1}.{number}", f"blocks.{level}.{ours}")
    own = taken.all(_alpha(about))
    compared = own["blocks.0.convolve.weight"]
    if compared.shape[1] != compared.shape[0] + 1:
        raise CheckpointError(
            f"the discriminator in {file} knows no minibatch standard deviation, which ganzoo's "
            "does; it cannot be converted"
        )
    # Its standard deviation over four images divides by three, and ours by four as the authors'.
    compared[:, -1] *= math.sqrt(4 / 3)
    return _Network(
        "discriminator",
        own,
        ZOO,
        tuple(len(own[f"from_image.{level}.weight"]) for level in range(top + 1)),
        own["from_image.0.weight"].shape[1],
        {"group": 4, "classes": len(own["to_logits.weight"]) - 1},
    )


def _of_genforce(state: State, file: Path) -> _Network:
    is_generator = any(name.startswith("output0.") for name in state)
    return (_generator_of_genforce if is_generator else _discriminator_of_genforce)(state, file)


def _generator_of_genforce(state: State, file: Path) -> _Network:
    taken = _Taken(state, file, GENFORCE)
    top = _top(state, r"output(\d+)\.weight", file, GENFORCE)
    # A pixel with three more of nothing around meets the kernels from their far corner on.
    taken.plain(
        "layer0", "blocks.0.spread", lambda w: w.flip(2, 3).permute(0, 2, 3, 1).flatten(0, 2)
    )
    fused = _is_fused(state)
    for level in range(top + 1):
        taken.plain(f"output{level}", f"to_image.{level}")
        taken.plain(f"layer{2 * level + 1}", f"blocks.{level}.{'second' if level else 'convolve'}")
        if level:
            # A transposed convolution has its kernels turned round, and its maps exchanged.
            turned = (lambda w: w.transpose(0, 1).flip(2, 3)) if fused else None
            taken.plain(f"layer{2 * level}", f"blocks.{level}.first", turned)
    spread = taken.own["blocks.0.spread.bias"]
    taken.own["blocks.0.spread.bias"] = spread.repeat_interleave(16)
    own = taken.all(state.get("lod"))
    inputs = own["blocks.0.spread.weight"].shape[1]
    return _Network(
        "generator",
        own,
        GENFORCE,
        tuple(own[f"to_image.{level}.weight"].shape[1] for level in range(top + 1)),
        len(own["to_image.0.weight"]),
        {"latent_size": inputs, "classes": 0},
        f" with latents of {inputs}" + (", fused enlarging" if fused else ""),
    )


def _discriminator_of_genforce(state: State, file: Path) -> _Network:
    taken = _Taken(state, file, GENFORCE)
    top = _top(state, r"input(\d+)\.weight", file, GENFORCE)
    for level in range(top + 1):
        place = top - level
        taken.plain(f"input{place}", f"from_image.{level}")
        ours = ("first", "second") if level else ("convolve", "gather")
        for number, name in enumerate(ours):
            taken.plain(f"layer{2 * place + number}", f"blocks.{level}.{name}")
    taken.plain("output", "to_logits")
    own = taken.all(state.get("lod"))
    return _Network(
        "discriminator",
        own,
        GENFORCE,
        tuple(len(own[f"from_image.{level}.weight"]) for level in range(top + 1)),
        own["from_image.0.weight"].shape[1],
        {"group": 16, "classes": len(own["to_logits.weight"]) - 1},
    )


def _refuse_conditional(networks: list[_Network], file: Path) -> None:
    roles = {network.role: network for network in networks}
    if (
        roles.keys() == {"generator", "discriminator"}
        and roles["discriminator"].settings["classes"]
    ):
        raise CheckpointError(
            f"the generator in {file} takes classes, which {GENFORCE} joins to normalised latents "
            "and ganzoo normalises with them; it cannot be converted"
        )


class _Taken:
    """What has been taken of a published state dict, under our names."""

    def __init__(self, state: State, file: Path, project: str) -> None:
        self.state = dict(state)
        self.file = file
        self.project = project
        self.own: State = {}

    def plain(self, theirs: str, ours: str, turned: Any = None) -> None:
        """Take a layer whose scale is ours."""
        weight, bias = self._pop(f"{theirs}.weight"), self._pop(f"{theirs}.bias")
        self.own[f"{ours}.weight"] = (turned(weight) if turned else weight).contiguous()
        self.own[f"{ours}.bias"] = bias

    def scaled(self, theirs: str, ours: str, gain: float = math.sqrt(2)) -> None:
        """Take a layer (W x + b) √(2 / fan_in); ours of a gain is W x gain / √fan_in + b."""
        weight = self._pop(f"{theirs}.module.weight")
        bias = self._pop(f"{theirs}.module.bias")
        scale = math.sqrt(2 / math.prod(weight.shape[1:]))
        self.own[f"{ours}.weight"] = weight * (math.sqrt(2) / gain)
        self.own[f"{ours}.bias"] = bias * scale

    def all(self, lod: Tensor | None) -> State:
        """Return everything, once nothing is left over."""
        self.state.pop("lod", None)
        if self.state:
            raise self._unknown(f"it has {next(iter(self.state))} beside what ours has")
        return self.own | {"lod": torch.zeros(()) if lod is None else lod.float().reshape(())}

    def _pop(self, name: str) -> Tensor:
        if name not in self.state:
            raise self._unknown(f"{name} is missing")
        return self.state.pop(name).float()

    def _unknown(self, why: str) -> CheckpointError:
        return CheckpointError(
            f"{self.file} is not a whole ProGAN in the layout of {self.project}: {why}"
        )


def _top(state: State, pattern: str, file: Path, project: str) -> int:
    """Return how often the size is doubled from 4 pixels."""
    numbers = {int(found[1]) for name in state if (found := re.fullmatch(pattern, name))}
    if numbers != set(range(len(numbers))) or not 1 <= len(numbers) <= 9:
        raise CheckpointError(
            f"{file} has images at the sizes {sorted(numbers)}, which is no ProGAN of {project}"
        )
    return max(numbers)


def _is_fused(state: State) -> bool:
    """Say whether enlarging convolutions are transposed ones, as one of unequal widths shows."""
    return any(
        int(found[1]) % 2 == 0
        and int(found[1]) > 0
        and len(state[f"layer{found[1]}.bias"]) != len(tensor)
        for name, tensor in state.items()
        if (found := re.fullmatch(r"layer(\d+)\.weight", name)) and tensor.dim() == 4
    )


def _alpha(about: Mapping[str, Any]) -> Tensor | None:
    """Return the weight of half the size, where the file was saved while it faded in."""
    alpha = about.get("alpha")
    return torch.tensor(float(alpha)) if isinstance(alpha, int | float) and 0 < alpha < 1 else None
