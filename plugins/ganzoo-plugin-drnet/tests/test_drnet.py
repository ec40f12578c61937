import argparse
import os
import signal
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from ganzoo_plugin_drnet.config import DrNetConfig
from ganzoo_plugin_drnet.losses import discrimination, reconstruction, similarity, uncertainty
from ganzoo_plugin_drnet.trainer import DrNetTrainer
from torch import nn

import ganzoo_core as zoo
from ganzoo_core.components import (
    Batch,
    Code,
    CodeDiscriminator,
    Composer,
    DiscriminatorOutput,
    Encoder,
    JointNoise,
    Parts,
    Progress,
    Step,
)
from ganzoo_core.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    InterruptedTrainingError,
)
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.training.checkpoints import read_newest_checkpoint
from ganzoo_core.training.engine import Engine

sys.path.insert(0, str(Path(__file__).parent))
import drnet_published as published

TINY = {"image_size": 16, "channels": 1, "width": 4, "content_size": 6, "pose_size": 3}


@parametrize_with_checks("ganzoo-plugin-drnet")
def test_conformance(check):
    check()


def images(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def a_step():
    return Step(JointNoise(torch.Generator().manual_seed(0)), Progress(0, 1, 0.0), "disentangling")


# Equations 1 to 4 on numbers worked out by hand.


def test_the_losses_of_equations_1_to_4():
    black, white = torch.full((1, 1, 1, 2), -1.0), torch.full((1, 1, 1, 2), 1.0)
    assert reconstruction(black, white) == 1
    assert reconstruction(black, torch.zeros_like(black)) == 0.25
    assert similarity(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0]])) == 0.5
    even = torch.zeros(4)
    assert discrimination(even, even).item() == pytest.approx(2 * np.log(2))
    sure = torch.full((4,), 20.0)
    assert discrimination(sure, -sure).item() == pytest.approx(0, abs=1e-6)
    # Maximal uncertainty: least where C says one half, and alike to either side.
    assert uncertainty(even).item() == pytest.approx(np.log(2))
    assert uncertainty(even + 1).item() == pytest.approx(uncertainty(even - 1).item())
    assert uncertainty(even + 1) > uncertainty(even)


class Half(Encoder):
    """Encodes an image of two pixels by one of them."""

    image_shape, latent_shape = (1, 1, 2), (1,)

    def __init__(self, pixel):
        super().__init__()
        self.pixel = pixel
        self.factor = nn.Parameter(torch.tensor(1.0))

    def forward(self, images):
        return Code(self.factor * images.flatten(1)[:, self.pixel : self.pixel + 1])


class Beside(Composer):
    image_shape, content_shape, pose_shape = (1, 1, 2), (1,), (1,)

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(1.0))

    def forward(self, content, pose):
        return self.factor * torch.cat([content.mean, pose], 1)[:, None, None]


class Sum(CodeDiscriminator):
    latent_shape = (2,)

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(1.0))

    def forward(self, codes, labels=None):
        return DiscriminatorOutput(self.factor * codes.sum(1))


def a_trainer(**settings):
    networks = {"content": Half(0), "pose": Half(1), "composer": Beside(), "scene": Sum()}
    return DrNetTrainer(DrNetConfig(**settings), Parts(networks))


CLIPS = torch.tensor([[[0.2, 0.4], [0.6, -0.4]], [[-0.2, 0.8], [0.0, 0.0]]]).view(2, 2, 1, 1, 2)


