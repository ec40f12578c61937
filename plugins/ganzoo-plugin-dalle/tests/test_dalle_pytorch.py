"""DALLE-pytorch's checkpoints of every kind that is read, against its equations written out."""

import re

import pytest
import torch
from torch.nn import functional

import ganzoo_core as zoo
from ganzoo_core.errors import CheckpointError

WIDTH, HEADS, SIZE, LENGTH, SIDE, WORDS, CODES = 16, 2, 8, 5, 4, 11, 9
BEFORE = LENGTH + 1
KINDS = ("full", "axial_row", "axial_col", "conv_like")
PLAIN = {
    "rotary_emb": True,
    "shift_tokens": True,
    "reversible": False,
    "sandwich_norm": False,
    "stable": False,
    "share_input_output_emb": False,
    "version": "1.6.6",
}
OPTIONS = {
    "plain": {},
    "reversible": {"reversible": True},
    "reversible without shifts": {"reversible": True, "shift_tokens": False},
    "no shifts": {"shift_tokens": False},
    "no rotary": {"rotary_emb": False},
    "sandwich": {"sandwich_norm": True},
    "stable": {"stable": True},
    "shared embeddings": {"share_input_output_emb": True},
    "centred convolution": {"version": "1.4.2"},
    "no version": {"version": None},
    "all at once": {
        "reversible": True,
        "rotary_emb": False,
        "sandwich_norm": True,
        "stable": True,
        "share_input_output_emb": True,
        "version": "1.1.8",
    },
}


def checkpoint(**options):
    """Return the dictionary that its train_dalle.py saves, with random weights."""
    its = PLAIN | options
    torch.manual_seed(0)
    shapes = {
        "vae.codebook.weight": (CODES, 6),
        "vae.encoder.0.0.weight": (4, 3, 4, 4),
        "vae.encoder.0.0.bias": (4,),
        "vae.encoder.1.weight": (CODES, 4, 1, 1),
        "vae.encoder.1.bias": (CODES,),
        "vae.decoder.0.0.weight": (6, 4, 4, 4),
        "vae.decoder.0.0.bias": (4,),
        "vae.decoder.1.weight": (3, 4, 1, 1),
        "vae.decoder.1.bias": (3,),
        "to_logits.0.weight": (WIDTH,),
        "to_logits.0.bias": (WIDTH,),
        "to_logits.1.weight": (WORDS + LENGTH + CODES, WIDTH),
        "to_logits.1.bias": (WORDS + LENGTH + CODES,),
    }
    if its["share_input_output_emb"]:
        for name in ("text_emb", "image_emb"):
            shapes |= {f"{name}.linear.{n}": shapes[f"to_logits.1.{n}"] for n in ("weight", "bias")}
    else:
        shapes |= {"text_emb.weight": (WORDS + LENGTH, WIDTH), "image_emb.weight": (CODES, WIDTH)}
    if its["rotary_emb"]:
        shapes["transformer.pos_emb"] = (1, LENGTH + SIDE**2 + 1, 6)
    else:
        shapes["text_pos_emb.weight"] = (BEFORE, WIDTH)
        shapes["image_pos_emb.weights.0"] = (1, SIDE, 1, WIDTH)
        shapes["image_pos_emb.weights.1"] = (1, 1, SIDE, WIDTH)
    for number in range(4):
        for half in (0, 1):
            shapes |= layer_shapes(number, half, its)
    weights = {name: torch.randn(shape) / 2 for name, shape in shapes.items()}
    for name in ("text_emb", "image_emb"):
        if f"{name}.linear.weight" in weights:
            for part in ("weight", "bias"):
                weights[f"{name}.linear.{part}"] = weights[f"to_logits.1.{part}"]
    hparams = {
        "dim": WIDTH,
        "num_text_tokens": WORDS,
        "text_seq_len": LENGTH,
        "depth": 4,
        "heads": HEADS,
        "dim_head": SIZE,
        "attn_types": KINDS,
        **{name: value for name, value in its.items() if name != "version"},
    }
    vae_params = {"image_size": 8, "num_layers": 1, "num_tokens": CODES, "codebook_dim": 6}
    return {
        "hparams": hparams,
        "vae_params": vae_params,
        "vae_class_name": "DiscreteVAE",
        "weights": weights,
        "version": its["version"],
        "epoch": 3,
        "opt_state": {},
    }


