import pytest
import torch
from ganzoo_plugin_cyclegan.config import CycleConfig, ResNetConfig
from ganzoo_plugin_cyclegan.losses import LeastSquaresLoss
from ganzoo_plugin_cyclegan.networks import ResNet
from ganzoo_plugin_cyclegan.trainer import CycleTrainer
from published_files import SAMPLES, images, random_state, randomised, sample
from torch import nn
from torch.nn import functional as F

import ganzoo_core as zoo
from ganzoo_core.components import (
    Batch,
    Discriminator,
    DiscriminatorOutput,
    JointNoise,
    Parts,
    Progress,
    Step,
    Translator,
)
from ganzoo_core.errors import CheckpointError, DataError
from ganzoo_core.testing import parametrize_with_checks

TINY = {"image_size": 16, "channels": 1, "width": 2, "blocks": 1, "receptive_field": 16}


@parametrize_with_checks("ganzoo-plugin-cyclegan")
def test_conformance(check):
    check()


def noise(seed=0):
    return JointNoise(torch.Generator().manual_seed(seed))


# Section 7.2: the generator.


@pytest.mark.parametrize(("image_size", "blocks"), [(128, 6), (256, 9)])
def test_the_generator_is_that_of_section_7_2(image_size, blocks):
    with torch.device("meta"):
        network = ResNet(ResNetConfig(image_size=image_size))
    maps = [layer.convolution.out_channels for layer in (*network.downs, *network.ups)]
    assert maps == [64, 128, 256, 128, 64]
    assert len(network.blocks) == blocks


@pytest.mark.parametrize("size", [(8, 8), (12, 20), (17, 9), (50, 31)])
def test_images_of_any_size_are_translated_both_ways(size):
    model = zoo.create("cyclegan", **TINY)
    for way in model.directions:
        made = model.translate(images(1, 1, *size), direction=way)
        assert made.shape == (1, 1, *size)


def test_an_image_too_small_to_reflect_is_refused_in_one_sentence():
    with pytest.raises(DataError, match="4x4 pixels is too small"):
        zoo.create("cyclegan", **TINY).translate(images(1, 1, 3, 2))


def test_unets_can_take_the_generators_place():
    unet = "ganzoo-plugin-pix2pix/unet"
    settings = {k: v for k, v in TINY.items() if k != "blocks"}
    model = zoo.create("cyclegan", components={"ab": unet, "ba": unet}, **settings)
    given = images(1, 1, 16, 16)
    # This paper's have no dropout, and normalise each image.
    assert torch.equal(model.translate(given, seed=0), model.translate(given, seed=1))


# Equation 3, worked out by hand.


class Scaled(Translator):
    image_shape = (1, 2, 2)

    def __init__(self, factor):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, latents, labels=None):
        return latents * self.factor


class Mean(Discriminator):
    image_shape = (1, 2, 2)

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, images, labels=None):
        return DiscriminatorOutput(self.weight * images.mean((1, 2, 3)))


def trainer(**settings):
    networks = {
        "ab": Scaled(0.5),
        "ba": Scaled(3.0),
        "discriminator_a": Mean(1.0),
        "discriminator_b": Mean(2.0),
    }
    return CycleTrainer(CycleConfig(**settings), Parts(networks, LeastSquaresLoss()))


def losses(**settings):
    its = trainer(**settings)
    a, b = torch.full((1, 1, 2, 2), 0.8), torch.full((1, 1, 2, 2), 0.2)
    step = Step(noise(), Progress(0, 1, 0.0), "training")
    return [its.loss(phase, Batch(a, other=Batch(b)), step) for phase in its.phases()]


def test_games_cycles_and_identity_worked_out_by_hand():
    generators, discriminators = losses()
    # ab(a) = 0.4, ba(b) = 0.6; back: 1.2 and 0.3; D_b(0.4) = 0.8, D_a(0.6) = 0.6.
    wanted = {
        "game_ab": 0.2**2,
        "game_ba": 0.4**2,
        "cycle_a": 0.4,
        "cycle_b": 0.1,
        "identity_b": 0.1,  # ab(0.2) = 0.1
        "identity_a": 1.6,  # ba(0.8) = 2.4
    }
    found = {name: part.item() for name, part in generators.parts.items()}
    assert found == pytest.approx(wanted)
    total = 0.04 + 0.16 + 10 * (0.4 + 0.1) + 10 * 0.5 * (0.1 + 1.6)
    assert generators.total.item() == pytest.approx(total)
    # Each halved: D_a of 0.8 and of 0.6, D_b (twice) of 0.2 and of 0.4.
    halved = 0.5 * (0.2**2 + 0.6**2) + 0.5 * (0.6**2 + 0.8**2)
    assert discriminators.total.item() == pytest.approx(halved)


