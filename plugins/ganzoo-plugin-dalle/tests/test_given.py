"""Stages one by one: a transformer on codes that there are, and a reranker that there is."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

import ganzoo_core as zoo
from ganzoo_core.blueprint import draw_up
from ganzoo_core.errors import CheckpointError, ConfigError, GanzooError, RunError, UnsupportedError
from ganzoo_core.plugins import read_installed

# What the codes and the reranker say of themselves, and a transformer is not told again.
AGREED = ("image_size", "channels", "codes", "groups", "vocabulary", "text_length")
NOT_THEIRS = {"training.log_every": 1, "training.sample_every": 0, "training.steps": 6}


def tiny(variant):
    return draw_up(read_installed(), variant, {}).entry.tiny | NOT_THEIRS


def trained(variant, out, given=(), without=(), **more):
    own = {
        name: value
        for name, value in tiny(variant).items()
        if name not in without and not name.startswith(tuple(f"{part}." for part in without))
    }
    settings = own | more
    return zoo.train(variant, "digits", out=out, settings=settings, given=given, device="cpu")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of the codes alone, and one of the reranker alone."""
    root = tmp_path_factory.mktemp("runs")
    trained("dvae", root / "codes")
    trained("clip", root / "clip")
    return root


def on_codes(runs, out, **more):
    """Train a transformer on the run of the codes."""
    without = ("encoder", "decoder", "blocks", "codes", "groups", "image_size", "channels")
    return trained("dalle", out, [str(runs / "codes")], without, **more)


def weights(run):
    return load_file(run / "model" / "model.safetensors")