def test_a_step_worked_out_by_hand():
    trainer, step = a_trainer(similarity_weight=2.0, adversarial_weight=0.5), a_step()
    batch = Batch(CLIPS[:, 0], clips=CLIPS)
    main, scene = (trainer.loss(phase, batch, step) for phase in trainer.phases())
    # Made of the first frame's left pixel and the second frame's right one, against the second.
    made = torch.tensor([[0.2, -0.4], [-0.2, 0.0]])
    wanted = torch.tensor([[0.6, -0.4], [0.0, 0.0]])
    expected = {
        "reconstruction": ((made - wanted) / 2).square().mean().item(),
        "similarity": (0.4**2 + 0.2**2) / 2,
        "uncertainty": uncertainty(torch.tensor([0.4 - 0.4, 0.8 + 0.0])).item(),
    }
    assert {name: part.item() for name, part in main.parts.items()} == pytest.approx(expected)
    total = expected["reconstruction"] + 2 * expected["similarity"] + 0.5 * expected["uncertainty"]
    assert main.total.item() == pytest.approx(total)
    # The same clip's poses, and each with the pose of its neighbour.
    same, different = torch.tensor([0.0, 0.8]), torch.tensor([0.4 + 0.0, 0.8 - 0.4])
    assert scene.total.item() == pytest.approx(discrimination(same, different).item())
    assert scene.parts["accuracy"].item() == pytest.approx(1 / 4)


def test_the_scene_discriminator_gives_the_encoders_no_gradient_and_gets_none_from_theirs():
    trainer, step = a_trainer(), a_step()
    batch = Batch(CLIPS[:, 0], clips=CLIPS)
    main, scene = trainer.phases()
    weights = {role: network.factor for role, network in trainer.networks.items()}
    trainer.networks["scene"].requires_grad_(False)
    trainer.loss(main, batch, step).total.backward()
    assert {r for r, w in weights.items() if w.grad is not None} == {"content", "pose", "composer"}
    for network in trainer.networks.values():
        network.zero_grad()
        network.requires_grad_(True)
    trainer.loss(scene, batch, step).total.backward()
    assert {r for r, w in weights.items() if w.grad is not None} == {"scene"}


def test_the_content_of_the_later_frame_is_a_target_and_no_more():
    trainer, step = a_trainer(adversarial_weight=0.0), a_step()
    clips = CLIPS.clone().requires_grad_()
    total = trainer.loss(trainer.phases()[0], Batch(clips[:, 0], clips=clips), step).parts
    assert not any(part.requires_grad for part in total.values())
    loss = trainer.loss(trainer.phases()[0], Batch(clips[:, 0], clips=clips), step).total
    (gradient,) = torch.autograd.grad(loss, clips)
    # Of the left pixel of the later frame only the reconstruction knows, as what is to be made.
    made, wanted = CLIPS[:, 0, 0, 0, 0], CLIPS[:, 1, 0, 0, 0]
    assert torch.allclose(gradient[:, 1, 0, 0, 0], (wanted - made) / 2 / 4)


def test_a_step_costs_what_the_issue_allows():
    assert a_trainer().passes() == {"content": 4, "pose": 4, "composer": 3, "scene": 8}


def test_networks_that_do_not_fit_each_other_are_refused_in_one_sentence():
    with pytest.raises(ConfigError, match="pose_size is not the same everywhere"):
        settings = {**TINY, "pose": {"pose_size": 4}}
        blueprint = zoo.create("drnet", **settings).blueprint
        blueprint.build_trainer(blueprint.build_networks(device="meta"))


# The networks of the published code.


def kth_like(content, pose, size, width=2):
    """Write out what the options of drnet-py's train_drnet.py choose."""
    channels, c, p = 1, 6, 3
    vgg = content == "vgg_unet"
    if content == "dcgan":
        ec = published.straight_encoder(size, width, channels, c)
        d = published.straight_decoder(size, width, channels, c, p)
    else:
        ec = published.unet_encoder(size, width, channels, c, vgg)
        d = published.unet_decoder(size, width, channels, c, p, vgg)
    if pose == "dcgan":
        ep = published.straight_encoder(size, width, channels, p, normalize=True)
    else:
        ep = published.resnet_encoder(size, width, channels, p, normalize=True)
    options = argparse.Namespace(
        content_model=content,
        pose_model=pose,
        dataset="kth",
        image_width=size,
        channels=channels,
        content_dim=c,
        pose_dim=p,
        normalize=True,
        optimizer=torch.optim.Adam,
        lr=0.002,
        sd_weight=0.0001,
    )
    generator = torch.Generator().manual_seed(0)
    for network in (ec, d, ep):
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                drawn = torch.rand(tensor.shape, generator=generator)
                positive = "running_var" in name or (tensor.dim() == 1 and "weight" in name)
                tensor.copy_(drawn + 0.5 if positive else (drawn - 0.5) * 0.6)
        network.eval()
    return {"netD": d, "netEP": ep, "netEC": ec, "opt": options}


