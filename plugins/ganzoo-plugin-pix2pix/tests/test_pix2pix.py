from itertools import pairwise

import numpy as np
import pytest
import torch
from ganzoo_plugin_pix2pix.config import PairedConfig, PatchGANConfig, UNetConfig
from ganzoo_plugin_pix2pix.networks import PatchGAN, UNet
from ganzoo_plugin_pix2pix.trainer import PairedTrainer, linearly_decayed
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
    PointwiseLoss,
    Progress,
    Step,
    Translator,
    drawing_from,
)
from ganzoo_core.data import ImageData
from ganzoo_core.errors import CheckpointError, ConfigError
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.training.batches import ImageBatches
from ganzoo_core.training.processes import Processes


@parametrize_with_checks("ganzoo-plugin-pix2pix")
def test_conformance(check):
    check()


def noise(seed=0):
    return JointNoise(torch.Generator().manual_seed(seed))


# Section 6.1: the networks.


def test_the_256_pixel_unet_is_that_of_section_6_1_1():
    with torch.device("meta"):
        network = UNet(UNetConfig())
    encoder = [down.convolution.out_channels for down in network.downs]
    assert encoder == [64, 128, 256, 512, 512, 512, 512, 512]
    decoder = [up.convolution.out_channels for up in network.ups]
    assert decoder == [512, 512, 512, 512, 256, 128, 64]
    skipped = [up.convolution.in_channels for up in network.ups]
    assert skipped == [512, 1024, 1024, 1024, 1024, 512, 256]
    assert [up.dropout is not None for up in network.ups] == [True] * 3 + [False] * 4


@pytest.mark.parametrize("image_size", [16, 64, 128])
def test_every_size_goes_down_to_one_pixel(image_size):
    network = UNet(UNetConfig(image_size=image_size, width=2, channels=1)).eval()
    reached = []
    network.downs[-1].register_forward_hook(lambda _, __, output: reached.append(output.shape[2:]))
    with drawing_from(noise(), network), torch.no_grad():
        assert network(images(2, 1, image_size, image_size)).shape == (2, 1, image_size, image_size)
    assert reached == [(1, 1)]


@pytest.mark.parametrize("field", [1, 16, 34, 70, 142, 286])
def test_a_judgement_sees_a_patch_of_that_size_and_no_more(field):
    side = max(16, 2 * field)
    side += -side % 64 if field > 16 else 0
    config = PatchGANConfig(
        image_size=side, channels=1, width=1, receptive_field=field, normalization="none"
    )
    given = images(1, 1, side, side).requires_grad_()
    logits = PatchGAN(config)(given).logits
    middle = logits.shape[1] // 2
    (gradient,) = torch.autograd.grad(logits[0, middle, middle], given)
    rows, columns = gradient[0, 0].nonzero().T
    assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == field


def test_a_field_that_no_image_holds_is_refused():
    with pytest.raises(ConfigError, match="48 pixels"):
        zoo.create("pix2pix", image_size=32, receptive_field=142)


def test_weights_begin_from_n_0_002():
    weights = zoo.create("pix2pix", image_size=64, width=16).networks["ab"].downs[3].convolution
    assert weights.weight.std().item() == pytest.approx(0.02, rel=0.05)


# Section 3.4: translating is done as training is.


@pytest.fixture(scope="module")
def model():
    return zoo.create("pix2pix", image_size=16, channels=1, width=4, receptive_field=16)


def test_the_noise_of_a_translation_follows_from_the_seed_and_the_number_alone(model):
    given = images(3, 1, 20, 16)
    first = model.translate(given, seed=5)
    torch.random.manual_seed(7)
    assert torch.equal(first, model.translate(given, seed=5))
    torch.testing.assert_close(first, model.translate(given, seed=5, batch_size=3))
    assert torch.equal(first[:1], model.translate(given[:1], seed=5))
    assert not torch.allclose(first, model.translate(given, seed=6), atol=1e-3)


def test_a_translation_is_what_training_on_that_image_alone_would_make(model):
    network, given = model.networks["ab"], images(1, 1, 16, 16)
    answers = []
    for mode in (True, False):
        network.train(mode)
        with drawing_from(noise(3), network), torch.no_grad():
            answers.append(network(given))
    network.eval()
    torch.testing.assert_close(*answers)


def test_without_it_dropout_and_statistics_rest():
    settings = {"image_size": 16, "channels": 1, "width": 4, "receptive_field": 16}
    model = zoo.create("pix2pix", as_trained=False, **settings)
    given = images(2, 1, 16, 16)
    assert torch.equal(model.translate(given, seed=0), model.translate(given, seed=1))


# Section 3.1: what is learned.


class Scaled(Translator):
    image_shape = (1, 2, 2)

    def __init__(self, factor):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, latents, labels=None):
        return latents * self.factor


