"""The field's tricks, each an option of the adversarial trainer."""

import pytest
import torch
from ganzoo_plugin_gan.config import AdversarialConfig
from ganzoo_plugin_gan.losses import NonSaturatingLoss
from ganzoo_plugin_gan.trainer import AdversarialTrainer
from torch.nn.functional import binary_cross_entropy_with_logits

import ganzoo_core
from ganzoo_core.components import (
    AdversarialLoss,
    Batch,
    Discriminator,
    DiscriminatorOutput,
    Generator,
    JointNoise,
    Parts,
    Progress,
    Regularizer,
    Step,
)
from ganzoo_core.errors import GanzooError

COUNT = 6


class Painter(Generator):
    """Paints each image in the shade of its latent; numbers its calls."""

    latent_shape = (1,)
    image_shape = (1, 2, 2)

    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.calls = 0

    def forward(self, latents, labels=None):
        self.calls += 1
        return (self.gain * latents.tanh())[:, :, None, None].expand(-1, 1, 2, 2)


class Watcher(Discriminator):
    """Says the mean of an image, and remembers what it saw."""

    image_shape = (1, 2, 2)

    def __init__(self, classes=0):
        super().__init__()
        self.classes = classes
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.seen = []
        self.labels = []

    def forward(self, images, labels=None):
        self.seen.append(images.detach().clone())
        self.labels.append(labels)
        return DiscriminatorOutput(self.gain * images.mean((1, 2, 3)))


def trainer_of(loss=None, regularizers=(), classes=0, **config):
    networks = {"generator": Painter(), "discriminator": Watcher(classes)}
    parts = Parts(networks, loss or NonSaturatingLoss(), regularizers)
    return AdversarialTrainer(AdversarialConfig(**config), parts)


def turn(trainer, name, *, done=0, steps=10, images=None, labels=None, seed=0):
    phase = next(phase for phase in trainer.phases() if phase.name == name)
    noise = JointNoise(torch.Generator().manual_seed(seed))
    images = torch.full((COUNT, 1, 2, 2), 0.5) if images is None else images
    step = Step(noise, Progress(done, steps, 0.0), "training")
    return trainer.loss(phase, Batch(images, labels), step)


def entropies(trainer, real_targets, fake_targets):
    """Return the discriminator's loss on what it last saw, by PyTorch's cross-entropy."""
    real, fake = (images.mean((1, 2, 3)) for images in trainer.discriminator.seen[-2:])
    return binary_cross_entropy_with_logits(real, real_targets) + binary_cross_entropy_with_logits(
        fake, fake_targets
    )


def test_smoothed_labels_are_cross_entropy_towards_a_softer_target_for_real_images_only():
    trainer = trainer_of(label_smoothing=0.1)
    total = turn(trainer, "discriminator").total
    expected = entropies(trainer, torch.full((COUNT,), 0.9), torch.zeros(COUNT))
    torch.testing.assert_close(total, expected)


def test_without_tricks_the_loss_is_the_papers():
    trainer = trainer_of()
    total = turn(trainer, "discriminator").total
    torch.testing.assert_close(total, entropies(trainer, torch.ones(COUNT), torch.zeros(COUNT)))


def test_flipping_exchanges_about_as_many_targets_as_asked():
    trainer = trainer_of(label_flipping=0.25)
    images = torch.ones(4000, 1, 2, 2)
    noise = JointNoise(torch.Generator().manual_seed(3))
    real = trainer.discriminator(images)
    with torch.no_grad():
        game = trainer._game(real, real, noise).item()
    # A quarter flipped on both sides: 3/4 as the right one, 1/4 as the other.
    as_real, as_fake = (softplus(-1.0), softplus(1.0))
    assert game == pytest.approx(as_real + as_fake, rel=0.05)
    unflipped = trainer_of()._game(real, real, noise).item()
    assert unflipped == pytest.approx(as_real + as_fake, rel=1e-5)
    one_side = trainer.adversarial_loss.towards(torch.tensor([0.75] * 4000), real).item()
    assert one_side == pytest.approx(0.75 * as_real + 0.25 * as_fake, rel=1e-5)


def softplus(number):
    return torch.nn.functional.softplus(torch.tensor(number)).item()


def test_noisy_labels_stay_around_their_targets():
    trainer = trainer_of(label_noise=0.3)
    real = trainer.discriminator(torch.zeros(2000, 1, 2, 2))
    seen = []
    trainer.adversarial_loss.towards = lambda targets, output: seen.append(targets) or targets.sum()
    trainer._game(real, real, JointNoise(torch.Generator().manual_seed(0)))
    for targets, lowest, highest in ((seen[0], 0.7, 1.3), (seen[1], 0.0, 0.3)):
        assert lowest <= targets.min() < lowest + 0.02
        assert highest - 0.02 < targets.max() <= highest