@pytest.mark.parametrize(
    ("content", "pose", "size", "old"),
    [
        ("dcgan", "dcgan", 64, False),
        ("dcgan", "resnet", 128, True),
        ("dcgan_unet", "dcgan", 64, True),
        ("dcgan_unet", "dcgan", 128, False),
        ("vgg_unet", "resnet", 64, False),
        ("vgg_unet", "resnet", 128, True),
    ],
)
def test_the_authors_files_convert_exactly(tmp_path, content, pose, size, old):
    saved = kth_like(content, pose, size)
    if old:
        # PyTorch 0.2, of whose time the published file is, did not count batches.
        for network in ("netD", "netEP", "netEC"):
            for layer in saved[network].modules():
                layer._buffers.pop("num_batches_tracked", None)
    torch.save(saved, tmp_path / "kth_model.pth", _use_new_zipfile_serialization=not old)
    model, said = zoo.convert([tmp_path / "kth_model.pth"], "drnet-frames", tmp_path / "m")
    assert f"{size} pixels" in said[0] and "of kth" in said[0] and "of length 1" in said[0]
    shown, posed = images(2, 1, size, size), images(2, 1, size, size, seed=1)
    with torch.no_grad():
        ec, ep, d = (saved[name] for name in ("netEC", "netEP", "netD"))
        code, its_pose = ec((shown + 1) / 2), ep((posed + 1) / 2)
        wanted = d([code, its_pose]) * 2 - 1
    vector = code[0] if isinstance(code, tuple) else code
    near = {"atol": 1e-4, "rtol": 0}
    torch.testing.assert_close(model.encode(shown), vector.flatten(1), **near)
    torch.testing.assert_close(model.encode(posed, space="pose"), its_pose.flatten(1), **near)
    again = zoo.load(tmp_path / "m")
    torch.testing.assert_close(again.swap(shown, posed), wanted, **near)


def test_the_authors_lstm_goes_on_as_theirs_does(tmp_path):
    saved = kth_like("dcgan_unet", "dcgan", 64)
    torch.save(saved, tmp_path / "model.pth")
    theirs = published.lstm(9, 3, 5, 2, 2, True)
    torch.save({"lstm": theirs, "opt": saved["opt"]}, tmp_path / "lstm.pth")
    files = [tmp_path / "model.pth", tmp_path / "lstm.pth"]
    model, said = zoo.convert(files, "drnet", tmp_path / "m")
    assert "LSTM of 2 layers of 5 cells" in said[1]
    clip = images(2, 4, 1, 64, 64)
    with torch.no_grad():
        pixels = (clip + 1) / 2
        content = saved["netEC"](pixels[:, 3])
        vector = content[0].flatten(1)
        frames = []
        pose = saved["netEP"](pixels[:, 0]).flatten(1)
        for t in range(1, 7):
            following = theirs(torch.cat([pose, vector], 1))
            if t < 4:
                pose = saved["netEP"](pixels[:, t]).flatten(1)
            else:
                pose = following
                frames.append(saved["netD"]([content, pose[:, :, None, None]]) * 2 - 1)
    wanted = torch.stack(frames, 1)
    torch.testing.assert_close(model.predict(clip, 3), wanted, atol=1e-4, rtol=0)


def test_nothing_of_a_published_file_is_imported(tmp_path, monkeypatch):
    torch.save(kth_like("dcgan", "dcgan", 64), tmp_path / "model.pth")
    monkeypatch.delitem(sys.modules, "drnet_published")
    model, _ = zoo.convert([tmp_path / "model.pth"], "drnet-frames", tmp_path / "m")
    assert "drnet_published" not in sys.modules
    assert model.verbs == ("encode", "swap", "reconstruct", "interpolate")