class Mean(Discriminator):
    def __init__(self, channels):
        super().__init__()
        self.image_shape = (channels, 2, 2)
        self.weight = nn.Parameter(torch.tensor(1.0))

    def forward(self, images, labels=None):
        assert images.shape[1] == self.image_shape[0]
        return DiscriminatorOutput(self.weight * images.mean((1, 2, 3)))


class Plain(PointwiseLoss):
    def as_real(self, output):
        return -output.logits

    def as_fake(self, output):
        return output.logits

    def generator(self, fake):
        return self.as_real(fake).mean()


def losses(channels=2, **settings):
    networks = {"ab": Scaled(0.5), "discriminator": Mean(channels)}
    trainer = PairedTrainer(PairedConfig(**settings), Parts(networks, Plain()))
    a, b = torch.full((1, 1, 2, 2), 0.8), torch.full((1, 1, 2, 2), 0.2)
    step = Step(noise(), Progress(0, 1, 0.0), "training")
    return [trainer.loss(phase, Batch(a, other=Batch(b)), step) for phase in trainer.phases()]


def test_losses_worked_out_by_hand():
    # G(a) = 0.4; the pair's mean is 0.6, the real pair's 0.5; |0.4 - 0.2| = 0.2.
    generator, discriminator = losses(l1_weight=100)
    assert generator.total.item() == pytest.approx(-0.6 + 100 * 0.2)
    assert generator.parts["l1"].item() == pytest.approx(0.2)
    assert discriminator.total.item() == pytest.approx(0.5 * (-0.5 + 0.6))


def test_the_other_direction_gives_b_and_wants_a():
    # G(b) = 0.1; the pair's mean is 0.15; |0.1 - 0.8| = 0.7.
    generator, _ = losses(l1_weight=10, direction="ba")
    assert generator.total.item() == pytest.approx(-0.15 + 10 * 0.7)


def test_a_discriminator_of_single_images_sees_the_answer_alone():
    generator, discriminator = losses(channels=1, l1_weight=0)
    assert generator.total.item() == pytest.approx(-0.4)
    assert discriminator.total.item() == pytest.approx(0.5 * (-0.2 + 0.4))


def test_a_model_that_learned_from_b_to_a_says_so():
    settings = {"image_size": 16, "channels": 1, "width": 4, "receptive_field": 16}
    model = zoo.create("pix2pix", trainer={"direction": "ba"}, **settings)
    assert model.directions == ("ba",)
    given = images(1, 1, 16, 16)
    assert torch.equal(model.translate(given), model.translate(given, direction="ba"))


def test_the_rate_is_kept_and_then_falls_to_zero():
    rates = [linearly_decayed(Progress(step, 8, 0.0), 0.5) for step in range(9)]
    assert rates == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0]
    assert linearly_decayed(Progress(8, 8, 0.0), 1.0) == 1


def test_pairs_are_flipped_and_jittered_alike():
    pixels = np.random.default_rng(0).integers(0, 255, (6, 20, 20, 1), dtype=np.uint8)
    other = ImageData("b", 255 - pixels, None, (), "", ())
    data = ImageData("a", pixels, None, (), "", (), other=other, paired=True)
    batches = ImageBatches(data, 6, 0, Processes("cpu"), image_size=16, flip=True, other="paired")
    shown = set()
    for position in range(0, 60, 6):
        batch = batches.draw(position)
        torch.testing.assert_close(batch.other.images, -batch.images)
        shown |= {image.numpy().tobytes() for image in batch.images}
    assert len(shown) > 50


# Published files.


def published_unet(downs, width, norm, *, dropout=True):
    """Make a network whose layers are numbered as the authors' project numbers them."""

    def normalized(maps):
        return nn.BatchNorm2d(maps) if norm == "batch" else nn.InstanceNorm2d(maps)

    bias = norm == "instance"
    maps = [width * min(2**level, 8) for level in range(downs)]
    inner = Skip(
        nn.LeakyReLU(0.2),
        nn.Conv2d(maps[-2], maps[-1], 4, 2, 1, bias=bias),
        nn.ReLU(),
        nn.ConvTranspose2d(maps[-1], maps[-2], 4, 2, 1, bias=bias),
        normalized(maps[-2]),
    )
    for level in range(downs - 2, 0, -1):
        layers = [
            nn.LeakyReLU(0.2),
            nn.Conv2d(maps[level - 1], maps[level], 4, 2, 1, bias=bias),
            normalized(maps[level]),
            inner,
            nn.ReLU(),
            nn.ConvTranspose2d(2 * maps[level], maps[level - 1], 4, 2, 1, bias=bias),
            normalized(maps[level - 1]),
        ]
        inner = Skip(*layers, *([nn.Dropout()] if dropout and level > 3 else []))
    outermost = nn.Module()
    outermost.model = nn.Sequential(
        nn.Conv2d(3, width, 4, 2, 1, bias=bias),
        inner,
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, 3, 4, 2, 1),
        nn.Tanh(),
    )
    whole = nn.Module()
    whole.model = outermost
    return whole, outermost.model


