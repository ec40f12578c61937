"""Reads published weights: NVlabs' TensorFlow pickles, and genforce's and rosinality's files.

The names of the first are brought to those of the second, a faithful port, and these to ours. Two
things differ in all of them. Upscaling convolutions of 128 pixels and more are "fused" in their
networks, a transposed convolution whose kernel is not turned round; ours is the same as theirs with
the kernel turned. And ours multiply AdaIN's scales onto 1, as NVlabs' do, where rosinality's begin
at 1.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganzoo_core.components import AuthorsWeights
from ganzoo_core.errors import CheckpointError
from ganzoo_core.hub.authors_files import (
    AuthorsFile,
    Inert,
    constructor_of,
    read_authors_file,
    state_dict_of,
)
from ganzoo_core.nn.meta import without_initialisation
from ganzoo_plugin_stylegan.config import StyleGANGeneratorConfig
from ganzoo_plugin_stylegan.networks import Mapping as MappingNetwork

State = dict[str, Tensor]

FUSED_FROM = 128
"""Side in pixels from which the authors' networks fuse upscaling unless told otherwise."""
RATE = 0.01
"""The mapping network's factor on the learning rate, which stored weights are divided by."""
MEAN_OF = 10_240
"""Styles whose mean stands in for one that was not stored, as rosinality's script takes it."""
SEED = 0
"""Of the latents for that, and of the fixed noise where none was stored."""

FUSED_SCALES = {"auto": FUSED_FROM, "True": 0, "False": math.inf}
"""From which side on they fuse it, by what they were told."""

_PLAIN = {
    "use_styles": True,
    "const_input_layer": True,
    "use_noise": True,
    "use_wscale": True,
    "use_pixel_norm": False,
    "use_instance_norm": True,
    "normalize_latents": True,
    "nonlinearity": "lrelu",
    "mapping_nonlinearity": "lrelu",
    "blur_filter": [1, 2, 1],
}
"""What the networks of NVlabs can be told otherwise, and ours cannot."""


@dataclass
class _Source:
    """A network's tensors, each to be taken once."""

    state: State
    where: str
    taken: set[str] = field(default_factory=set)

    def take(self, name: str) -> Tensor:
        """Return a tensor.

        Raises:
            CheckpointError: it is missing.
        """
        if name not in self.state:
            raise CheckpointError(
                f"{self.where} lacks {name}, so it is no whole network; get it again from where it "
                "is published"
            )
        self.taken.add(name)
        return self.state[name].float()

    def has(self, name: str) -> bool:
        """Say whether a tensor is there."""
        return name in self.state

    def check_empty(self, but: str) -> None:
        """Refuse tensors that nobody took.

        Raises:
            CheckpointError: there are some whose names `but` does not match.
        """
        left = [n for n in self.state if n not in self.taken and not re.search(but, n)]
        if left:
            raise CheckpointError(
                f"{self.where} has {left[0]}, which no StyleGAN of its project has by default; "
                "networks with other options cannot be converted"
            )


def read(file: Path) -> AuthorsWeights:
    """Return the generator, and where it is there the discriminator, of a published file.

    Raises:
        CheckpointError: the file cannot be read, or is none of the layouts that are known.
    """
    found = read_authors_file(file)
    networks = _tensorflow(found) or _pickled_dicts(found)
    if networks is None:
        raise CheckpointError(
            f"{file} holds no StyleGAN of NVlabs/stylegan, genforce or rosinality's "
            "style-based-gan-pytorch; other layouts are not known"
        )
    return networks


def _pickled_dicts(found: AuthorsFile) -> AuthorsWeights | None:
    """Read the state dicts of genforce or rosinality."""
    content = found.content
    if isinstance(content, Mapping) and isinstance(content.get("models"), Mapping):
        content = content["models"]
    where = str(found.path)
    generator = _first(content, ("generator_smooth", "g_running", "generator"))
    discriminator = _first(content, ("discriminator",))
    if generator is None and discriminator is None:
        state = _tensors(content)
        if "layer0.weight" in state:
            discriminator = state
        else:
            generator = state
    if generator and "generator.progression.0.conv1.input" in generator:
        return _rosinality(generator, found.path)
    read = []
    if generator and "synthesis.layer0.const" in generator:
        read.append(_generator(_Source(generator, where), FUSED_FROM))
    if discriminator and "input0.weight" in discriminator:
        read.append(_discriminator(_Source(discriminator, where)))
    return _together("genforce", read, found.path) if read else None


