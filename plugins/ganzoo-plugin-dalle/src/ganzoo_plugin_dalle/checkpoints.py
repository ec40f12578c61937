"""Published weights: OpenAI's discrete autoencoder, and DALLE-pytorch's autoencoders and DALL-E.

OpenAI's `encoder.pkl` and `decoder.pkl` are whole pickled modules, and DALLE-pytorch's files are
dictionaries with hyper-parameters beside the weights. All are read as data: nothing in them runs.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ganzoo_core.components import AuthorsWeights
from ganzoo_core.errors import CheckpointError
from ganzoo_core.hub.authors_files import AuthorsFile, read_authors_file, state_dict_of

_ENTRY = "ganzoo-plugin-dalle/"
_ATTENTION = {"full": "full", "axial_row": "row", "axial_col": "column", "conv_like": "convolution"}


def read_checkpoint(variant: str, file: Path) -> AuthorsWeights:
    """Read published weights of `dvae` or `dalle`.

    Raises:
        CheckpointError: the file cannot be read, or holds none of these networks.
    """
    content = read_authors_file(_of_deepspeed(file) if file.is_dir() else file)
    its_all = content.content if isinstance(content.content, Mapping) else {}
    place = next((key for key in ("weights", "module") if key in its_all), None)
    if place is not None:
        if isinstance(its_all[place], str):
            raise CheckpointError(
                f"{file} is the part of a DeepSpeed checkpoint without weights; give the folder "
                "that it lies in"
            )
        weights = state_dict_of(content, place)
        hparams = its_all.get("hparams")
        its = dict(hparams) if isinstance(hparams, Mapping) else {}
        if any(name.startswith("vae.") for name in weights):
            return _dalle_pytorch(weights, its, content, variant)
        return _strided(weights, its, file)
    weights = state_dict_of(content)
    if "blocks.input.w" in weights:
        return _openai(weights, file)
    if "codebook.weight" in weights:
        return _strided(weights, {}, file)
    raise _unknown(file)


def _of_deepspeed(folder: Path) -> Path:
    """Return the newest file of weights in a folder that DeepSpeed wrote.

    Raises:
        CheckpointError: there is none, or the weights are spread over several.
    """
    newest = max(folder.glob("global_step*"), key=_step_of, default=folder)
    if any(newest.glob("zero_pp_rank_*_model_states.pt")):
        raise CheckpointError(
            f"the weights in {newest} are spread over its processes (ZeRO stage 3); join them with "
            "DeepSpeed's zero_to_fp32.py, and save them with the hyper-parameters as `weights`"
        )
    files = sorted(newest.glob("mp_rank_*_model_states.pt"))
    if len(files) != 1:
        raise CheckpointError(
            f"{folder} holds {len(files) or 'no'} files mp_rank_00_model_states.pt, and one is "
            "read; give a folder that DALLE-pytorch wrote with DeepSpeed"
        )
    return files[0]


def _step_of(folder: Path) -> int:
    digits = folder.name.removeprefix("global_step")
    return int(digits) if digits.isdecimal() else -1


def _openai(weights: Mapping[str, Tensor], file: Path) -> AuthorsWeights:
    """Read one of OpenAI's modules: its convolutions call their tensors w and b."""
    state = {re.sub(r"\.w$", ".weight", re.sub(r"\.b$", ".bias", k)): v for k, v in weights.items()}
    groups = sum(f"blocks.group_{n}.block_1.res_path.conv_1.weight" in state for n in range(1, 8))
    blocks = sum(f"blocks.group_1.block_{n}.res_path.conv_1.weight" in state for n in range(1, 65))
    first, last = state.get("blocks.input.weight"), state.get("blocks.output.conv.weight")
    if first is None or last is None or not groups:
        raise _unknown(file)
    if first.shape[2] == 7:
        role, codes, channels, width = "encoder", len(last), first.shape[1], len(first)
        settings: dict[str, Any] = {"encoder.width": width}
    else:
        role, codes, channels, width = "decoder", first.shape[1], len(last) // 2, last.shape[1]
        settings = {"decoder.width": width, "decoder.stem": len(first)}
    settings |= {"codes": codes, "channels": channels, "groups": groups, "blocks": blocks}
    said = (
        f"OpenAI's {role} with {codes} codes, {groups} groups of {blocks} blocks, {width} channels"
    )
    return AuthorsWeights({role: state}, settings, said, file)


def _strided(
    weights: Mapping[str, Tensor], hparams: Mapping[str, Any], file: Path
) -> AuthorsWeights:
    """Read DALLE-pytorch's `DiscreteVAE`."""
    networks, settings, said = _strided_parts(weights, hparams, file)
    components = {"encoder": f"{_ENTRY}strided", "decoder": f"{_ENTRY}strided"}
    return AuthorsWeights(networks, settings, f"DALLE-pytorch's {said}", file, components)