class Skip(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.model = nn.Sequential(*layers)

    def forward(self, activations):
        return torch.cat([activations, self.model(activations)], 1)


def published_patchgan(strided, width, norm, channels):
    """Make a discriminator whose layers are numbered as the authors' project numbers them."""
    bias = norm == "instance"
    maps = [width * min(2**level, 8) for level in range(strided + 1)]
    layers = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for number in range(1, strided + 1):
        stride = 2 if number < strided else 1
        layers += [
            nn.Conv2d(maps[number - 1], maps[number], 4, stride, 1, bias=bias),
            nn.BatchNorm2d(maps[number]) if norm == "batch" else nn.InstanceNorm2d(maps[number]),
            nn.LeakyReLU(0.2),
        ]
    whole = nn.Module()
    whole.model = nn.Sequential(*layers, nn.Conv2d(maps[-1], 1, 4, 1, 1))
    return whole, whole.model


def published_pixel(width, channels):
    whole = nn.Module()
    whole.net = nn.Sequential(
        nn.Conv2d(channels, width, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 1, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.LeakyReLU(0.2),
        nn.Conv2d(2 * width, 1, 1, bias=False),
    )
    return whole, whole.net


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize(("downs", "norm"), [(5, "batch"), (7, "batch"), (7, "instance")])
def test_unets_of_the_authors_convert_exactly(tmp_path, downs, norm, prefix):
    whole, network = published_unet(downs, 2, norm)
    randomised(whole)
    state = {prefix + name: tensor for name, tensor in whole.state_dict().items()}
    file = tmp_path / "latest_net_G.pth"
    torch.save(state, file)
    model, said = zoo.convert([file], "pix2pix", tmp_path / "m")
    assert f"U-Net generator of {2**downs} pixels" in said[0] and f"{norm} norm" in said[0]
    given = images(1, 3, 2**downs, 2**downs)
    with torch.no_grad():
        torch.testing.assert_close(model.translate(given), network(given), atol=1e-4, rtol=0)


def test_a_converted_unet_can_be_asked_to_translate_as_the_paper_does(tmp_path):
    whole, _ = published_unet(5, 2, "batch")
    torch.save(randomised(whole).state_dict(), tmp_path / "facades_label2photo.pth")
    model, _ = zoo.convert(
        [tmp_path / "facades_label2photo.pth"],
        "pix2pix",
        tmp_path / "m",
        settings={"ab.as_trained": True},
    )
    given = images(1, 3, 32, 32)
    assert not torch.equal(model.translate(given, seed=0), model.translate(given, seed=1))


@pytest.mark.parametrize("strided", [1, 2, 3, 5])
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_discriminators_of_the_authors_convert_exactly(tmp_path, strided, norm):
    judge, layers = published_patchgan(strided, 2, norm, channels=6)
    unet, _ = published_unet(7, 2, "batch")
    _compare_discriminators(tmp_path, judge, layers, unet)


def test_pixel_discriminators_of_the_authors_convert_exactly(tmp_path):
    judge, layers = published_pixel(2, channels=6)
    unet, _ = published_unet(7, 2, "batch")
    _compare_discriminators(tmp_path, judge, layers, unet)


def _compare_discriminators(tmp_path, judge, layers, unet):
    files = [tmp_path / "latest_net_D.pth", tmp_path / "latest_net_G.pth"]
    for network, file in zip((judge, unet), files, strict=True):
        torch.save(randomised(network).state_dict(), file)
    model, _ = zoo.convert(files, "pix2pix", tmp_path / "m")
    given = images(1, 6, 128, 128)
    with torch.no_grad():
        found = model.networks["discriminator"](given).logits
        torch.testing.assert_close(found, layers(given).squeeze(1), atol=1e-4, rtol=1e-4)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample checkpoints are not at hand")
def test_the_sample_of_the_authors_project_answers_as_expected(tmp_path):
    folder = SAMPLES / "pix2pix_g"
    model, _ = zoo.convert([folder / "checkpoint.pth"], "pix2pix", tmp_path / "m")
    given, wanted = (sample(folder / f"{name}.pt") for name in ("input", "expected"))
    assert (model.translate(given) - wanted).abs().max() < 1e-4


def test_other_files_are_refused_in_one_sentence(tmp_path):
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"not a U-Net or a PatchGAN.*'weight'"):
        zoo.convert([tmp_path / "x.pth"], "pix2pix", tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_a_discriminator_alone_makes_no_model(tmp_path):
    judge, _ = published_patchgan(3, 2, "batch", channels=6)
    torch.save(judge.state_dict(), tmp_path / "latest_net_D.pth")
    with pytest.raises(CheckpointError, match="the ab of pix2pix is in none"):
        zoo.convert([tmp_path / "latest_net_D.pth"], "pix2pix", tmp_path / "m")


# PyTorch-GAN, whose generators HugGAN put on the Hub.


def pytorch_gan_unet_shapes(width):
    maps = [3, *(width * factor for factor in (1, 2, 4, 8, 8, 8, 8, 8))]
    shapes = {
        f"down{level}.model.0.weight": (outputs, inputs, 4, 4)
        for level, (inputs, outputs) in enumerate(pairwise(maps), 1)
    }
    for level, outputs in enumerate(maps[-2:0:-1], 1):
        inputs = maps[-1] if level == 1 else 2 * maps[-level]
        shapes[f"up{level}.model.0.weight"] = (inputs, outputs, 4, 4)
    return shapes | {"final.2.weight": (3, 2 * width, 4, 4), "final.2.bias": (3,)}


def pytorch_gan_unet(state, given):
    """Translate by the tensors of the file, as its model's `forward` does in eval mode."""
    downs = [given]
    for level in range(1, 9):
        x = F.conv2d(downs[-1], state[f"down{level}.model.0.weight"], stride=2, padding=1)
        downs.append(F.leaky_relu(x if level in (1, 8) else F.instance_norm(x), 0.2))
    x = downs[-1]
    for level in range(1, 8):
        x = F.conv_transpose2d(x, state[f"up{level}.model.0.weight"], stride=2, padding=1)
        x = torch.cat([F.relu(F.instance_norm(x)), downs[8 - level]], 1)
    x = F.pad(x.repeat_interleave(2, 2).repeat_interleave(2, 3), (1, 0, 1, 0))
    return F.conv2d(x, state["final.2.weight"], state["final.2.bias"], padding=1).tanh()


@pytest.fixture(scope="module")
def pytorch_gan(tmp_path_factory):
    """Give a U-Net's tensors and its file."""
    state = random_state(pytorch_gan_unet_shapes(2))
    file = tmp_path_factory.mktemp("published") / "pytorch_model.bin"
    torch.save(state, file)
    return state, file


def test_a_unet_of_pytorch_gan_converts_exactly(tmp_path, pytorch_gan):
    state, file = pytorch_gan
    model, said = zoo.convert([file], "pix2pix", tmp_path / "m")
    assert "PyTorch-GAN's U-Net generator of 256 pixels" in said[0]
    given = images(1, 3, 256, 256)
    wanted = pytorch_gan_unet(state, given)
    torch.testing.assert_close(model.translate(given), wanted, atol=1e-4, rtol=0)
    assert zoo.load(tmp_path / "m").translate(given).equal(model.translate(given))


def test_a_discriminator_of_pytorch_gan_judges_the_question_before_the_answer(
    tmp_path, pytorch_gan
):
    maps = {0: (6, 2), 2: (2, 4), 5: (4, 8), 8: (8, 16), 12: (16, 1)}
    shapes = {f"model.{n}.weight": (outputs, i, 4, 4) for n, (i, outputs) in maps.items()}
    shapes |= {f"model.{n}.bias": (outputs,) for n, (_, outputs) in maps.items() if n < 12}
    state, file = random_state(shapes), tmp_path / "discriminator_5.pth"
    torch.save(state, file)
    model, said = zoo.convert([pytorch_gan[1], file], "pix2pix", tmp_path / "m")
    assert "94x94 pixels" in said[1]
    question, answer = images(1, 3, 64, 64), images(1, 3, 64, 64, seed=1)
    x = torch.cat([answer, question], 1)
    for number in (0, 2, 5, 8):
        x = F.conv2d(x, state[f"model.{number}.weight"], state[f"model.{number}.bias"], 2, 1)
        x = F.leaky_relu(F.instance_norm(x) if number else x, 0.2)
    wanted = F.conv2d(F.pad(x, (2, 1, 2, 1)), state["model.12.weight"])
    found = model.networks["discriminator"](torch.cat([question, answer], 1)).logits
    torch.testing.assert_close(found, wanted.squeeze(1), atol=1e-4, rtol=0)


def test_an_older_unet_of_pytorch_gan_is_refused(tmp_path, pytorch_gan):
    state = {name: each[..., :3, :3].clone() if each.dim() == 4 else each
             for name, each in pytorch_gan[0].items()}  # fmt: skip
    torch.save(state, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="other layouts are not read"):
        zoo.convert([tmp_path / "x.pth"], "pix2pix", tmp_path / "m")
