"""What a variant keeps as a recipe and as a model: names, settings, sampling, saving, export."""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganzoo_core.blueprint import draw_up, restore
from ganzoo_core.components import (
    Batch,
    CodeDiscriminator,
    Encoder,
    Generator,
    Losses,
    Phase,
    Predictor,
    Step,
)
from ganzoo_core.errors import ConfigError, suggestion
from ganzoo_core.evaluation.measures import MEASURES
from ganzoo_core.hub.folder import read_model_folder, write_model_folder
from ganzoo_core.model import Model
from ganzoo_core.plugins.schema import Settings
from ganzoo_core.testing.checks.watching import changes_nothing, random_state_kept
from ganzoo_core.testing.report import NotApplicableError, NotKeptError
from ganzoo_core.testing.subjects import (
    VariantSubject,
    answer_of,
    engine_of,
    in_mode,
    inputs_for,
    named_tensors,
    random_images,
)
from ganzoo_core.video import image_shape_of

COUNT = 6
"""Images that are sampled here."""
TOLERANCE = 1e-5
"""Rounding that another batch size may bring, as a share of the images' largest value."""


def recipe_resolves(variant: VariantSubject) -> None:
    """The recipe, its defaults, each preset and the tiny settings can all be built."""
    entry = variant.entry
    missing = [role for role in entry.recipe.inference if role not in entry.recipe.networks]
    if missing:
        raise NotKeptError(
            f"what a model keeps must be networks of the recipe, and {variant.title} keeps "
            f"{missing[0]!r}, which is none"
        )
    choices = {"its defaults": {}, "tiny": entry.tiny} | {
        f"preset {name!r}": entry.defaults | preset.settings
        for name, preset in entry.presets.items()
    }
    for title, settings in choices.items():
        try:
            # Given as if a user had set them, so that a misspelt setting is refused.
            strict = draw_up(variant.installed, variant.full_name, entry.defaults | settings)
            trainer = strict.build_trainer(strict.build_networks(device="meta"))
        except Exception as error:
            said = " ".join(str(error).split())
            raise NotKeptError(f"{variant.title} must build with {title}, and: {said}") from error
        unknown = {
            role for stage in trainer.stages() for phase in stage.phases for role in phase.networks
        } - entry.recipe.networks.keys()
        if unknown:
            raise NotKeptError(
                "a phase must train networks of the recipe, and the trainer of "
                f"{variant.title} trains {sorted(unknown)[0]!r}, which is none"
            )


def claims_can_be_measured(variant: VariantSubject) -> None:
    """Each claim with a run names a metric that exists, of something that the model can do."""
    claims = [claim for claim in variant.entry.claims if claim.full or claim.small]
    if not claims:
        raise NotApplicableError("no claim of the variant has a run")
    for claim in claims:
        measure = MEASURES.get(claim.metric)
        if measure is None:
            raise NotKeptError(
                f"a claim with a run must name a metric of ganzoo evaluate, and {claim.name} of "
                f"{variant.title} names {claim.metric!r}; {suggestion(claim.metric, MEASURES)}"
            )
        if measure.verb not in variant.entry.verbs:
            raise NotKeptError(
                f"a claim with a run must be of what the model can do, and {claim.name} of "
                f"{variant.title} needs one that can {measure.verb}"
            )


def verbs_are_true(variant: VariantSubject) -> None:
    """The manifest lists exactly the verbs that a model of this variant has."""
    blueprint = variant.blueprint()
    verbs = Model(blueprint, blueprint.build_networks(device="meta")).verbs
    if set(verbs) != set(variant.entry.verbs):
        raise NotKeptError(
            f"the manifest must list what a model can do, and that of {variant.title} says "
            f"{_listed(variant.entry.verbs)} where the model can {_listed(verbs)}"
        )