def test_without_identity_a_step_costs_a_third_less_of_the_generators():
    generators, _ = losses(identity_weight=0)
    assert not any("identity" in name for name in generators.parts)
    assert generators.total.item() == pytest.approx(0.04 + 0.16 + 10 * 0.5)
    cost = trainer(identity_weight=0).passes()
    assert (cost["ab"] + cost["ba"], cost["discriminator_a"] + cost["discriminator_b"]) == (12, 16)
    cost = trainer().passes()
    assert (cost["ab"] + cost["ba"], cost["discriminator_a"] + cost["discriminator_b"]) == (18, 16)


def test_the_rates_are_kept_for_half_of_the_steps_and_fall_to_zero():
    for phase in trainer().phases():
        rates = [phase.schedule(Progress(step, 4, 0.0)) for step in range(5)]
        assert rates == [1, 1, 1, 0.5, 0]


# Section 4: the history.


def test_the_history_keeps_its_number_and_shows_old_images_half_of_the_time():
    its, source = trainer(history=5), noise(1)
    old = 0
    for number in range(1000):
        shown = its._from_history("a", torch.full((1, 1, 1, 1), float(number)), source).item()
        if number < 5:
            assert shown == number
        old += shown != number
        assert len(its.state["history_a"]) == min(number + 1, 5)
    assert 420 < old < 580
    assert "history_b" not in its.state


def test_an_image_from_the_history_leaves_it_and_the_new_one_takes_its_place():
    its, source = trainer(history=3), noise(2)
    its._from_history("b", torch.tensor([0.0, 1.0, 2.0]).view(3, 1, 1, 1), source)
    alive = {0.0, 1.0, 2.0}
    for number in range(3, 60):
        shown = its._from_history("b", torch.full((1, 1, 1, 1), float(number)), source).item()
        alive = (alive | {float(number)}) - {shown}
        assert set(its.state["history_b"].flatten().tolist()) == alive


def test_nothing_is_lost_or_doubled_where_a_whole_batch_is_exchanged():
    its, source = trainer(history=5), noise(3)
    alive: set[float] = set()
    for first in range(0, 48, 3):
        new = torch.arange(first, first + 3.0).view(3, 1, 1, 1)
        shown = its._from_history("a", new, source).flatten().tolist()
        kept = its.state["history_a"].flatten().tolist()
        # While the history fills, what it keeps is shown too.
        gone = set(shown) - set(kept)
        alive = (alive | set(new.flatten().tolist())) - gone
        assert set(kept) == alive and len(set(shown)) == 3


def test_a_batch_larger_than_the_history_and_no_history_at_all():
    made = images(4, 1, 2, 2)
    its = trainer(history=2)
    shown = its._from_history("a", made, noise())
    assert torch.equal(shown[:2], made[:2]) and len(its.state["history_a"]) == 2
    its = trainer(history=0)
    assert its._from_history("a", made, noise()) is made and not its.state


# Published files.