def _tensorflow(found: AuthorsFile) -> AuthorsWeights | None:
    """Read the pickled networks G, D and Gs of NVlabs/stylegan, or one of them alone."""
    content = found.content
    networks = list(content) if isinstance(content, tuple | list) else [content]
    read: dict[str, _Read] = {}
    for network in networks:
        if not isinstance(network, Inert) or not isinstance(network.get("variables"), list):
            continue
        built = constructor_of(network)
        state = dict(_renamed(state_dict_of(network)))
        where = f"the network {network.get('name')!r} of {found.path}"
        _check_options(built.kwargs, where)
        if "synthesis.layer0.const" in state:
            fused: object = built.kwargs.get("fused_scale", "auto")
            its = _generator(_Source(state, where), FUSED_SCALES[str(fused)])
            if "truncation_cutoff" in built.kwargs:
                its.settings["generator.truncation_cutoff"] = built.kwargs["truncation_cutoff"]
            # The last of G, D, Gs is the moving average of the first.
            read["generator"] = its
        elif "input0.weight" in state:
            read["discriminator"] = _discriminator(_Source(state, where))
    return _together("NVlabs/stylegan", list(read.values()), found.path) if read else None


def _check_options(given: Mapping[str, object], where: str) -> None:
    for option, plain in _PLAIN.items():
        value = given.get(option, plain)
        if (list(value) if isinstance(value, tuple) else value) != plain:
            raise CheckpointError(
                f"{where} was built with {option} = {value!r}, which ganzoo's StyleGAN has not; it "
                "cannot be converted"
            )
    if str(given.get("fused_scale", "auto")) not in FUSED_SCALES:
        raise CheckpointError(
            f"{where} was built with fused_scale = {given['fused_scale']!r}, which no code of its "
            "project takes; get it again from where it is published"
        )


_BLOCK = re.compile(r"(?:^|/)(\d+)x\1/(Const|Conv0_up|Conv0|Conv1_down|Conv1|Conv|Dense\d)/(.+)$")
_OTHER = re.compile(
    r"(?:^|/)(?:Dense(\d+)/(weight|bias)|(To|From)RGB_lod(\d+)/(weight|bias)|noise(\d+))$"
)
_WITHIN = {
    "StyleMod/weight": "style.weight",
    "StyleMod/bias": "style.bias",
    "Noise/weight": "apply_noise.weight",
}
_ALONE = {
    "lod": "synthesis.lod",
    "dlatent_avg": "truncation.w_avg",
    "LabelConcat/weight": "mapping.label_weight",
}


def _renamed(variables: State) -> Iterator[tuple[str, Tensor]]:
    """Bring the variables of a TensorFlow network to genforce's names and PyTorch's order."""
    sizes = [int(match[1]) for name in variables if (match := _BLOCK.search(name))]
    top = int(math.log2(max(sizes, default=4))) - 2
    judges = any("FromRGB" in name for name in variables)
    for name, tensor in variables.items():
        if name.endswith("weight") and tensor.dim() == 4:
            tensor = tensor.permute(3, 2, 0, 1)
        elif name.endswith("weight") and tensor.dim() == 2 and "LabelConcat" not in name:
            tensor = tensor.T
        block, other = _BLOCK.search(name), _OTHER.search(name)
        if block:
            level, layer = int(math.log2(int(block[1]))) - 2, block[2]
            first = 2 * (top - level if judges else level)
            second = layer in ("Conv1", "Conv1_down", "Dense0") or (layer == "Conv" and not judges)
            number = first + (2 if layer == "Dense1" else int(second))
            place = "" if judges else "synthesis."
            yield f"{place}layer{number}.{_WITHIN.get(block[3], block[3])}", tensor
        elif other and other[1]:
            yield f"mapping.dense{other[1]}.{other[2]}", tensor
        elif other and other[3] == "To":
            yield f"synthesis.output{top - int(other[4])}.{other[5]}", tensor
        elif other and other[3]:
            yield f"input{other[4]}.{other[5]}", tensor
        elif other:
            yield f"synthesis.layer{other[6]}.apply_noise.noise", tensor
        else:
            short = next((each for each in _ALONE if f"/{name}".endswith(f"/{each}")), "")
            yield _ALONE.get(short, name) if not judges else name, tensor