def layer_shapes(number, half, its):
    if its["reversible"]:
        start = f"transformer.layers.blocks.{number}.{'fg'[half]}.net"
    else:
        start = f"transformer.layers.layers.{number}.{half}"
    # Attention is wrapped for its cache, and both halves to be shifted and for the cache of that.
    wrapped = ".fn.fn" + ".fn" * (not half) + ".fn.fn" * its["shift_tokens"]
    shapes = {f"{start}.scale": (1, 1, WIDTH)}
    for name in ("norm", "norm_out")[: 1 + its["sandwich_norm"]]:
        shapes |= {f"{start}.fn.{name}.{part}": (WIDTH,) for part in ("weight", "bias")}
    if half:
        return shapes | {
            f"{start}{wrapped}.net.0.weight": (8 * WIDTH, WIDTH),
            f"{start}{wrapped}.net.0.bias": (8 * WIDTH,),
            f"{start}{wrapped}.net.3.weight": (WIDTH, 4 * WIDTH),
            f"{start}{wrapped}.net.3.bias": (WIDTH,),
        }
    return shapes | {
        f"{start}{wrapped}.to_qkv.weight": (3 * HEADS * SIZE, WIDTH),
        f"{start}{wrapped}.to_out.0.weight": (WIDTH, HEADS * SIZE),
        f"{start}{wrapped}.to_out.0.bias": (WIDTH,),
    }


def reference(content, text, codes):
    """Return its logits of the next token, place by place and without a cache."""
    weights, its = content["weights"], content["hparams"]
    to_logits = weights["to_logits.1.weight"]
    words, images = (
        to_logits.split([WORDS + LENGTH, CODES])
        if its["share_input_output_emb"]
        else (weights["text_emb.weight"], weights["image_emb.weight"])
    )
    padded = torch.where(text == 0, WORDS + torch.arange(LENGTH), text)
    hidden = torch.cat([words[functional.pad(padded, (1, 0))], images[codes]], 1)
    if not its["rotary_emb"]:
        hidden[:, :BEFORE] += weights["text_pos_emb.weight"]
        grid = sum(weights[f"image_pos_emb.weights.{axis}"] for axis in (0, 1))
        hidden[:, BEFORE:] += grid.reshape(-1, WIDTH)[: codes.shape[1]]
    first = second = hidden
    for number, kind in enumerate(KINDS):
        if its["reversible"]:
            first = first + half(content, number, 0, kind, second)
            second = second + half(content, number, 1, kind, first)
        else:
            hidden = hidden + half(content, number, 0, kind, hidden)
            hidden = hidden + half(content, number, 1, kind, hidden)
    if its["reversible"]:
        hidden = (first + second) / 2
    if its["stable"]:
        hidden = hidden / hidden.amax(-1, keepdim=True)
    normed = functional.layer_norm(
        hidden, (WIDTH,), weights["to_logits.0.weight"], weights["to_logits.0.bias"]
    )
    return normed @ to_logits.T + weights["to_logits.1.bias"]


def half(content, number, which, kind, hidden):
    weights, its = content["weights"], content["hparams"]
    start = rf"transformer\.layers\.(blocks\.{number}\.{'fg'[which]}|layers\.{number}\.{which})\."

    def its_weight(end):
        return next(w for name, w in weights.items() if re.match(rf"{start}.*{end}$", name))

    def normed(values, name):
        return functional.layer_norm(
            values, (WIDTH,), its_weight(rf"\.{name}\.weight"), its_weight(rf"\.{name}\.bias")
        )

    given = normed(hidden, "norm")
    if its["shift_tokens"]:
        given = shifted(given)
    if which:
        units = given @ its_weight(r"net\.0\.weight").T + its_weight(r"net\.0\.bias")
        units, gates = units.chunk(2, -1)
        out = units * functional.gelu(gates)
        out = out @ its_weight(r"net\.3\.weight").T + its_weight(r"net\.3\.bias")
    else:
        qkv = (given @ its_weight("to_qkv.weight").T).chunk(3, -1)
        heads = [each.unflatten(2, (HEADS, SIZE)) for each in qkv]
        if its["rotary_emb"]:
            angles = weights["transformer.pos_emb"][0, : given.shape[1]]
            heads = [turned(each, angles) for each in heads]
        q, k, v = heads
        scores = torch.einsum("nihd,njhd->nhij", q, k) / SIZE**0.5
        places = range(given.shape[1])
        seen = torch.tensor(
            [[sees(kind, i, j, content["version"]) for j in places] for i in places]
        )
        shares = scores.masked_fill(~seen, -1e30).softmax(-1)
        out = torch.einsum("nhij,njhd->nihd", shares, v).flatten(2)
        out = out @ its_weight(r"to_out\.0\.weight").T + its_weight(r"to_out\.0\.bias")
    if its["sandwich_norm"]:
        out = normed(out, "norm_out")
    return out * its_weight("scale").flatten()