def logged(run):
    return [json.loads(line)["losses"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_transformer_learns_on_codes_that_there_are(runs, tmp_path):
    on_codes(runs, tmp_path / "run")
    before, after = weights(runs / "codes"), weights(tmp_path / "run")
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    lines = logged(tmp_path / "run")
    assert len(lines) == 6, "no step was spent on the codes"
    assert all("transformer" in line and "dvae" not in line for line in lines)


def test_the_transformer_takes_over_the_grid_of_its_codes(runs, tmp_path):
    model = on_codes(runs, tmp_path / "run")
    encoder, prior = (model.blueprint.networks[role].config for role in ("encoder", "prior"))
    assert (prior.codes, prior.groups, prior.image_size) == (8, 2, 8)
    assert encoder == zoo.load(runs / "codes").blueprint.networks["encoder"].config
    assert model.sample(2, text="seven").shape == (2, 1, 8, 8)


def test_a_reranker_that_there_is_keeps_its_weights_and_its_tokens(runs, tmp_path):
    given = [str(runs / "codes"), str(runs / "clip")]
    model = trained("dalle", tmp_path / "run", given, (*AGREED, "encoder", "decoder", "blocks"))
    after = weights(tmp_path / "run")
    assert all(torch.equal(tensor, after[name]) for name, tensor in weights(runs / "clip").items())
    assert all(next(iter(line)) == "transformer" for line in logged(tmp_path / "run"))
    files = [runs / "clip" / "model", tmp_path / "run", tmp_path / "run" / "model"]
    assert len({(folder / "tokenizer.json").read_text() for folder in files}) == 1
    assert model.ranked(1, "seven", candidates=3).scores.shape == (1,)


def test_some_networks_of_a_model_can_be_taken_alone(runs, tmp_path):
    on_codes(runs, tmp_path / "first")
    without = ("encoder", "decoder", "blocks")
    given = [f"encoder,decoder={tmp_path}/first"]
    trained("dalle", tmp_path / "run", given, without, **{"training.seed": 1})
    assert set(zoo.load(tmp_path / "run").blueprint.given) == {"encoder", "decoder"}
    first, second = weights(tmp_path / "first"), weights(tmp_path / "run")
    kept = [name for name in first if name.startswith(("encoder.", "decoder."))]
    assert all(torch.equal(first[name], second[name]) for name in kept)
    assert not torch.equal(first["prior.start"], second["prior.start"])


def test_a_run_tells_what_it_was_given(runs, tmp_path):
    on_codes(runs, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert record["blueprint"]["given"] == config["given"]
    assert {its["model"] for its in config["given"].values()} == {"codes"}
    assert str(runs) not in (tmp_path / "run" / "model" / "README.md").read_text()


@pytest.mark.parametrize("checkpoints", ["lost", "kept"])
def test_a_run_goes_on_bit_for_bit_when_its_codes_are_gone(checkpoints, runs, tmp_path):
    shutil.copytree(runs / "codes", tmp_path / "codes")
    on_codes(tmp_path, tmp_path / "straight", **{"training.steps": 6})
    on_codes(tmp_path, tmp_path / "run", **{"training.checkpoint_every": 3})
    shutil.rmtree(tmp_path / "codes")
    shutil.rmtree(tmp_path / "run" / "model")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "step-00000006")
    if checkpoints == "lost":
        shutil.rmtree(tmp_path / "run" / "checkpoints")
    zoo.resume(tmp_path / "run", device="cpu")
    one, other = weights(tmp_path / "straight"), weights(tmp_path / "run")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_does_not_go_on_with_other_codes(runs, tmp_path):
    on_codes(runs, tmp_path / "run")
    trained("dvae", tmp_path / "codes", **{"training.seed": 1})
    with pytest.raises(RunError, match=r"given\.encoder"):
        zoo.train(
            "dalle",
            "digits",
            out=tmp_path / "run",
            going_on=True,
            settings=tiny("dalle"),
            given=[str(tmp_path / "codes")],
            device="cpu",
        )


def test_a_damaged_copy_of_what_was_given_is_refused(runs, tmp_path):
    on_codes(runs, tmp_path / "run")
    file = tmp_path / "run" / "given.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-4] + b"\x00\x01\x02\x03")
    with pytest.raises(CheckpointError, match=r"given\.safetensors is damaged"):
        zoo.resume(tmp_path / "run", device="cpu")
    file.unlink()
    with pytest.raises(CheckpointError, match=r"given\.safetensors is missing"):
        zoo.resume(tmp_path / "run", device="cpu")


@pytest.mark.parametrize(
    ("given", "more", "said"),
    [
        (["{}/codes"], {"encoder.width": 16}, "encoder.width is 8 in codes and cannot be 16"),
        (["{}/codes"], {"image_size": 16}, "image_size is 8 in codes"),
        (["{}/codes"], {"codes": 16}, "codes is 8 in codes"),
        (["{}/codes"], {"prior.codes": 16}, "must have the codes and the groups"),
        (["{}/codes", "{}/codes"], {}, "the encoder is given twice, by codes and codes"),
        (["prior={}/codes"], {}, "codes, of dvae, has no prior for dalle"),
        (["painter={}/codes"], {}, "unknown network 'painter'"),
        (["gan.mnist"], {}, "gan.mnist, of gan, has no network for dalle: it has generator"),
        (["{}/nothing"], {}, "unknown model"),
        (["encoder,decoder=dalle.scenes", "{}/clip"], {}, "has channels 3 and the reranker"),
    ],
)
def test_what_cannot_be_given_is_refused_in_a_sentence(given, more, said, runs, tmp_path):
    without = (*AGREED, "encoder", "decoder", "blocks")
    with pytest.raises(GanzooError, match=said) as raised:
        trained("dalle", tmp_path / "run", [name.format(runs) for name in given], without, **more)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "run").exists()


def test_a_training_in_which_nothing_learns_is_refused(tmp_path):
    with pytest.raises(UnsupportedError, match="all networks are given"):
        zoo.train("dalle", "digits", out=tmp_path / "run", given=["dalle.scenes"], device="cpu")
    assert not (tmp_path / "run").exists()


def test_another_component_cannot_take_the_place_of_what_is_given(runs, tmp_path):
    with pytest.raises(ConfigError, match="leave --encoder out"):
        zoo.train(
            "dalle",
            "digits",
            out=tmp_path / "run",
            components={"encoder": "strided"},
            given=[str(runs / "codes")],
        )


def test_a_reader_without_its_tokenizer_cannot_be_given(runs, tmp_path):
    shutil.copytree(runs / "clip" / "model", tmp_path / "clip")
    (tmp_path / "clip" / "tokenizer.json").unlink()
    with pytest.raises(UnsupportedError, match="has no tokenizer"):
        trained("dalle", tmp_path / "run", [str(tmp_path / "clip")])


def test_a_folder_that_a_killed_start_left_can_be_used(runs, tmp_path):
    on_codes(runs, tmp_path / "run")
    left = tmp_path / "left"
    left.mkdir()
    shutil.copy(tmp_path / "run" / "given.safetensors", left)
    assert on_codes(runs, left).sample(1).shape == (1, 1, 8, 8)


def test_a_reranker_that_was_trained_alone_judges_another_model(runs, tmp_path):
    from ganzoo_core.cli.captions import reranker_of

    model = on_codes(runs, tmp_path / "run")
    judge = reranker_of(model, str(runs / "clip"))
    images = model.sample(3, text="seven")
    theirs = zoo.load(runs / "clip").score(images, "seven")
    assert torch.equal(model.score(images, "seven", reranker=judge), theirs)
    best = model.ranked(2, "seven", candidates=3, reranker=judge)
    assert best.scores.tolist() == sorted(theirs.tolist(), reverse=True)[:2]


def test_the_command_line_takes_what_is_given(runs, tmp_path):
    words = [f"--set={name}={json.dumps(value)}" for name, value in tiny("dalle").items()]
    command = [sys.executable, "-m", "ganzoo_core", "train", "dalle", *words]
    both = [*command, f"--from={runs}/codes", "--from", str(runs / "clip")]
    subprocess.run([*both, "--out", str(tmp_path / "run")], check=True, capture_output=True)
    card = (tmp_path / "run" / "model" / "README.md").read_text()
    assert "--from codes --from clip" in card
    planned = subprocess.run([*both, "--dry-run", "--json"], check=True, capture_output=True)
    assert set(json.loads(planned.stdout)["given"]) == {"encoder", "decoder", "reranker"}
    refused = subprocess.run(
        [
            sys.executable,
            "-m",
            "ganzoo_core",
            "train",
            "--resume",
            str(tmp_path / "run"),
            *both[-2:],
        ],
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 2
    assert "--from cannot go with --resume alone" in refused.stderr