def published(blocks, width, *, dropout=False, norm="instance", padding=nn.ReflectionPad2d):
    """Make a generator whose layers are numbered as the authors' project numbers them."""

    def normalized(maps):
        return nn.BatchNorm2d(maps) if norm == "batch" else nn.InstanceNorm2d(maps)

    bias = norm == "instance"
    maps = 4 * width
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7, bias=bias), normalized(width)]
    layers += [nn.ReLU()]
    for inputs in (width, 2 * width):
        layers += [nn.Conv2d(inputs, 2 * inputs, 3, 2, 1, bias=bias), normalized(2 * inputs)]
        layers += [nn.ReLU()]
    for _ in range(blocks):
        block = []
        for place in range(2):
            block += [padding(1)] if padding else []
            block += [
                nn.Conv2d(maps, maps, 3, padding=int(not padding), bias=bias),
                normalized(maps),
            ]
            if place == 0:
                block += [nn.ReLU(), *([nn.Dropout()] if dropout else [])]
        layers += [Residual(nn.Sequential(*block))]
    for inputs in (maps, 2 * width):
        layers += [nn.ConvTranspose2d(inputs, inputs // 2, 3, 2, 1, 1, bias=bias)]
        layers += [normalized(inputs // 2), nn.ReLU()]
    whole = nn.Module()
    whole.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())
    return whole, whole.model


class Residual(nn.Module):
    def __init__(self, conv_block):
        super().__init__()
        self.conv_block = conv_block

    def forward(self, activations):
        return activations + self.conv_block(activations)


@pytest.mark.parametrize(("prefix", "old"), [("", False), ("module.", True)])
@pytest.mark.parametrize("blocks", [6, 9])
@pytest.mark.parametrize(
    ("dropout", "norm"), [(False, "instance"), (True, "instance"), (True, "batch")]
)
def test_generators_of_the_authors_convert_exactly(tmp_path, prefix, old, blocks, dropout, norm):
    whole, network = published(blocks, 2, dropout=dropout, norm=norm)
    state = dict(randomised(whole).state_dict())
    if old and norm == "instance":
        for name in [name for name, tensor in state.items() if tensor.dim() == 4]:
            number = int(name.split(".")[-2]) + 1
            normalized = ".".join([*name.split(".")[:-2], str(number)])
            state[f"{normalized}.running_mean"] = torch.ones(2)
            state[f"{normalized}.num_batches_tracked"] = torch.tensor(3)
    file = tmp_path / "horse2zebra.pth"
    torch.save({prefix + name: tensor for name, tensor in state.items()}, file)
    model, said = zoo.convert([file], "cyclegan-one-way", tmp_path / "m")
    assert f"{blocks} blocks" in said[0] and f"{norm} norm" in said[0]
    assert ("trained with dropout" if dropout else "without dropout") in said[0]
    assert ("old running statistics left out" in said[0]) == (old and norm == "instance")
    assert model.directions == ("ab",)
    given = images(1, 3, 24, 32)
    with torch.no_grad():
        torch.testing.assert_close(model.translate(given), network(given), atol=1e-4, rtol=0)


def test_both_generators_and_a_discriminator_fill_their_roles_by_name(tmp_path):
    made = {}
    for seed, name in enumerate(("G_A", "G_B")):
        whole, made[name] = published(6, 2)
        torch.save(randomised(whole, seed).state_dict(), tmp_path / f"200_net_{name}.pth")
    judge = nn.Module()
    judge.model = nn.Sequential(
        nn.Conv2d(3, 2, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(2, 4, 4, 1, 1),
        nn.InstanceNorm2d(4),
        nn.LeakyReLU(0.2),
        nn.Conv2d(4, 1, 4, 1, 1),
    )
    torch.save(randomised(judge).state_dict(), tmp_path / "200_net_D_A.pth")
    files = sorted(tmp_path.glob("*.pth"))
    model, said = zoo.convert(files, "cyclegan", tmp_path / "m")
    assert "16x16 pixels" in said[0] and "as discriminator_b" in said[0]
    given = images(1, 3, 16, 16)
    with torch.no_grad():
        for name, way in (("G_A", "ab"), ("G_B", "ba")):
            found = model.translate(given, direction=way)
            torch.testing.assert_close(found, made[name](given), atol=1e-4, rtol=0)
        found = model.networks["discriminator_b"](given).logits
        torch.testing.assert_close(found, judge.model(given).squeeze(1), atol=1e-4, rtol=0)


def test_a_lone_file_whose_name_says_no_direction_is_asked_about(tmp_path):
    whole, _ = published(6, 2)
    torch.save(whole.state_dict(), tmp_path / "horse2zebra.pth")
    with pytest.raises(CheckpointError, match=r"latest_net_G_A\.pth .* --variant cyclegan-one-way"):
        zoo.convert([tmp_path / "horse2zebra.pth"], "cyclegan", tmp_path / "m")


def test_one_of_two_generators_is_not_enough_for_both_ways(tmp_path):
    whole, _ = published(6, 2)
    torch.save(whole.state_dict(), tmp_path / "latest_net_G_A.pth")
    with pytest.raises(CheckpointError, match="the ba of cyclegan is in none"):
        zoo.convert([tmp_path / "latest_net_G_A.pth"], "cyclegan", tmp_path / "m")


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize(
    ("padding", "settings"), [(nn.ReplicationPad2d, {"padding": "replicate"}), (None, {})]
)
def test_blocks_with_other_borders_convert_exactly(tmp_path, padding, settings, dropout):
    whole, network = published(6, 2, padding=padding, dropout=dropout)
    torch.save(randomised(whole).state_dict(), tmp_path / "x.pth")
    model, said = zoo.convert(
        [tmp_path / "x.pth"], "cyclegan-one-way", tmp_path / "m", settings=settings
    )
    assert ("zeros beyond the borders" in said[0]) == (padding is None)
    assert ("trained with dropout" if dropout else "without dropout") in said[0]
    given = images(1, 3, 24, 32)
    with torch.no_grad():
        wanted = network(given)
    torch.testing.assert_close(model.translate(given), wanted, atol=1e-4, rtol=0)
    assert zoo.load(tmp_path / "m").translate(given).equal(model.translate(given))


def test_that_reflected_borders_are_an_assumption_is_said(tmp_path):
    whole, network = published(6, 2, padding=nn.ReplicationPad2d)
    torch.save(randomised(whole).state_dict(), tmp_path / "x.pth")
    model, said = zoo.convert([tmp_path / "x.pth"], "cyclegan-one-way", tmp_path / "m")
    assert "reflected borders of the blocks assumed" in said[0]
    assert "--set padding=replicate" in said[0]
    given = images(1, 3, 24, 32)
    with torch.no_grad():
        assert (model.translate(given) - network(given)).abs().max() > 1e-3


def test_blocks_of_unknown_layers_are_refused(tmp_path):
    state = published(6, 2)[0].state_dict()
    moved = {name.replace("conv_block.5", "conv_block.9"): each for name, each in state.items()}
    torch.save(moved, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="blocks have layers that those of"):
        zoo.convert([tmp_path / "x.pth"], "cyclegan-one-way", tmp_path / "m")


# PyTorch-GAN, whose generators HugGAN put on the Hub.


def pytorch_gan_shapes(blocks, width, channels=3):
    """Say what tensors its generator has: convolutions with biases, and nothing else."""
    maps = [width, 2 * width, 4 * width]
    convolutions = {
        "model.1": (maps[0], channels, 7, 7),
        "model.4": (maps[1], maps[0], 3, 3),
        "model.7": (maps[2], maps[1], 3, 3),
        **{
            f"model.{10 + number}.block.{place}": (maps[2], maps[2], 3, 3)
            for number in range(blocks)
            for place in (1, 5)
        },
        f"model.{blocks + 11}": (maps[1], maps[2], 3, 3),
        f"model.{blocks + 15}": (maps[0], maps[1], 3, 3),
        f"model.{blocks + 19}": (channels, maps[0], 7, 7),
    }
    weights = {f"{name}.weight": shape for name, shape in convolutions.items()}
    return weights | {f"{name}.bias": shape[:1] for name, shape in convolutions.items()}


def pytorch_gan_generator(state, blocks, given):
    """Translate by the tensors of the file, as its model's `forward` does in eval mode."""

    def convolved(images, name, **how):
        return F.conv2d(images, state[f"{name}.weight"], state[f"{name}.bias"], **how)

    def reflected(images, pixels):
        return F.pad(images, [pixels] * 4, mode="reflect")

    x = F.relu(F.instance_norm(convolved(reflected(given, 3), "model.1")))
    for name in ("model.4", "model.7"):
        x = F.relu(F.instance_norm(convolved(x, name, stride=2, padding=1)))
    for number in range(blocks):
        block = f"model.{10 + number}.block"
        y = F.relu(F.instance_norm(convolved(reflected(x, 1), f"{block}.1")))
        x = x + F.instance_norm(convolved(reflected(y, 1), f"{block}.5"))
    for number in (11, 15):
        x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        x = F.relu(F.instance_norm(convolved(x, f"model.{blocks + number}", padding=1)))
    return convolved(reflected(x, 3), f"model.{blocks + 19}").tanh()


@pytest.mark.parametrize("blocks", [6, 9])
def test_generators_of_pytorch_gan_convert_exactly(tmp_path, blocks):
    state = random_state(pytorch_gan_shapes(blocks, 2))
    torch.save(state, tmp_path / "pytorch_model.bin")
    file = tmp_path / "pytorch_model.bin"
    model, said = zoo.convert([file], "cyclegan-one-way", tmp_path / "m")
    assert f"PyTorch-GAN's ResNet generator of {blocks} blocks" in said[0]
    assert "doubled by repeated pixels" in said[0] and "assumed" not in said[0]
    given = images(1, 3, 24, 32)
    wanted = pytorch_gan_generator(state, blocks, given)
    torch.testing.assert_close(model.translate(given), wanted, atol=1e-4, rtol=0)
    assert zoo.load(tmp_path / "m").translate(given).equal(model.translate(given))


def test_networks_of_pytorch_gan_fill_their_roles_by_name(tmp_path):
    states = {}
    for seed, name in enumerate(("G_AB", "G_BA")):
        states[name] = random_state(pytorch_gan_shapes(6, 2), seed)
    maps = (3, 2, 4, 8, 16)
    judged = {
        f"model.{number}": (outputs, inputs, 4, 4)
        for number, inputs, outputs in zip((0, 2, 5, 8, 12), maps, (*maps[1:], 1), strict=False)
    } | {"model.12": (1, 16, 4, 4)}
    shapes = {f"{name}.weight": shape for name, shape in judged.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in judged.items()}
    states["D_A"] = random_state(shapes, 2)
    for name, state in states.items():
        torch.save(state, tmp_path / f"{name}_5.pth")
    files = sorted(tmp_path.glob("*.pth"))
    model, said = zoo.convert(files, "cyclegan", tmp_path / "m")
    assert "94x94 pixels" in said[0] and "as discriminator_a" in said[0]
    given = images(1, 3, 64, 64)
    for name, way in (("G_AB", "ab"), ("G_BA", "ba")):
        wanted = pytorch_gan_generator(states[name], 6, given)
        found = model.translate(given, direction=way)
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)
    x, state = given, states["D_A"]
    for number in (0, 2, 5, 8):
        name = f"model.{number}"
        x = F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], 2, 1)
        x = F.leaky_relu(F.instance_norm(x) if number else x, 0.2)
    wanted = F.conv2d(F.pad(x, (2, 1, 2, 1)), state["model.12.weight"], state["model.12.bias"])
    found = model.networks["discriminator_a"](given).logits
    assert found.shape == (1, 4, 4)
    torch.testing.assert_close(found, wanted.squeeze(1), atol=1e-4, rtol=0)


def test_a_pytorch_gan_generator_that_shrinks_grey_images_is_refused(tmp_path):
    torch.save(random_state(pytorch_gan_shapes(6, 2, channels=1)), tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="makes its images smaller"):
        zoo.convert([tmp_path / "x.pth"], "cyclegan-one-way", tmp_path / "m")


def test_other_files_are_refused_in_one_sentence(tmp_path):
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="not a ResNet, a U-Net or a PatchGAN"):
        zoo.convert([tmp_path / "x.pth"], "cyclegan-one-way", tmp_path / "m")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample checkpoints are not at hand")