def _strided_parts(
    weights: Mapping[str, Tensor], hparams: Mapping[str, Any], file: Path
) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any], str]:
    def sequence(prefix: str) -> tuple[dict[str, Tensor], int, int]:
        """Rename layers, which lie one behind the other, some of them within a block."""
        numbers = sorted(
            {int(n.split(".")[1]) for n in weights if re.match(rf"{prefix}\.\d+\.", n)}
        )
        state: dict[str, Tensor] = {}
        place = strided = blocks = 0
        for number in numbers:
            its = {n: t for n, t in weights.items() if n.startswith(f"{prefix}.{number}.")}
            start = f"{prefix}.{number}."
            for name, tensor in its.items():
                rest = name.removeprefix(start)
                rest = re.sub(r"^net\.", "layers.", re.sub(r"^0\.", "", rest))
                state[f"layers.{place}.{rest}"] = tensor
            is_block = any(n.startswith(f"{start}net.") for n in its)
            is_strided = any(n.startswith(f"{start}0.") for n in its)
            blocks += is_block
            strided += is_strided
            place += 2 if is_strided else 1  # a rectifier follows each strided convolution
        return state, strided, blocks

    encoder, layers, blocks = sequence("encoder")
    decoder, _, _ = sequence("decoder")
    codebook = weights.get("codebook.weight")
    if codebook is None or not encoder or not decoder or not layers:
        raise _unknown(file)
    decoder["codebook.weight"] = codebook
    first = weights["encoder.0.0.weight"]
    settings: dict[str, Any] = {
        "codes": len(codebook),
        "groups": layers + 1,
        "channels": first.shape[1],
        "encoder.width": len(first),
        "decoder.width": len(first),
        "blocks": blocks,
        "code_size": codebook.shape[1],
    }
    if isinstance(size := hparams.get("image_size"), int):
        settings["image_size"] = size
    said = f"discrete autoencoder with {len(codebook)} codes and {layers} strided layers"
    return {"encoder": encoder, "decoder": decoder}, settings, said


def _dalle_pytorch(
    weights: Mapping[str, Tensor], hparams: Mapping[str, Any], content: AuthorsFile, variant: str
) -> AuthorsWeights:
    """Read DALLE-pytorch's `DALLE`, its autoencoder included."""
    file = content.path
    assert isinstance(content.content, Mapping)
    vae_params = content.content.get("vae_params")
    vae = {n.removeprefix("vae."): t for n, t in weights.items() if n.startswith("vae.")}
    if any(name.startswith("model.") for name in vae):
        raise CheckpointError(f"{file} has the codes of a VQGAN, which are not read")
    components = {}
    networks: Mapping[str, Mapping[str, Tensor]]
    if "enc.blocks.input.w" in vae:
        networks, settings, said = _openai_parts(vae, file)
    else:
        networks, settings, said = _strided_parts(
            vae, vae_params if isinstance(vae_params, Mapping) else {}, file
        )
        components = {"encoder": f"{_ENTRY}strided", "decoder": f"{_ENTRY}strided"}
    recognised = f"DALLE-pytorch's {said}"
    if variant == "dvae":
        return AuthorsWeights(networks, settings, recognised, file, components)
    prior, its = _rotary(weights, dict(hparams), settings, file)
    its["prior.centred"] = _version(content.content.get("version")) < _CAUSAL
    kinds = ", ".join(dict.fromkeys(its["prior.attention"]))
    return AuthorsWeights(
        {**networks, "prior": prior},
        settings | its,
        f"{recognised}, and a transformer of {its['prior.layers']} layers ({kinds})",
        file,
        components | {"prior": f"{_ENTRY}rotary"},
    )


def _openai_parts(
    vae: Mapping[str, Tensor], file: Path
) -> tuple[dict[str, Mapping[str, Tensor]], dict[str, Any], str]:
    """Read OpenAI's autoencoder as DALLE-pytorch holds it."""
    networks: dict[str, Mapping[str, Tensor]] = {}
    settings: dict[str, Any] = {}
    for prefix in ("enc.", "dec."):
        its = {n.removeprefix(prefix): t for n, t in vae.items() if n.startswith(prefix)}
        part = _openai(its, file)
        networks |= part.networks
        settings |= part.settings
    return networks, settings, f"copy of OpenAI's autoencoder with {settings['codes']} codes"


_CAUSAL = (1, 5)
"""The version since which convolutional attention reaches up and left, rather than to all sides."""


def _version(said: object) -> tuple[int, ...]:
    """Return a version as numbers; the first ones said none."""
    return tuple(map(int, re.findall(r"\d+", said)[:3])) if isinstance(said, str) else ()


