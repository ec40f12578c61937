import math

import pytest
import torch
from ganzoo_plugin_dann.losses import told_apart
from ganzoo_plugin_domain_confusion.trainer import confusion_loss

from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import DiscriminatorOutput, Progress, Step
from ganzoo_core.errors import ConfigError
from ganzoo_core.plugins import read_installed
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.subjects import engine_of, noise_of

TINY = {"image_size": 16, "channels": 1, "classes": 3, "first_maps": 4, "second_maps": 6} | {
    "latent_size": 12,
    "discriminator.width": 8,
    "training.batch_size": 8,
}


@parametrize_with_checks("ganzoo-plugin-domain-confusion")
def test_conformance(check):
    check()


def engine(**settings):
    return engine_of(draw_up(read_installed(), "domain-confusion", {**TINY, **settings}))


def test_confusion_is_least_where_nothing_can_be_told_and_the_same_for_either_domain():
    def of(*logits):
        return confusion_loss(DiscriminatorOutput(torch.tensor(logits))).item()

    assert of(0.0) == pytest.approx(math.log(2))
    assert of(2.0) == pytest.approx(of(-2.0))
    by_hand = -(math.log(1 / (1 + math.exp(-2))) + math.log(1 / (1 + math.exp(2)))) / 2
    assert of(2.0) == pytest.approx(by_hand, rel=1e-6)
    assert of(0.0, 2.0) == pytest.approx((math.log(2) + by_hand) / 2, rel=1e-6)


def test_the_encoder_minimises_classes_plus_lambda_times_confusion():
    running = engine(**{"trainer.confusion_weight": 0.3})
    batch, step = running.batches.draw(0), Step(noise_of(0), Progress(0, 1, 0.0), "training")
    encoder_phase, discriminator_phase = running.trainer.phases()
    total = running.trainer.loss(encoder_phase, batch, step).total
    code = running.networks["encoder"](torch.cat([batch.images, batch.other.images]))
    judged = running.networks["discriminator"](code.mean)
    classes = torch.nn.functional.cross_entropy(code.logits[:8], batch.labels)
    assert total.item() == pytest.approx((classes + 0.3 * confusion_loss(judged)).item(), rel=1e-5)
    domains = running.trainer.loss(discriminator_phase, batch, step).total
    assert domains.item() == pytest.approx(told_apart(judged)[0].item(), rel=1e-5)


def test_no_phase_gives_a_gradient_to_what_is_frozen():
    running = engine()
    for phase in running.trainer.phases():
        batch, step = running.batches.draw(0), Step(noise_of(0), Progress(0, 1, 0.0), "training")
        if phase.name == "discriminator":
            running.trainer.loss(running.trainer.phases()[0], batch, step)
        running._freeze_all_but(phase.networks)
        running.trainer.loss(phase, batch, step).total.backward()
        for role, network in running.networks.items():
            touched = any(weight.grad is not None for weight in network.parameters())
            assert touched == (role in phase.networks), (phase.name, role)
            network.zero_grad(set_to_none=True)


def test_the_papers_weight():
    blueprint = draw_up(read_installed(), "domain-confusion", {"classes": 10})
    assert blueprint.trainer.config.confusion_weight == 0.01


@pytest.mark.parametrize("setting", [{"trainer.confusion_weight": -1}, {"image_size": 29}])
def test_nonsense_is_refused(setting):
    with pytest.raises(ConfigError):
        draw_up(read_installed(), "domain-confusion", setting)