def image_sizes_are_true(variant: VariantSubject) -> None:
    """The networks build with each image size that the manifest lists, and refuse all others."""
    blueprint = variant.blueprint()
    if not any("image_size" in type(p.config).model_fields for p in blueprint.networks.values()):
        raise NotApplicableError("no network of this variant has the setting image_size")
    supported = variant.entry.image_sizes
    for size in supported or (8, 28, 33):
        try:
            sized = draw_up(variant.installed, variant.full_name, _with_size(variant, size))
            networks = sized.build_networks(device="meta")
        except Exception as error:
            said = " ".join(str(error).split())
            raise NotKeptError(
                f"every image size must build {'that the manifest lists' if supported else ''}, "
                f"and {variant.title} at {size} says: {said}"
            ) from error
        for role, network in networks.items():
            if isinstance(network, CodeDiscriminator | Predictor):
                continue
            if tuple(network.image_shape)[1:] != (size, size):  # type: ignore[arg-type]
                raise NotKeptError(
                    f"image_size must set every network's images, and the {role} of "
                    f"{variant.title} at {size} has image_shape {network.image_shape!r}"
                )
    for size in _unsupported(supported or ()):
        try:
            draw_up(variant.installed, variant.full_name, _with_size(variant, size))
        except ConfigError:
            continue
        raise NotKeptError(
            f"an image size that the manifest does not list must be refused by the config, and "
            f"{variant.title} accepts {size}"
        )


def config_round_trips(variant: VariantSubject) -> None:
    """A blueprint written as JSON and restored is the same."""
    blueprint = variant.blueprint()
    text = json.dumps(blueprint.to_json(), allow_nan=False)
    again = restore(variant.installed, json.loads(text), "the blueprint")
    if again != blueprint:
        raise NotKeptError(
            f"a blueprint must be the same after JSON, and that of {variant.title} is not"
        )


def builds_on_cpu_and_meta(variant: VariantSubject) -> None:
    """The trainer builds over networks on the CPU and on the meta device, with the same stages."""
    blueprint = variant.blueprint()
    stages = [
        repr(blueprint.build_trainer(blueprint.build_networks(device=device)).stages())
        for device in ("cpu", "meta")
    ]
    if _without_addresses(stages[0]) != _without_addresses(stages[1]):
        raise NotKeptError(
            f"a trainer's stages must not depend on the device, and those of {variant.title} do"
        )


def sampling_is_deterministic(variant: VariantSubject) -> None:
    """An image follows from the seed and its number, not from the batch size or the count."""
    model = variant.model()
    if "sample" not in model.verbs:
        raise NotApplicableError("the variant cannot sample")
    images = model.sample(COUNT, seed=1)
    if not torch.equal(images, model.sample(COUNT, seed=1)):
        raise NotKeptError(f"a seed must give the same images twice, and {variant.title} differs")
    rounding = TOLERANCE * float(images.abs().max())
    for count, batch_size, what in (
        (COUNT, 2, "the batch size"),
        (COUNT, 1, "the batch size"),
        (COUNT - 2, COUNT, "how many are sampled"),
    ):
        others = model.sample(count, seed=1, batch_size=batch_size)
        difference = float((images[:count] - others).abs().max())
        if not difference <= rounding:
            raise NotKeptError(
                f"an image must not depend on {what}, and those of {variant.title} differ by "
                f"{difference:.3g}"
            )
    difference = float((images - model.sample(COUNT, seed=2)).abs().max())
    if difference <= 10 * rounding:
        raise NotKeptError(
            f"another seed must give other images, and those of {variant.title} are the same"
        )


def inputs_unchanged(variant: VariantSubject) -> None:
    """What a model or a training step is given stays as it was."""
    model = variant.model()
    for verb, given in _inputs_of_verbs(variant, model):
        with changes_nothing(f"{verb} of {variant.title}", given):
            getattr(model, verb)(*given)
    engine = engine_of(variant.blueprint(steps=1))
    loss = engine.trainer.loss

    def watched(phase: Phase, batch: Batch, step: Step) -> Losses:
        # The next phase learns from the same batch.
        who = f"the phase {phase.name!r} of {variant.title}"
        its = (batch.images, batch.labels, batch.clips, batch.captions)
        with changes_nothing(who, its):
            return loss(phase, batch, step)

    engine.trainer.loss = watched  # type: ignore[method-assign]
    engine.step()