def _rotary(
    weights: Mapping[str, Tensor],
    hparams: Mapping[str, Any],
    vae: Mapping[str, Any],
    file: Path,
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        logits = weights["to_logits.1.weight"]
        if "text_emb.linear.weight" in weights:
            # Embeddings that are shared with the output are rows of it.
            text, image = logits.split([len(logits) - vae["codes"], vae["codes"]])
        else:
            text, image = weights["text_emb.weight"], weights["image_emb.weight"]
        length = int(hparams["text_seq_len"])
        heads = int(hparams["heads"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{file} is of DALLE-pytorch, and its transformer lacks {error}; it is of a version "
            "that is not read, or was saved without its hyper-parameters"
        ) from None
    state = {
        "text_tokens.weight": text,
        "image_tokens.weight": image,
        "norm.weight": weights["to_logits.0.weight"],
        "norm.bias": weights["to_logits.0.bias"],
        "to_logits.weight": logits,
        "to_logits.bias": weights["to_logits.1.bias"],
    }
    layers: set[int] = set()
    for name, tensor in weights.items():
        found = _LAYER.fullmatch(name)
        if found is None:
            continue
        number, half, rest = int(found[1]), "01fg".index(found[2] or found[3]) % 2, found[4]
        layers.add(number)
        own = next((ours for theirs, ours in _LAYER_NAMES[half] if rest.endswith(theirs)), None)
        if own is None:
            raise CheckpointError(f"{file} has a layer {name!r} that is not read")
        state[f"layers.{number}.{own}"] = tensor.flatten() if own.endswith("_scale") else tensor
    if not layers:
        raise CheckpointError(
            f"{file} has no layers under transformer.layers, so its transformer is none of "
            "DALLE-pytorch's that are read"
        )
    angles = weights.get("transformer.pos_emb")
    if angles is not None:
        state["angles"] = angles.squeeze(0)
    else:
        state["text_positions.weight"] = weights["text_pos_emb.weight"]
        for axis, name in enumerate(("rows", "columns")):
            axial = [weights.get(f"image_pos_emb.weights{sep}{axis}") for sep in "._"]
            positions = next((each for each in axial if each is not None), None)
            if positions is None:
                raise CheckpointError(f"{file} has no embeddings of the codes' places")
            state[f"{name}.weight"] = positions.reshape(-1, image.shape[1])
    qkv = state["layers.0.to_qkv.weight"]
    types = hparams.get("attn_types") or ("full",)
    types = types if isinstance(types, list | tuple) else (types,)
    unknown = [kind for kind in types if kind not in _ATTENTION]
    if unknown:
        raise CheckpointError(f"{file} has layers of attention {unknown[0]!r}, which are not read")
    rows = logits.shape[0] - len(image)
    side = math.isqrt(len(angles[0]) - 1 - length) if angles is not None else None
    settings: dict[str, Any] = {
        "vocabulary": rows - length,
        "text_length": length,
        "prior.width": image.shape[1],
        "prior.layers": len(layers),
        "prior.heads": heads,
        "prior.head_size": len(qkv) // 3 // heads,
        "prior.attention": [_ATTENTION[kind] for kind in types],
        "prior.rotary": angles is not None,
        # Each wrapper of a layer adds to its name, whatever the hyper-parameters leave unsaid.
        "prior.shift_tokens": any(
            re.search(r"(\.fn){3,}\.net\.0\.weight$", name) for name in weights
        ),
        "prior.reversible": any(name.startswith("transformer.layers.blocks.") for name in weights),
        "prior.sandwich": "layers.0.attention_norm_out.weight" in state,
        "prior.stable": bool(hparams.get("stable", False)),
    }
    settings["prior.rotary_size"] = angles.shape[-1] if angles is not None else 1
    if side is not None and "image_size" not in vae:
        settings["image_size"] = side * 2 ** (vae["groups"] - 1)
    # Layers and embeddings may share what a model folder holds for each.
    return {name: tensor.clone() for name, tensor in state.items()}, settings


_LAYER = re.compile(r"transformer\.layers\.(?:layers|blocks)\.(\d+)\.(?:([01])|([fg])\.net)\.(.+)")
_LAYER_NAMES: tuple[tuple[tuple[str, str], ...], ...] = (
    (
        ("scale", "attention_scale"),
        ("fn.norm.weight", "attention_norm.weight"),
        ("fn.norm.bias", "attention_norm.bias"),
        ("fn.norm_out.weight", "attention_norm_out.weight"),
        ("fn.norm_out.bias", "attention_norm_out.bias"),
        ("to_qkv.weight", "to_qkv.weight"),
        ("to_out.0.weight", "to_out.weight"),
        ("to_out.0.bias", "to_out.bias"),
    ),
    (
        ("scale", "mlp_scale"),
        ("fn.norm.weight", "mlp_norm.weight"),
        ("fn.norm.bias", "mlp_norm.bias"),
        ("fn.norm_out.weight", "mlp_norm_out.weight"),
        ("fn.norm_out.bias", "mlp_norm_out.bias"),
        ("net.0.weight", "to_hidden.weight"),
        ("net.0.bias", "to_hidden.bias"),
        ("net.3.weight", "from_hidden.weight"),
        ("net.3.bias", "from_hidden.bias"),
    ),
)


def _unknown(file: Path) -> CheckpointError:
    return CheckpointError(
        f"{file} is none of the published layouts that are read: OpenAI's encoder.pkl and "
        "decoder.pkl, and DALLE-pytorch's vae.pt and dalle.pt"
    )
