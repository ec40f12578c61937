"""Weights as others publish them, made up, and what their networks make of them.

The functions here are the authors' networks once more, in their own scales and by plain operations,
to hold what the readers make of their files against.
"""

import math
import pickle
import sys
import types
from pathlib import Path

import torch
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d, interpolate, leaky_relu, pad


class Network:
    """Pickles as dnnlib.tflib.network.Network of NVlabs/stylegan does: see its __getstate__."""

    def __init__(self, name, build, variables, components=None, **static_kwargs):
        self.state = {
            "version": 3,
            "name": name,
            "static_kwargs": static_kwargs,
            "components": components or {},
            "build_module_src": "raise SystemExit('this source must never run')",
            "build_func_name": build,
            "variables": list(variables.items()),
        }

    def __getstate__(self):
        return self.state


def pickled(content, file: Path, monkeypatch) -> Path:
    """Write networks of TensorFlow as misc.save_pkl does, for which their module must exist."""
    for name in ("dnnlib", "dnnlib.tflib", "dnnlib.tflib.network"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["dnnlib.tflib.network"].Network = Network
    monkeypatch.setattr(Network, "__module__", "dnnlib.tflib.network")
    with file.open("wb") as stream:
        pickle.dump(content, stream, protocol=pickle.HIGHEST_PROTOCOL)
    return file


def tensorflow_generator(state, name="Gs", **static_kwargs):
    """Return a generator of genforce's layout as the network of TensorFlow that it came from."""
    top = max(int(key.split("output")[1].split(".")[0]) for key in state if "output" in key)
    own, mapping, synthesis = {}, {}, {}
    for key, tensor in state.items():
        part, *rest = key.split(".")
        short = ".".join(rest)
        if key == "truncation.w_avg":
            own["lod"] = state["synthesis.lod"].numpy()
            own["dlatent_avg"] = tensor.numpy()
        elif short == "label_weight":
            mapping["LabelConcat/weight"] = tensor.numpy()
        elif part == "mapping":
            kind = rest[-1]
            mapping[f"Dense{rest[0][5:]}/{kind}"] = (
                tensor.T if kind == "weight" else tensor
            ).numpy()
        elif short == "lod":
            synthesis["lod"] = tensor.numpy()
        elif short.startswith("output"):
            level = int(rest[0][6:])
            array = tensor.permute(2, 3, 1, 0) if tensor.dim() == 4 else tensor
            synthesis[f"ToRGB_lod{top - level}/{rest[1]}"] = array.numpy()
        elif "blur" not in short:
            number = int(rest[0][5:])
            size = 4 << number // 2
            layer = ("Const", "Conv")[number] if number < 2 else ("Conv0_up", "Conv1")[number % 2]
            place, kind = f"{size}x{size}/{layer}", ".".join(rest[1:])
            if kind == "apply_noise.noise":
                synthesis[f"noise{number}"] = tensor.numpy()
            elif kind == "apply_noise.weight":
                synthesis[f"{place}/Noise/weight"] = tensor.numpy()
            elif kind.startswith("style"):
                array = tensor.T if kind.endswith("weight") else tensor
                synthesis[f"{place}/StyleMod/{kind[6:]}"] = array.numpy()
            else:
                array = tensor.permute(2, 3, 1, 0) if kind == "weight" else tensor
                synthesis[f"{place}/{kind}"] = array.numpy()
    components = {
        "synthesis": Network("G_synthesis", "G_synthesis", synthesis, **static_kwargs),
        "mapping": Network("G_mapping", "G_mapping", mapping, **static_kwargs),
    }
    return Network(name, "G_style", own, components, **static_kwargs)


def tensorflow_discriminator(state, **static_kwargs):
    """Return a discriminator of genforce's layout as the network of TensorFlow."""
    top = max(int(key[5:].split(".")[0]) for key in state if key.startswith("input"))
    variables = {"lod": torch.zeros(()).numpy()}
    for key, tensor in state.items():
        if "blur" in key or key == "lod":
            continue
        layer, kind = key.split(".")
        number = int(layer.removeprefix("input").removeprefix("layer"))
        if layer.startswith("input"):
            place = f"FromRGB_lod{number}"
        elif number < 2 * top:
            size = 4 << (top - number // 2)
            place = f"{size}x{size}/{('Conv0', 'Conv1_down')[number % 2]}"
        else:
            place = f"4x4/{('Conv', 'Dense0', 'Dense1')[number - 2 * top]}"
        orders = {4: (2, 3, 1, 0), 2: (1, 0)}
        order = orders.get(tensor.dim()) if kind == "weight" else None
        variables[f"{place}/{kind}"] = (tensor.permute(order) if order else tensor).numpy()
    return Network("D", "D_basic", variables, **static_kwargs)


def made_up(size, *, width=4, classes=0, latent=6, style=5, seed=0):
    """Return a generator and a discriminator in genforce's layout with random weights."""
    draws = torch.Generator().manual_seed(seed)
    top = size.bit_length() - 3
    inputs = latent * (2 if classes else 1)
    shapes = {f"mapping.dense{n}.weight": (style, inputs if not n else style) for n in range(3)}
    shapes |= {f"mapping.dense{n}.bias": (style,) for n in range(3)}
    if classes:
        shapes["mapping.label_weight"] = (classes, latent)
    shapes |= {"truncation.w_avg": (style,), "synthesis.layer0.const": (1, width, 4, 4)}
    for number in range(2 * top + 2):
        its, side = f"synthesis.layer{number}", 4 << number // 2
        if number:
            shapes[f"{its}.weight"] = (width, width, 3, 3)
        shapes |= {f"{its}.bias": (width,), f"{its}.apply_noise.weight": (width,)}
        shapes[f"{its}.apply_noise.noise"] = (1, 1, side, side)
        shapes |= {f"{its}.style.weight": (2 * width, style), f"{its}.style.bias": (2 * width,)}
    for level in range(top + 1):
        shapes[f"synthesis.output{level}.weight"] = (3, width, 1, 1)
        shapes[f"synthesis.output{level}.bias"] = (3,)
    judging = {}
    for number in range(top + 1):
        judging |= {f"input{number}.weight": (width, 3, 1, 1), f"input{number}.bias": (width,)}
    for number in range(2 * top):
        judging[f"layer{number}.weight"] = (width, width, 3, 3)
        judging[f"layer{number}.bias"] = (width,)
    judging[f"layer{2 * top}.weight"] = (width, width + 1, 3, 3)
    judging[f"layer{2 * top + 1}.weight"] = (width, width * 16)
    judging[f"layer{2 * top + 2}.weight"] = (max(classes, 1), width)
    judging |= {f"layer{2 * top + n}.bias": (width,) for n in range(2)}
    judging[f"layer{2 * top + 2}.bias"] = (max(classes, 1),)
    drawn = [
        {name: torch.randn(shape, generator=draws) for name, shape in its.items()}
        for its in (shapes, judging)
    ]
    for name in shapes:
        if name.startswith("mapping.dense"):
            drawn[0][name] *= 100  # which the rate of 0.01 undoes
    drawn[0]["synthesis.lod"] = drawn[1]["lod"] = torch.zeros(())
    return drawn


def _unit(tensor, dims):
    return tensor * torch.rsqrt(tensor.square().mean(dims, keepdim=True) + 1e-8)


def styles(state, latents, labels=None):
    """Return what NVlabs' mapping network makes of latents."""
    if labels is not None:
        latents = torch.cat([latents, state["mapping.label_weight"][labels]], 1)
    found = _unit(latents, 1)
    for number in range(3):
        weight, bias = (state[f"mapping.dense{number}.{kind}"] for kind in ("weight", "bias"))
        scale = math.sqrt(2 / weight.shape[1]) * 0.01
        found = leaky_relu(found @ (weight * scale).T + bias * 0.01, 0.2)
    return found


def _doubled(kernel):
    kernel = pad(kernel, (1, 1, 1, 1))
    return (
        kernel[:, :, 1:, 1:]
        + kernel[:, :, :-1, 1:]
        + kernel[:, :, 1:, :-1]
        + kernel[:, :, :-1, :-1]
    )


def _blurred(maps):
    taps = torch.tensor([1.0, 2.0, 1.0])
    kernel = (torch.outer(taps, taps) / 16).expand(maps.shape[1], 1, 3, 3)
    return conv2d(maps, kernel, padding=1, groups=maps.shape[1])


def images(state, w, fused_from=128):
    """Return what NVlabs' synthesis network draws of styles [N, style], with its fixed noise."""
    top = max(int(key[16:].split(".")[0]) for key in state if key.startswith("synthesis.output"))
    maps = state["synthesis.layer0.const"].repeat(len(w), 1, 1, 1)
    for number in range(2 * top + 2):
        its = f"synthesis.layer{number}"
        if number:
            weight = state[f"{its}.weight"]
            weight = weight * math.sqrt(2 / weight[0].numel())
        if number and number % 2:
            maps = conv2d(maps, weight, padding=1)
        elif number and 4 << number // 2 >= fused_from:
            turned = _doubled(weight.transpose(0, 1))
            maps = _blurred(conv_transpose2d(maps, turned, stride=2, padding=1))
        elif number:
            maps = _blurred(conv2d(interpolate(maps, scale_factor=2), weight, padding=1))
        noise = state[f"{its}.apply_noise.noise"] * state[f"{its}.apply_noise.weight"].view(
            -1, 1, 1
        )
        maps = leaky_relu(maps + noise + state[f"{its}.bias"].view(-1, 1, 1), 0.2)
        maps = _unit(maps - maps.mean((2, 3), keepdim=True), (2, 3))
        weight = state[f"{its}.style.weight"] / math.sqrt(w.shape[1])
        style = (w @ weight.T + state[f"{its}.style.bias"])[:, :, None, None]
        scale, shift = style.chunk(2, 1)
        maps = maps * (scale + 1) + shift
    weight = state[f"synthesis.output{top}.weight"]
    return conv2d(maps, weight / math.sqrt(weight.shape[1]), state[f"synthesis.output{top}.bias"])


def scores(state, pictures, fused_from=128):
    """Return what NVlabs' discriminator says of images, before it picks a class's score."""

    def weight_of(layer, gain=2.0):
        weight = state[f"{layer}.weight"]
        return weight * math.sqrt(gain / weight[0].numel())

    top = max(int(key[5:].split(".")[0]) for key in state if key.startswith("input"))
    maps = leaky_relu(conv2d(pictures, weight_of("input0"), state["input0.bias"]), 0.2)
    for number in range(0, 2 * top, 2):
        first, second = f"layer{number}", f"layer{number + 1}"
        size = maps.shape[2]
        maps = leaky_relu(conv2d(maps, weight_of(first), state[f"{first}.bias"], padding=1), 0.2)
        maps = _blurred(maps)
        if size >= fused_from:
            kernel = _doubled(weight_of(second)) / 4
            maps = conv2d(maps, kernel, state[f"{second}.bias"], stride=2, padding=1)
        else:
            maps = conv2d(maps, weight_of(second), state[f"{second}.bias"], padding=1)
            maps = avg_pool2d(maps, 2)
        maps = leaky_relu(maps, 0.2)
    deviation = torch.sqrt(maps.var(0, correction=0) + 1e-8).mean()
    maps = torch.cat([maps, deviation.expand(len(maps), 1, 4, 4)], 1)
    last = f"layer{2 * top}"
    maps = leaky_relu(conv2d(maps, weight_of(last), state[f"{last}.bias"], padding=1), 0.2)
    gathered = f"layer{2 * top + 1}"
    flat = maps.flatten(1) @ weight_of(gathered).T + state[f"{gathered}.bias"]
    end = f"layer{2 * top + 2}"
    return leaky_relu(flat, 0.2) @ weight_of(end, 1.0).T + state[f"{end}.bias"]