def test_a_unet_of_the_authors_becomes_a_cyclegans_generator(tmp_path):
    folder = SAMPLES / "pix2pix_g"
    model, _ = zoo.convert([folder / "checkpoint.pth"], "cyclegan-one-way", tmp_path / "m")
    given, wanted = (sample(folder / f"{name}.pt") for name in ("input", "expected"))
    assert (zoo.load(tmp_path / "m").translate(given) - wanted).abs().max() < 1e-4
    assert model.directions == ("ab",)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample checkpoints are not at hand")
@pytest.mark.parametrize("name", ["checkpoint.pth", "checkpoint_modern.pth"])
def test_samples_of_the_authors_project_answer_as_expected(tmp_path, name):
    folder = SAMPLES / "cyclegan_g"
    model, _ = zoo.convert([folder / name], "cyclegan-one-way", tmp_path / "m")
    given, wanted = (sample(folder / f"{name}.pt") for name in ("input", "expected"))
    assert (model.translate(given) - wanted).abs().max() < 1e-4


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample checkpoints are not at hand")
def test_the_sample_discriminator_of_the_authors_project_answers_as_expected(tmp_path):
    folder = SAMPLES / "cyclegan_d"
    files = [tmp_path / f"latest_net_{name}.pth" for name in ("G_A", "D_A")]
    files[0].write_bytes((SAMPLES / "cyclegan_g" / "checkpoint.pth").read_bytes())
    files[1].write_bytes((folder / "checkpoint.pth").read_bytes())
    model, _ = zoo.convert(files, "cyclegan-one-way", tmp_path / "m")
    given, wanted = (sample(folder / f"{name}.pt") for name in ("input", "expected"))
    with torch.no_grad():
        found = model.networks["discriminator_b"](given).logits
    assert (found - wanted.squeeze(1)).abs().max() < 1e-4