def test_the_frames_alone_are_not_enough_to_predict(tmp_path):
    torch.save(kth_like("dcgan", "dcgan", 64), tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match="the predictor of drnet is in none"):
        zoo.convert([tmp_path / "model.pth"], "drnet", tmp_path / "m")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda saved: saved.pop("netD"), "not a checkpoint of edenton/drnet-py"),
        (lambda saved: saved.update(netEC=nn.Linear(2, 2)), "the content encoder in .* is none"),
        (lambda saved: saved.update(netEP=nn.Linear(2, 2)), "the pose encoder in .* is none"),
        (lambda saved: saved.update(netD=nn.Linear(2, 2)), "the decoder in .* is none"),
        (
            lambda saved: saved.update(netD=kth_like("vgg_unet", "dcgan", 64)["netD"]),
            "do not go together",
        ),
        (
            lambda saved: saved["netEC"].add_module("extra", nn.Linear(2, 2)),
            "the weight extra.weight, which no network",
        ),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path, change, said):
    saved = kth_like("dcgan_unet", "dcgan", 64)
    change(saved)
    torch.save(saved, tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match=said):
        zoo.convert([tmp_path / "model.pth"], "drnet-frames", tmp_path / "m")


# Training on videos, from data to a model.

SMALL = {
    **TINY,
    "units": 8,
    "cells": 8,
    "trainer.max_step": 4,
    "trainer.past": 2,
    "trainer.future": 2,
    "training.batch_size": 3,
    "training.log_every": 1,
    "training.checkpoint_every": 2,
}


@pytest.fixture
def films(tmp_path, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    clips = np.random.default_rng(0).integers(0, 256, (5, 6, 16, 16), dtype=np.uint8)
    np.savez(tmp_path / "films.npz", clips=clips)
    return f"npz:{tmp_path / 'films.npz'}"


def test_a_run_taken_up_in_the_middle_of_either_stage_ends_as_the_straight_one(tmp_path, films):
    settings = {**SMALL, "training.steps": 8}
    straight = zoo.train("drnet", films, out=tmp_path / "straight", settings=settings)
    expected = {role: net.state_dict() for role, net in straight.networks.items()}
    for stopped in (2, 6):
        out = tmp_path / f"stopped-{stopped}"
        stop_after(stopped, partial(zoo.train, "drnet", films, out=out, settings=settings))
        resumed = zoo.resume(out)
        for role, state in expected.items():
            for name, tensor in resumed.networks[role].state_dict().items():
                assert torch.equal(tensor, state[name]), (stopped, role, name)


def stop_after(steps, train):
    """Interrupt a training after so many steps, as a signal does."""
    step = Engine.step

    def stepping(self):
        step(self)
        if self.steps_done == steps:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "step", stepping)
        with pytest.raises(InterruptedTrainingError):
            train()


def test_the_lstm_learns_last_and_all_else_stays_as_it_is(tmp_path, films):
    settings = {**SMALL, "training.steps": 8}
    stop_after(4, lambda: zoo.train("drnet", films, out=tmp_path / "run", settings=settings))
    before, facts, _ = read_newest_checkpoint(tmp_path / "run" / "checkpoints")
    assert facts["steps_done"] == 4
    for role, network in zoo.resume(tmp_path / "run").networks.items():
        for name, tensor in network.state_dict().items():
            stayed = torch.equal(tensor, before[f"networks/{role}/{name}"])
            assert stayed == (role != "predictor"), (role, name)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"trainer.future": 5}, "the stage 'prediction' of drnet needs clips of 7 frames, and 5"),
        ({"training.batch_size": 6}, "a batch of 6 is larger than the 5 clips"),
    ],
)
def test_videos_that_do_not_suffice_are_named_before_training(tmp_path, films, settings, said):
    with pytest.raises(DataError, match=said):
        zoo.train("drnet", films, out=tmp_path / "run", settings={**SMALL, **settings})
    assert not (tmp_path / "run").exists()


def test_single_images_are_refused_before_training(tmp_path, films):
    with pytest.raises(DataError, match="single images, and videos are needed"):
        zoo.train("drnet", "digits", out=tmp_path / "run", settings=SMALL)