@dataclass
class _Read:
    """A network in our terms."""

    role: str
    state: State
    settings: dict[str, Any]
    said: str


def _together(project: str, read: list[_Read], file: Path) -> AuthorsWeights:
    settings: dict[str, Any] = {}
    for its in read:
        for name, value in its.settings.items():
            if settings.setdefault(name, value) != value:
                raise CheckpointError(
                    f"the networks in {file} do not belong together: {name} is {settings[name]} of "
                    f"one and {value} of the other"
                )
    said = "; ".join(its.said for its in read)
    return AuthorsWeights(
        {its.role: its.state for its in read}, settings, f"{project}: {said}", file
    )


def _generator(source: _Source, fused_from: float) -> _Read:
    """Bring a generator from genforce's names and scales to ours."""
    take = source.take
    layers = _count(source.state, r"synthesis\.layer(\d+)\.bias")
    depth = _count(source.state, r"mapping\.dense(\d+)\.weight")
    levels = layers // 2
    state: State = {
        "lod": take("synthesis.lod").reshape(())
        if source.has("synthesis.lod")
        else torch.zeros(()),
        "style_mean": take("truncation.w_avg"),
        "constant": take("synthesis.layer0.const"),
    }
    for number in range(depth):
        for kind in ("weight", "bias"):
            state[f"mapping.layers.{number}.{kind}"] = take(f"mapping.dense{number}.{kind}")
    classes = 0
    if source.has("mapping.label_weight"):
        state["mapping.embedding"] = take("mapping.label_weight")
        classes = len(state["mapping.embedding"])
    fused = []
    for number in range(layers):
        level, second = divmod(number, 2)
        theirs = f"synthesis.layer{number}"
        ours = f"blocks.{level}.{'second' if second else 'first'}"
        state[f"{ours}.bias"] = take(f"{theirs}.bias")
        state[f"{ours}.strength"] = take(f"{theirs}.apply_noise.weight")
        state[f"{ours}.style.weight"] = take(f"{theirs}.style.weight")
        state[f"{ours}.style.bias"] = take(f"{theirs}.style.bias")
        state[f"blocks.{level}.noises.{second}.fixed"] = take(f"{theirs}.apply_noise.noise")
        if second:
            state[f"blocks.{level}.convolution.weight"] = take(f"{theirs}.weight")
        elif number:
            weight = take(f"{theirs}.weight")
            if 4 << level >= fused_from:
                fused.append(4 << level)
                weight = weight.flip(2, 3)
            state[f"blocks.{level}.up.convolution.weight"] = weight
    for level in range(levels):
        for kind in ("weight", "bias"):
            state[f"to_image.{level}.{kind}"] = take(f"synthesis.output{level}.{kind}")
    source.check_empty(but=r"blur\.kernel$|/lod$")
    settings = _settings(state, levels, depth, classes)
    return _Read("generator", state, settings, _said(settings, fused, float(state["lod"])))