def sees(kind, i, j, version):
    if j > i:
        return False
    if i < BEFORE or j < BEFORE or kind == "full":
        return True
    (row, column), (other_row, other_column) = divmod(i - BEFORE, SIDE), divmod(j - BEFORE, SIDE)
    if kind == "axial_row":
        return row == other_row
    if kind == "axial_col":
        return column == other_column
    if version == "1.6.6":
        return row - other_row <= 4 and 0 <= column - other_column <= 4
    return abs(row - other_row) <= 2 and abs(column - other_column) <= 2


def shifted(given):
    out = given.clone()
    eighths = WIDTH // 4
    for place in range(given.shape[1]):
        row, column = divmod(place - BEFORE, SIDE)
        above = place - 1 if place < BEFORE else place - SIDE if row else -1
        left = place - 1 if place < BEFORE or column else -1
        for part, source in enumerate((above, left)):
            its = slice(part * eighths, (part + 1) * eighths)
            out[:, place, its] = given[:, source, its] if source >= 0 else 0
    return out


def turned(values, angles):
    out = values.clone()
    for pair in range(0, angles.shape[1], 2):
        one, other = values[..., pair], values[..., pair + 1]
        by, by_other = angles[:, pair, None], angles[:, pair + 1, None]
        out[..., pair] = one * by.cos() - other * by.sin()
        out[..., pair + 1] = other * by_other.cos() + one * by_other.sin()
    return out


def converted(content, folder):
    torch.save(content, folder / "dalle.pt")
    return zoo.convert([folder / "dalle.pt"], "dalle", folder / "model")[0]


def asked():
    draws = torch.Generator().manual_seed(1)
    text = torch.randint(1, WORDS, (2, LENGTH), generator=draws)
    text[1, 3:] = 0
    return text, torch.randint(0, CODES, (2, SIDE**2 - 1), generator=draws)


def check(prior, content):
    """Compare in double precision, so that differences are those of the equations."""
    weights = {name: tensor.double() for name, tensor in content["weights"].items()}
    text, codes = asked()
    with torch.no_grad():
        found = prior.double().logits(text, codes)
    wanted = reference(content | {"weights": weights}, text, codes)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", list(OPTIONS))
def test_a_transformer_of_every_kind_answers_as_its_equations(name, tmp_path):
    content = checkpoint(**OPTIONS[name])
    prior = converted(content, tmp_path).networks["prior"]
    check(prior, content)


def test_layers_that_share_their_weights_are_read(tmp_path):
    content = checkpoint()
    weights = content["weights"]
    for name in weights:
        if (
            found := re.match(r"transformer\.layers\.layers\.[123]\.(.*fn\.fn\..*)", name)
        ) is not None:
            weights[name] = weights[f"transformer.layers.layers.0.{found[1]}"]
    content["hparams"] |= {"shared_attn_ids": (0,) * 4, "shared_ff_ids": (0,) * 4}
    prior = converted(content, tmp_path).networks["prior"]
    check(prior, content)


