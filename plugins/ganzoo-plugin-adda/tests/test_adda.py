import pytest
import torch
from ganzoo_plugin_dann.losses import taken_for_source

import ganzoo_core as zoo
from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import Progress, Step
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_core.plugins import read_installed
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.passes import count_passes
from ganzoo_core.testing.subjects import engine_of, noise_of

TINY = {"image_size": 16, "channels": 1, "classes": 3, "first_maps": 4, "second_maps": 6} | {
    "latent_size": 12,
    "discriminator.width": 8,
    "training.batch_size": 8,
    "training.steps": 8,
}


@parametrize_with_checks("ganzoo-plugin-adda")
def test_conformance(check):
    check()


def engine(**settings):
    return engine_of(draw_up(read_installed(), "adda", {**TINY, **settings}))


def state(running, role):
    return {n: t.detach().clone() for n, t in running.networks[role].state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_targets_encoder_begins_as_the_source_s_and_goes_its_own_way():
    running = engine()
    fresh = state(running, "encoder")
    for _ in range(4):
        running.step()
    assert same(state(running, "encoder"), fresh)
    source = state(running, "source_encoder")
    begun = []
    whole = running.trainer.loss

    def watched(phase, batch, step):
        begun.append((phase.name, state(running, "encoder")))
        return whole(phase, batch, step)

    running.trainer.loss = watched
    running.step()
    name, first = begun[0]
    assert name == "mapping"
    assert same(first, source)
    for _ in range(3):
        running.step()
    assert same(state(running, "source_encoder"), source)
    assert not same(state(running, "encoder"), source)


def test_the_classifier_stays_the_source_s():
    running = engine()
    for _ in range(8):
        running.step()
    encoders = [running.networks[role] for role in ("source_encoder", "encoder")]
    assert torch.equal(*(each.to_classes.weight for each in encoders))
    assert not torch.equal(*(each.features[0].weight for each in encoders))


def test_a_run_taken_up_in_either_stage_ends_where_the_straight_run_ends():
    straight = engine(**{"training.ema": 0.9})
    for _ in range(8):
        straight.step()
    for stop in (3, 4, 5):
        first = engine(**{"training.ema": 0.9})
        for _ in range(stop):
            first.step()
        tensors, facts = first.state()
        second = engine(**{"training.ema": 0.9})
        second.load_state(tensors, facts)
        for _ in range(8 - stop):
            second.step()
        for role in ("encoder", "source_encoder", "discriminator"):
            assert same(state(straight, role), state(second, role)), (stop, role)
        averages = [dict(each.averages["encoder"].state_dict()) for each in (straight, second)]
        assert same(*averages), stop


def test_the_average_of_the_targets_encoder_begins_with_what_it_was_given():
    running = engine(**{"training.ema": 0.999})
    for _ in range(5):
        running.step()
    average = running.averages["encoder"].state_dict()
    learned = state(running, "source_encoder")
    for name, tensor in learned.items():
        assert torch.allclose(average[name], tensor, atol=1e-4)


def test_the_mapping_minimises_flipped_labels():
    running = engine()
    for _ in range(5):
        running.step()
    trainer, batch = running.trainer, running.batches.draw(0)
    step = adapting()
    got = trainer.loss(running.stages[1].phases[0], batch, step).total
    code = running.networks["encoder"](batch.other.images)
    by_hand = taken_for_source(running.networks["discriminator"](code.mean))
    assert got.item() == pytest.approx(by_hand.item(), rel=1e-6)
    logits = running.networks["discriminator"](code.mean).logits
    assert by_hand.item() == pytest.approx(-logits.sigmoid().log().mean().item(), rel=1e-5)


def adapting():
    return Step(noise_of(0), Progress(1, 4, 0.0), "adaptation")


def test_a_step_of_either_stage_costs_what_is_said():
    running = engine()
    assert count_passes(running) == pytest.approx(
        {"source_encoder": 3, "encoder": 0, "discriminator": 0}, rel=0.02
    )
    while running.stage.name != "adaptation":
        running.step()
    assert count_passes(running) == pytest.approx(
        {"source_encoder": 1, "encoder": 3, "discriminator": 8}, rel=0.02
    )


def test_no_phase_gives_a_gradient_to_what_is_frozen():
    running = engine()
    while running.stage.name != "adaptation":
        running.step()
    running.step()
    for phase in running.stage.phases:
        step = running.batches.draw(0), adapting()
        if phase.name == "discriminator":
            running.trainer.loss(running.stage.phases[0], *step)
        running._freeze_all_but(phase.networks)
        running.trainer.loss(phase, *step).total.backward()
        for role, network in running.networks.items():
            touched = any(weight.grad is not None for weight in network.parameters())
            assert touched == (role in phase.networks), (phase.name, role)
            network.zero_grad(set_to_none=True)


def test_two_encoders_that_differ_are_refused():
    blueprint = draw_up(read_installed(), "adda", {**TINY, "encoder.first_maps": 3})
    with pytest.raises(UnsupportedError, match="--source-encoder the same"):
        blueprint.build_trainer(blueprint.build_networks())


@pytest.mark.parametrize(
    "setting", [{"trainer.pretraining_share": 0}, {"latent_size": 0}, {"image_size": 20}]
)
def test_nonsense_is_refused(setting):
    with pytest.raises(ConfigError):
        draw_up(read_installed(), "adda", setting)


def test_the_papers_networks():
    blueprint = draw_up(read_installed(), "adda", {"channels": 1, "classes": 10})
    networks = blueprint.build_networks(device="meta")
    shapes = [tuple(w.shape) for w in networks["encoder"].parameters() if w.dim() > 1]
    assert shapes == [(20, 1, 5, 5), (50, 20, 5, 5), (500, 800), (10, 500)]
    judged = [tuple(w.shape) for w in networks["discriminator"].parameters() if w.dim() > 1]
    assert judged == [(500, 500), (500, 500), (1, 500)]
    assert blueprint.training.batch_size == 128


def test_a_model_keeps_both_encoders_and_classifies_by_the_targets(tmp_path):
    settings = {k: v for k, v in TINY.items() if "." not in k}
    model = zoo.create("adda", **settings)
    loaded = zoo.load(model.save(tmp_path / "model"))
    assert set(loaded.networks) >= {"encoder", "source_encoder"}
    shown = torch.rand(3, 1, 16, 16) * 2 - 1
    wanted = model.networks["encoder"].eval()(shown).logits.softmax(1)
    assert torch.allclose(loaded.classify(shown), wanted)