def _discriminator(source: _Source) -> _Read:
    """Bring a discriminator from genforce's names and scales to ours."""
    levels = _count(source.state, r"input(\d+)\.weight")
    top = levels - 1
    state: State = {"lod": source.take("lod").reshape(()) if source.has("lod") else torch.zeros(())}
    places = {f"layer{2 * top}": "blocks.0.convolve", f"layer{2 * top + 1}": "blocks.0.gather"}
    places[f"layer{2 * top + 2}"] = "to_logits"
    for number in range(top):
        places[f"layer{2 * number}"] = f"blocks.{top - number}.first"
        places[f"layer{2 * number + 1}"] = f"blocks.{top - number}.second"
    for number in range(levels):
        places[f"input{number}"] = f"from_image.{top - number}"
    for theirs, ours in places.items():
        for kind in ("weight", "bias"):
            state[f"{ours}.{kind}"] = source.take(f"{theirs}.{kind}")
    source.check_empty(but=r"blur\.kernel$")
    scores = len(state["to_logits.weight"])
    settings: dict[str, Any] = {
        "image_size": 4 << top,
        "channels": state["from_image.0.weight"].shape[1],
        "classes": scores if scores > 1 else 0,
        "discriminator.maps": [len(state[f"from_image.{level}.weight"]) for level in range(levels)],
    }
    return _Read("discriminator", state, settings, "its discriminator")


def _rosinality(theirs: State, file: Path) -> AuthorsWeights:
    """Bring rosinality's generator to ours; its discriminator has other layers than the paper's."""
    source = _Source({name: tensor.float() for name, tensor in theirs.items()}, str(file))
    take = source.take
    whole = _count(theirs, r"generator\.progression\.(\d+)\.conv2\.conv\.bias")
    levels = _trained_levels(theirs, whole, file)
    depth = _count(theirs, r"style\.(\d+)\.linear\.bias", step=2)
    state: State = {
        "lod": torch.zeros(()),
        "constant": take("generator.progression.0.conv1.input"),
    }
    root = math.sqrt(2)
    for number in range(depth):
        its = f"style.{2 * number + 1}.linear"
        state[f"mapping.layers.{number}.weight"] = take(f"{its}.weight_orig") / RATE
        state[f"mapping.layers.{number}.bias"] = take(f"{its}.bias") / RATE
    fused = []
    for level in range(levels):
        its, ours = f"generator.progression.{level}", f"blocks.{level}"
        state[f"{ours}.convolution.weight"] = take(f"{its}.conv2.conv.weight_orig")
        state[f"{ours}.second.bias"] = take(f"{its}.conv2.conv.bias")
        width = len(state[f"{ours}.second.bias"])
        if not level:
            state[f"{ours}.first.bias"] = torch.zeros(width)
        elif source.has(f"{its}.conv1.0.weight"):
            fused.append(4 << level)
            kernel = take(f"{its}.conv1.0.weight").transpose(0, 1).flip(2, 3)
            state[f"{ours}.up.convolution.weight"] = kernel / 4
            state[f"{ours}.first.bias"] = take(f"{its}.conv1.0.bias")
        else:
            state[f"{ours}.up.convolution.weight"] = take(f"{its}.conv1.1.conv.weight_orig")
            state[f"{ours}.first.bias"] = take(f"{its}.conv1.1.conv.bias")
        for part, number in (("first", 1), ("second", 2)):
            strength = take(f"{its}.noise{number}.weight_orig").view(-1)
            state[f"{ours}.{part}.strength"] = strength * math.sqrt(2 / width)
            style = take(f"{its}.adain{number}.style.linear.weight_orig")
            state[f"{ours}.{part}.style.weight"] = style * root
            bias = take(f"{its}.adain{number}.style.linear.bias").clone()
            bias[:width] -= 1
            state[f"{ours}.{part}.style.bias"] = bias
        state[f"to_image.{level}.weight"] = (
            take(f"generator.to_rgb.{level}.conv.weight_orig") * root
        )
        state[f"to_image.{level}.bias"] = take(f"generator.to_rgb.{level}.conv.bias")
    source.check_empty(but=r"\.weight_flip$|conv1\.[12]\.weight$|progression\.|to_rgb\.")
    settings = _settings(state, levels, depth, 0)
    settings |= {
        "generator.shared_noise": True,
        "generator.bias_before_blur": True,
        "generator.epsilon": 1e-5,
    }
    draws = torch.Generator().manual_seed(SEED)
    state["style_mean"] = _mean_style(state, settings, draws)
    for level in range(levels):
        shape = (1, 1, 4 << level, 4 << level)
        state[f"blocks.{level}.noises.0.fixed"] = torch.randn(shape, generator=draws)
    said = (
        f"{_said(settings, fused, 0.0)}; its moving average; the mean style is not stored and was "
        f"taken over {MEAN_OF:,} latents of seed {SEED}, and so was fixed noise; its discriminator "
        "is not the paper's and was left out"
    )
    return AuthorsWeights(
        {"generator": state}, settings, f"rosinality/style-based-gan-pytorch: {said}", file
    )


