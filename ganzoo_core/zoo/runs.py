"""Trainings: planned, begun, and gone on with."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo_core.plugins import read_installed

if TYPE_CHECKING:
    from ganzoo_core.blueprint import Blueprint
    from ganzoo_core.model import Model
    from ganzoo_core.plugins.schema import VariantEntry
    from ganzoo_core.training.given import GivenNetworks
    from ganzoo_core.training.run import DataChoice, Observer, RunFolder


def train(
    variant: str,
    data: str | None = None,
    *,
    source: str | None = None,
    target: str | None = None,
    target_test: str | None = None,
    out: Path | str,
    going_on: bool = False,
    preset: str | None = None,
    components: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    epochs: float | None = None,
    given: Sequence[str] = (),
    data_root: Path | str | None = None,
    flip: bool = False,
    resize_filter: str = "lanczos",
    broken_share: float = 0.01,
    device: str = "auto",
    observer: "Observer | None" = None,
) -> "Model":
    """Train a variant and return the trained model, which also lies in `out`/model.

    Args:
        variant: name of an installed variant.
        data: what to learn from; see `ganzoo_core.data`. By default the embedded digits.
        source: of domain adaptation, instead of `data`: images with labels.
        target: images to adapt to, whose labels serve for nothing but the final score.
        target_test: images to take the final score of, instead of the target's test set.
        out: folder of the run, new or empty.
        going_on: `out` is a run that was begun with these very arguments; go on with it.
        preset: name of one of the variant's presets.
        components: other components for the recipe, such as `{"loss": "minimax"}`.
        settings: hyper-parameters by dotted path, such as `{"training.steps": 2000}`.
        epochs: passes over the data, instead of a number of steps.
        given: models, as for `load`, whose networks learn nothing here: they bring their weights
            and settings, and stages in which nothing else learns are skipped. By default all that
            the recipe has a place for; `encoder,decoder=MODEL` takes these alone.
        data_root: folder that the data's path is relative to.
        flip: mirror each image left to right with probability one half.
        resize_filter: lanczos, bicubic, bilinear or box.
        broken_share: share of the images that may be broken and are left out.
        device: "auto", "cpu", "cuda", "cuda:1", "mps", …
        observer: told how it goes.

    Raises:
        GanzooError: whatever a user can mend, in one sentence.
    """
    from ganzoo_core.data import named_data
    from ganzoo_core.training.run import DataChoice, Observer, RunFolder

    folder = RunFolder(Path(out))
    before = folder.record() if going_on else None
    if before is None:
        folder.refuse_to_overwrite()
    name = named_data(data, source, target, target_test) or "digits"
    choice = DataChoice(name, str(data_root) if data_root else None, resize_filter, broken_share)
    settings = {**(settings or {}), **({"training.flip": True} if flip else {})}
    weights = _given(variant, given)
    blueprint = plan(
        variant,
        choice,
        preset=preset,
        components=components,
        settings=settings,
        epochs=epochs,
        given=weights,
    )
    return _run(folder, blueprint, choice, device, observer or Observer(), before, weights)


def resume(
    run: Path | str,
    *,
    settings: Mapping[str, Any] | None = None,
    data: str | None = None,
    data_root: Path | str | None = None,
    device: str = "auto",
    observer: "Observer | None" = None,
) -> "Model":
    """Go on with a run where it stopped, bit for bit.

    Args:
        run: folder of the run.
        settings: what may change: more `training.steps`, and the intervals of logging, samples
            and checkpoints.
        data: where the same data lie now, if they were moved.
        data_root: folder that the data's path is relative to.
        device: where to go on; another kind of device than before is not bit for bit.
        observer: told how it goes.

    Raises:
        RunError: this is not a run, or a setting or the data changed.
    """
    from dataclasses import fields, replace

    from ganzoo_core.blueprint import draw_up, recorded_components, restore
    from ganzoo_core.training.run import DataChoice, Observer, RunFolder

    folder = RunFolder(Path(run))
    before = folder.record()
    names = {field.name for field in fields(DataChoice)}
    choice = DataChoice(**{k: v for k, v in before["data"].items() if k in names})
    choice = replace(
        choice,
        source=data or choice.source,
        root=str(data_root) if data_root else choice.root,
    )
    installed = read_installed()
    blueprint = restore(installed, before["blueprint"], str(folder.record_file))
    if settings:
        recorded = _recorded_settings(before["blueprint"])
        blueprint = draw_up(
            installed,
            blueprint.variant.full_name,
            recorded | _spread(settings, recorded),
            components=recorded_components(_parts(before["blueprint"])),
            given=blueprint.given,
        )
    return _run(folder, blueprint, choice, device, observer or Observer(), before)


def plan(
    variant: str,
    data: "DataChoice",
    *,
    preset: str | None = None,
    components: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    epochs: float | None = None,
    given: "GivenNetworks | Sequence[str]" = (),
) -> "Blueprint":
    """Decide everything about a training without starting it.

    The size, channels and classes of the images follow from the data unless they are set, or are
    those of networks that are `given`; see `train`.

    Raises:
        GanzooError: an unknown name, a value that a setting cannot have, or missing data.
    """
    from ganzoo_core.blueprint import draw_up, fitting_image_size
    from ganzoo_core.training.given import GivenNetworks
    from ganzoo_core.training.opening import look_at, with_epochs

    installed = read_installed()
    entry = _entry(variant)
    weights = given if isinstance(given, GivenNetworks) else _given(variant, given)
    info = look_at(data)
    size = fitting_image_size(entry, info.image_size)
    shape: dict[str, Any] = {"channels": info.channels}
    if size is not None:
        shape["image_size"] = size
    if info.classes:
        shape["classes"] = info.classes
    blueprint = draw_up(
        installed,
        variant,
        dict(settings or {}),
        components=components,
        preset=preset,
        shape=shape,
        given=weights.origins,
    )
    return with_epochs(blueprint, data, epochs, info) if epochs is not None else blueprint


def _run(
    folder: "RunFolder",
    blueprint: "Blueprint",
    choice: "DataChoice",
    device: str,
    observer: "Observer",
    before: Mapping[str, Any] | None,
    given: "GivenNetworks | None" = None,
) -> "Model":
    from ganzoo_core.data import domains_of
    from ganzoo_core.training.engine import Engine
    from ganzoo_core.training.given import fill, read_given, save_given
    from ganzoo_core.training.opening import batches_of, names_of_classes, open_data
    from ganzoo_core.training.processes import Processes
    from ganzoo_core.training.run import check_resumable, new_record, train

    processes = Processes(device)
    with ExitStack() as stack:
        if processes.leads and before is not None:
            stack.enter_context(folder.held())
        networks = blueprint.build_networks()
        its_given = given.networks if given else read_given(folder.path, blueprint)
        fill(networks, its_given)
        trainer = blueprint.build_trainer(networks)
        data = open_data(trainer, blueprint, choice, observer.decoding)
        for skipped in data.skipped:
            observer.noted(f"left out {skipped}")
        record = new_record(blueprint, choice, data.fingerprint, processes.count)
        if before is not None:
            check_resumable(folder.path, before, record)
        batches, tokenizer = batches_of(
            data,
            trainer,
            blueprint,
            processes,
            folder.tokenizer,
            given.tokenizer if given else None,
        )
        engine = Engine(
            trainer,
            batches,
            blueprint.training,
            inference=blueprint.entry.recipe.inference,
            processes=processes,
        )
        if processes.leads and before is None:
            # Not before: what cannot begin leaves no folder behind.
            stack.enter_context(folder.held())
            folder.refuse_to_overwrite()
            if its_given:
                save_given(folder.path, its_given)
        if processes.leads and (before is None or _steps(before) != blueprint.training.steps):
            folder.begin(record if before is None else {**before, "blueprint": record["blueprint"]})
            if tokenizer is not None:
                tokenizer.save(folder.tokenizer)
        processes.wait()
        names = names_of_classes(data, trainer)
        model = train(engine, folder, blueprint, choice, observer, tokenizer, names)
    if processes.leads and domains_of(choice.source) and "classify" in model.verbs:
        from ganzoo_core.evaluation.adaptation import tell_final_score

        root = Path(choice.root) if choice.root else None
        tell_final_score(model, choice.source, root, observer.noted)
    return model


def _entry(variant: str) -> "VariantEntry":
    from ganzoo_core.plugins import load_plugin

    found = read_installed().variant(variant)
    entries = load_plugin(found.plugin).manifest.variants
    return next(entry for entry in entries if entry.name == found.name)


def _given(variant: str, names: Sequence[str]) -> "GivenNetworks":
    from ganzoo_core.training.given import given_networks

    return given_networks(names, _entry(variant))


def _recorded_settings(blueprint: Mapping[str, Any]) -> dict[str, Any]:
    from ganzoo_core.settings import by_path

    configs = {part: its["config"] for part, its in _parts(blueprint).items()}
    return by_path(configs | {"training": blueprint["training"]})


def _parts(blueprint: Mapping[str, Any]) -> Mapping[str, Any]:
    parts: Mapping[str, Any] = blueprint["components"]
    return parts


def _spread(settings: Mapping[str, Any], recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Write undotted settings out for each part, so that they win over the recorded ones."""
    spread: dict[str, Any] = {}
    for path, value in settings.items():
        paths = [known for known in recorded if known.partition(".")[2] == path]
        spread |= dict.fromkeys(paths or [path], value)
    return spread


def _steps(record: Mapping[str, Any]) -> int:
    return int(record["blueprint"]["training"]["steps"])