def random_state_untouched(variant: VariantSubject) -> None:
    """Building, sampling and training touch no global random state."""
    with random_state_kept(f"building {variant.title}"):
        engine = engine_of(variant.blueprint(steps=2))
    with random_state_kept(f"training {variant.title}"):
        engine.step()
        engine.step()
    model = Model(variant.blueprint(), engine.inference_networks(variant.entry.recipe.inference))
    if "sample" in model.verbs:
        with random_state_kept(f"sampling from {variant.title}"):
            model.sample(COUNT)


def saved_model_is_equal(variant: VariantSubject) -> None:
    """A model written to a folder and loaded again answers the same, bit for bit."""
    model = variant.model()
    with tempfile.TemporaryDirectory() as parent:
        folder = write_model_folder(model, Path(parent, "model"))
        loaded = read_model_folder(variant.installed, folder)
        for role, network in model.networks.items():
            inputs = inputs_for(network, COUNT)
            answers = []
            for each in (network, loaded.networks[role]):
                with in_mode(each, training=False), torch.no_grad():
                    answers.append(named_tensors(answer_of(each, inputs)))
            for name, tensor in answers[0].items():
                if not torch.equal(tensor, answers[1][name]):
                    raise NotKeptError(
                        f"a saved network must answer as before, and {name} of the {role} of "
                        f"{variant.title} is another after loading; is a tensor of it outside of "
                        "its state dict?"
                    )


def generator_exports(variant: VariantSubject) -> None:
    """`torch.export` takes the generator and its program answers the same."""
    if variant.entry.no_export:
        raise NotApplicableError(f"the manifest says: {variant.entry.no_export}")
    generator = variant.network(variant.model(), Generator)
    inputs = inputs_for(generator, COUNT)
    with in_mode(generator, training=False), torch.no_grad():
        try:
            program = torch.export.export(generator, inputs)
        except Exception as error:
            said = " ".join(str(error).split())[:300]
            raise NotKeptError(
                "torch.export must take the generator, or the manifest's no_export say why not, "
                f"and that of {variant.title} raised {type(error).__name__}: {said}"
            ) from error
        exported, expected = program.module()(*inputs), answer_of(generator, inputs)
    assert isinstance(expected, Tensor)
    if not torch.allclose(exported, expected, rtol=0, atol=TOLERANCE):
        raise NotKeptError(
            "an exported generator must make the same images, and that of "
            f"{variant.title} makes others"
        )


def _with_size(variant: VariantSubject, size: int) -> Settings:
    tiny = {k: v for k, v in variant.entry.tiny.items() if k.rpartition(".")[2] != "image_size"}
    return tiny | {"image_size": size}


def _unsupported(supported: Iterable[int]) -> list[int]:
    """Return sizes next to and beyond those that are supported; none where any will do."""
    sizes = set(supported)
    if not sizes:
        return []
    around = {size + step for size in sizes for step in (-1, 1)} | {2 * max(sizes)}
    return sorted(size for size in around - sizes if size > 0)


def _inputs_of_verbs(
    variant: VariantSubject, model: Model
) -> Iterable[tuple[str, tuple[Any, ...]]]:
    if "decode" in model.verbs:
        yield "decode", inputs_for(variant.network(model, Generator), COUNT)[:1]
    if "translate" in model.verbs:
        shape = model.translator().image_shape
        yield "translate", (random_images(COUNT, shape),)
    if "predict" in model.verbs:
        shape = image_shape_of(model.networks)
        past = random_images(3 * COUNT, shape).unflatten(0, (COUNT, 3))
        yield "predict", (past, 2)
    if "swap" in model.verbs:
        shape = image_shape_of(model.networks)
        yield "swap", (random_images(COUNT, shape), random_images(COUNT, shape, 1))
    for verb in ("encode", "reconstruct"):
        if verb in model.verbs:
            encoder = variant.network(model, Encoder)
            yield verb, (random_images(COUNT, encoder.image_shape),)  # type: ignore[arg-type]


def _without_addresses(shown: str) -> list[str]:
    return [word for word in shown.split() if not word.startswith("0x")]


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "nothing"