def _trained_levels(theirs: State, whole: int, file: Path) -> int:
    """Return at how many sizes rosinality's generator, always built for 1024 pixels, was trained.

    The files are named after it; else the noise of layers that were never trained has weights of 0.
    """
    named = re.search(r"(\d+)\s?px", file.name)
    if named:
        levels = int(named[1]).bit_length() - 2
        if 4 << (levels - 1) != int(named[1]) or not 2 <= levels <= whole:
            raise CheckpointError(
                f"the name of {file} says {named[1]} pixels, and its layers are for 8 to "
                f"{2 << whole}; name it after its size, such as stylegan-256px.model"
            )
        return levels
    while whole > 2 and not any(
        theirs[f"generator.progression.{whole - 1}.noise{number}.weight_orig"].any()
        for number in (1, 2)
    ):
        whole -= 1
    return whole


def _mean_style(state: State, settings: Mapping[str, Any], draws: torch.Generator) -> Tensor:
    own = {
        name.removeprefix("generator."): value
        for name, value in settings.items()
        if name.startswith("generator.")
    }
    config = StyleGANGeneratorConfig(image_size=settings["image_size"], **own)
    with without_initialisation(), torch.device("meta"):
        mapping = MappingNetwork(config)
    prefix = "mapping."
    mapping.load_state_dict(
        {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}, assign=True
    )
    with torch.no_grad():
        latents = torch.randn(MEAN_OF, config.latent_size, generator=draws)
        mean: Tensor = mapping(latents).mean(0)
    return mean


def _settings(state: State, levels: int, depth: int, classes: int) -> dict[str, Any]:
    inputs = state["mapping.layers.0.weight"].shape[1]
    hidden = state["mapping.layers.0.weight"].shape[0]
    return {
        "image_size": 4 << (levels - 1),
        "channels": len(state["to_image.0.bias"]),
        "classes": classes,
        "generator.latent_size": inputs // 2 if classes else inputs,
        "generator.style_size": len(state[f"mapping.layers.{depth - 1}.bias"]),
        "generator.mapping_layers": depth,
        "generator.mapping_width": hidden,
        "generator.maps": [len(state[f"blocks.{level}.second.bias"]) for level in range(levels)],
    }


def _said(settings: Mapping[str, Any], fused: list[int], lod: float) -> str:
    size, classes = settings["image_size"], settings["classes"]
    said = f"generator of {size}×{size} images of {settings['channels']} channels"
    said += f", conditioned on {classes} classes" if classes else ", unconditional"
    said += f", upscaling fused from {fused[0]} pixels on" if fused else ", upscaling not fused"
    return said + (f", grown to a level of detail of {lod:g}" if lod else "")


def _count(state: Mapping[str, Tensor], pattern: str, step: int = 1) -> int:
    """Return how many layers are numbered by a pattern's group, `step` apart."""
    numbers = {int(match[1]) for name in state if (match := re.fullmatch(pattern, name))}
    return max(numbers, default=-1) // step + 1


def _tensors(content: object) -> State:
    if not isinstance(content, Mapping):
        return {}
    found = {str(name): tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}
    if found and all(name.startswith("module.") for name in found):
        return {name.removeprefix("module."): tensor for name, tensor in found.items()}
    return found


def _first(content: object, keys: tuple[str, ...]) -> State | None:
    """Return the first of some state dicts that is there."""
    if not isinstance(content, Mapping):
        return None
    return next((state for key in keys if (state := _tensors(content.get(key)))), None)