def openai_shapes(part, width=8, stem=4):
    """Shapes of OpenAI's encoder or decoder at a smaller size, as DALLE-pytorch names them."""
    encodes = part == "enc"
    kernels, multiples = ((3, 3, 3, 1), (1, 2, 4, 8)) if encodes else ((1, 3, 3, 3), (8, 4, 2, 1))
    inputs = width if encodes else stem
    convolutions = {"input": (width, 3, 7) if encodes else (stem, CODES, 1)}
    for group, multiple in enumerate(multiples, 1):
        outputs = width * multiple
        start = f"group_{group}.block_1"
        convolutions[f"{start}.id_path"] = (outputs, inputs, 1)
        widths = (inputs, outputs // 4, outputs // 4, outputs // 4, outputs)
        for n, kernel in enumerate(kernels, 1):
            convolutions[f"{start}.res_path.conv_{n}"] = (widths[n], widths[n - 1], kernel)
        inputs = outputs
        if encodes and group == 1:
            del convolutions[f"{start}.id_path"]  # as many channels as before
    convolutions["output.conv"] = (CODES if encodes else 6, inputs, 1)
    shapes = {f"vae.{part}.blocks.{n}.w": (o, i, k, k) for n, (o, i, k) in convolutions.items()}
    return shapes | {f"vae.{part}.blocks.{n}.b": its[:1] for n, its in convolutions.items()}


def test_openai_s_codes_within_a_dalle_are_read(tmp_path):
    content = checkpoint()
    content |= {"vae_params": None, "vae_class_name": "OpenAIDiscreteVAE"}
    transformer = {n: t for n, t in content["weights"].items() if not n.startswith("vae.")}
    shapes = openai_shapes("enc") | openai_shapes("dec")
    codes = {name: torch.randn(shape) / 10 for name, shape in shapes.items()}
    content["weights"] = transformer | codes
    model = converted(content, tmp_path)
    for role, part in (("encoder", "vae.enc."), ("decoder", "vae.dec.")):
        state = model.networks[role].state_dict()
        for name, tensor in codes.items():
            if name.startswith(part):
                ours = re.sub("b$", "bias", re.sub("w$", "weight", name.removeprefix(part)))
                assert torch.equal(state.pop(ours), tensor)
        assert not state
    assert model.sample(2, seed=1).shape == (2, 3, 8 * SIDE, 8 * SIDE)
    check(model.networks["prior"], content)


def deepspeed(folder, **more):
    """Write a folder as DALLE-pytorch's training writes it with DeepSpeed."""
    content = checkpoint()
    weights = content.pop("weights")
    torch.save({**content, "weights": "To get a working …"}, folder / "auxiliary.pt")
    for step in (9, 10):
        (folder / f"global_step{step}").mkdir()
        its = {name: (tensor + (step - 10)).half() for name, tensor in weights.items()}
        file = folder / f"global_step{step}" / "mp_rank_00_model_states.pt"
        torch.save({**content, "module": its, "optimizer": None, **more}, file)
    (folder / "latest").write_text("global_step10")
    return content | {"weights": {n: tensor.half().float() for n, tensor in weights.items()}}


def test_a_folder_of_deepspeed_is_read_at_its_last_step(tmp_path):
    (tmp_path / "ds").mkdir()
    content = deepspeed(tmp_path / "ds")
    model, _ = zoo.convert([tmp_path / "ds"], "dalle", tmp_path / "model")
    check(model.networks["prior"], content)


def test_parts_of_a_deepspeed_checkpoint_are_refused(tmp_path):
    (tmp_path / "ds").mkdir()
    deepspeed(tmp_path / "ds")
    for files, said in (
        ([tmp_path / "ds" / "auxiliary.pt"], "without weights; give the folder"),
        ([tmp_path], "holds no files mp_rank_00"),
    ):
        with pytest.raises(CheckpointError, match=said):
            zoo.convert(files, "dalle", tmp_path / "model")
    (tmp_path / "ds" / "global_step10" / "zero_pp_rank_0_mp_rank_00_model_states.pt").touch()
    with pytest.raises(CheckpointError, match="spread over its processes"):
        zoo.convert([tmp_path / "ds"], "dalle", tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["hparams"].update(attn_types=("full", "mlp")), "'mlp'"),
        (lambda c: c["hparams"].update(attn_types=("sparse",)), "'sparse'"),
        (lambda c: c["hparams"].pop("heads"), "lacks 'heads'"),
        (lambda c: c["weights"].update({"vae.model.x": torch.zeros(1)}), "codes of a VQGAN"),
    ],
)
def test_what_is_not_read_is_named(change, said, tmp_path):
    content = checkpoint()
    change(content)
    with pytest.raises(CheckpointError, match=said) as raised:
        converted(content, tmp_path)
    assert "\n" not in str(raised.value)