@pytest.mark.parametrize("trick", ["label_smoothing", "label_noise", "label_flipping"])
def test_a_loss_without_targets_refuses_them(trick):
    class Whole(AdversarialLoss):
        pass

    with pytest.raises(GanzooError, match="Whole has no targets"):
        trainer_of(Whole(), **{trick: 0.1})


@pytest.mark.parametrize(("done", "deviation"), [(0, 0.5), (50, 0.25), (100, 0.0)])
def test_instance_noise_falls_to_nothing_at_the_end(done, deviation):
    trainer = trainer_of(instance_noise=0.5)
    images = torch.full((3000, 1, 2, 2), 0.25)
    turn(trainer, "discriminator", done=done, steps=100, images=images)
    real, _ = trainer.discriminator.seen
    assert real.std().item() == pytest.approx(deviation, abs=0.01)
    assert real.mean().item() == pytest.approx(0.25, abs=0.01)


def test_instance_noise_is_on_the_generators_turn_too():
    trainer = trainer_of(instance_noise=1.0)
    turn(trainer, "generator")
    (fakes,) = trainer.discriminator.seen
    # The painter's images are of one shade each.
    assert fakes.flatten(1).std(1).min() > 0.1


def test_the_history_hands_half_of_the_fakes_out_and_takes_new_ones_in():
    trainer = trainer_of(history=2 * COUNT)
    for seed in range(2):
        turn(trainer, "discriminator", seed=seed)
    kept = trainer.state["history"].clone()
    assert len(kept) == 2 * COUNT
    turn(trainer, "discriminator", seed=9)
    judged = trainer.discriminator.seen[-1]
    old = [any(torch.equal(image, one) for one in kept) for image in judged]
    assert old == [True] * (COUNT // 2) + [False] * (COUNT // 2)
    changed = (trainer.state["history"] != kept).flatten(1).any(1).sum()
    assert changed == COUNT // 2


def test_the_history_keeps_the_labels_with_their_images():
    trainer = trainer_of(history=COUNT, classes=10)
    labels = torch.arange(COUNT)
    turn(trainer, "discriminator", labels=labels, seed=0)
    pairs = dict(
        zip(trainer.state["history"].flatten(1)[:, 0].tolist(), labels.tolist(), strict=True)
    )
    turn(trainer, "discriminator", labels=labels + 3, seed=1)
    judged, given = trainer.discriminator.seen[-1], trainer.discriminator.labels[-1]
    for image, label in list(zip(judged, given, strict=True))[: COUNT // 2]:
        assert pairs[image.flatten()[0].item()] == label.item()


def test_regularisers_add_up_and_each_is_logged():
    class Two(Regularizer):
        def penalty(self, judged, noise):
            assert not judged.fake.requires_grad
            return torch.tensor(2.0)

    class Three(Regularizer):
        passes = 6.0

        def penalty(self, judged, noise):
            return judged.judge(judged.real).logits.sum() * 0 + 3.0

    plain = turn(trainer_of(), "discriminator").total
    trainer = trainer_of(regularizers=(Two(), Three()))
    losses = turn(trainer, "discriminator")
    assert losses.total.item() == pytest.approx(plain.item() + 5)
    assert losses.parts["two"] == 2
    assert losses.parts["three"] == 3
    assert trainer.passes()["discriminator"] == 14


def test_constraints_are_applied_after_every_update(tmp_path):
    class Fix(Regularizer):
        def constrain(self, discriminator):
            discriminator.gain.data.fill_(7.0)

    trainer = trainer_of(regularizers=(Fix(),))
    for phase in trainer.phases():
        phase.constrain()
    assert trainer.discriminator.gain == 7


def test_tricks_train_and_resume_by_name(tmp_path):
    tricks = {
        "trainer.label_smoothing": 0.1,
        "trainer.label_noise": 0.05,
        "trainer.label_flipping": 0.05,
        "trainer.instance_noise": 0.1,
        "trainer.history": 12,
        "trainer.discriminator_steps": 2,
    }
    small = {"generator.width": 8, "discriminator.width": 4, "latent_size": 4, "image_size": 8}
    terms = {"training.batch_size": 8, "training.sample_every": 0}
    settings = small | terms | tricks
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    ganzoo_core.train("gan", out=whole, settings=settings | {"training.steps": 8}, device="cpu")
    ganzoo_core.train("gan", out=halved, settings=settings | {"training.steps": 4}, device="cpu")
    ganzoo_core.resume(halved, settings={"training.steps": 8}, device="cpu")
    # Noise falls with the share of the training that is done, so the two differ, but both go on.
    assert (halved / "checkpoints" / "step-00000008").exists()
    assert (whole / "model" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("setting", "value"),
    [("label_smoothing", 0.5), ("label_flipping", -0.1), ("instance_noise", -1), ("history", -1)],
)
def test_impossible_tricks_are_refused(setting, value):
    with pytest.raises(ValueError, match=setting):
        AdversarialConfig(**{setting: value})
