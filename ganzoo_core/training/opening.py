"""The data of a training: looked at, opened, checked, and cut into batches."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ganzoo_core.blueprint import Blueprint, image_shape_of
from ganzoo_core.components import Trainer, learning_stages
from ganzoo_core.data import ClipData, DataInfo, ImageData, inspect, open_clips, open_images
from ganzoo_core.errors import ConfigError, DataError
from ganzoo_core.text import Tokenizer, captions_of, text_shape
from ganzoo_core.training.batches import ImageBatches
from ganzoo_core.training.clips import ClipBatches, check_clips, wants_clips
from ganzoo_core.training.engine import batch_size_of, images_per_step
from ganzoo_core.training.processes import Processes
from ganzoo_core.training.run import DataChoice


def look_at(choice: DataChoice) -> DataInfo:
    """Look at the data of a training without decoding them."""
    return inspect(choice.source, root=Path(choice.root) if choice.root else None)


def with_epochs(
    blueprint: Blueprint, choice: DataChoice, epochs: float, info: DataInfo | None = None
) -> Blueprint:
    """Give a training as many steps as passes over the data take.

    Raises:
        GanzooError: there are too few or too many, or the size of the data is not known.
    """
    if not epochs > 0:
        raise ConfigError(f"--epochs must be above 0, not {epochs}")
    info = info or look_at(choice)
    trainer = blueprint.build_trainer(blueprint.build_networks(device="meta"))
    count = info.clips if wants_clips(trainer) else info.count
    if not count:
        raise DataError(f"the size of {choice.source} is not known; use --steps, not --epochs")
    settings = blueprint.training
    steps = math.ceil(epochs * count / images_per_step(learning_stages(trainer), settings))
    if steps > 10**9:
        raise ConfigError(f"--epochs {epochs} would take {steps} steps, more than 1,000,000,000")
    return replace(blueprint, training=settings.model_copy(update={"steps": steps}))


def open_data(
    trainer: Trainer,
    blueprint: Blueprint,
    choice: DataChoice,
    progress: Callable[[int, int], None] | None = None,
) -> ImageData | ClipData:
    """Open the images or the videos that a trainer learns from, as it wants them.

    Args:
        trainer: what is to learn.
        blueprint: its settings: the size of the images, and how far they jitter.
        choice: the data.
        progress: called while decoding with the number of images done and of all.

    Raises:
        GanzooError: the data cannot be had, or are not such as the trainer learns from.
    """
    size, channels = image_shape_of(blueprint)
    opening: dict[str, Any] = {
        "channels": channels,
        "root": Path(choice.root) if choice.root else None,
        "resize_filter": choice.resize_filter,
        "broken_share": choice.broken_share,
        "progress": progress,
    }
    if wants_clips(trainer):
        clips = open_clips(choice.source, image_size=size, **opening)
        check_clips(trainer, clips, blueprint.entry.name)
        return clips
    larger = round(size * (1 + blueprint.training.jitter))
    images = open_images(choice.source, image_size=larger, **opening)
    check_data(trainer, images, blueprint.entry.name)
    return images


def batches_of(
    data: ImageData | ClipData,
    trainer: Trainer,
    blueprint: Blueprint,
    processes: Processes,
    tokenizer_file: Path,
    given_tokenizer: Tokenizer | None = None,
) -> tuple[ImageBatches | ClipBatches, Tokenizer | None]:
    """Cut opened data into batches; where a network reads captions, return their tokenizer too.

    Args:
        data: what `open_data` returned.
        trainer: what is to learn.
        blueprint: its settings.
        processes: each takes its own rows of a batch.
        tokenizer_file: the tokenizer of a run that goes on; there is none where it begins.
        given_tokenizer: that of networks that are given with their weights.

    Raises:
        DataError: there are too few data for a batch, or no captions.
    """
    settings = blueprint.training
    largest = max(batch_size_of(stage, settings) for stage in learning_stages(trainer))
    if not isinstance(data, ImageData):
        return ClipBatches(data, largest, settings.seed, processes, flip=settings.flip), None
    tokenizer, captions = _read_captions(trainer, data, tokenizer_file, given_tokenizer)
    size, _ = image_shape_of(blueprint)
    batches = ImageBatches(
        data,
        largest,
        settings.seed,
        processes,
        image_size=size,
        flip=settings.flip,
        labelled=trainer.labelled,
        captions=captions,
        other=trainer.other,
    )
    return batches, tokenizer


def names_of_classes(data: ImageData | ClipData, trainer: Trainer) -> tuple[str, ...]:
    """Return what the classes that a network learns are called; nothing where by their numbers."""
    if not isinstance(data, ImageData) or data.labels is None:
        return ()
    names = data.class_names
    learned = {getattr(network, "classes", 0) for network in trainer.networks.values()}
    numbered = tuple(map(str, range(len(names))))
    return names if len(names) in learned and names != numbered else ()


def _read_captions(
    trainer: Trainer, data: ImageData, tokenizer_file: Path, given: Tokenizer | None
) -> tuple[Tokenizer | None, Tensor | None]:
    """Return how captions become tokens, and those of every image, where a network reads them.

    A run that goes on keeps the tokenizer that it began with, and networks that are given keep
    theirs.
    """
    shape = text_shape(trainer.networks)
    if shape is None:
        return None, None
    vocabulary, length = shape
    captions = captions_of(data)
    if tokenizer_file.is_file():
        tokenizer = Tokenizer.read(tokenizer_file)
    else:
        tokenizer = given or Tokenizer.trained(captions, vocabulary)
    return tokenizer, tokenizer.encode(captions, length)


def check_data(trainer: Trainer, data: ImageData, variant: str) -> None:
    """Check that data have what a trainer learns from.

    Raises:
        DataError: they lack labels or the other domain, or have one that is not wanted.
    """
    wants_labels = [
        role for role, network in trainer.networks.items() if getattr(network, "classes", 0)
    ]
    if wants_labels and data.labels is None:
        raise DataError(
            f"{data.name} has no labels, and the {wants_labels[0]} of {variant} is trained with "
            "classes; choose labelled data or another variant"
        )
    if trainer.other == "unlabelled":
        _check_domains(data, variant)
    if trainer.other and data.other is None:
        example = "paired:DIR" if trainer.other == "paired" else "unpaired:DIR_A:DIR_B"
        raise DataError(
            f"{variant} learns to translate between two sets of images, and {data.name} is one; "
            f"use --data {example}"
        )
    if trainer.other == "paired" and not data.paired:
        raise DataError(
            f"{variant} learns from pairs, and {data.name} has none; use --data paired:DIR"
        )
    if data.other is not None and not trainer.other:
        raise DataError(
            f"{variant} learns from one set of images, and {data.name} is two; "
            "use --data folder:DIR"
        )


def _check_domains(data: ImageData, variant: str) -> None:
    """Check that data have a target, and that its classes, where known, are the source's."""
    if data.other is None:
        raise DataError(
            f"{variant} adapts from one set of images to another, and {data.name} is one; use "
            "--source D1 --target D2"
        )
    if data.labels is None:
        raise DataError(
            f"the source in {data.name} has no labels, and {variant} learns its classes from them; "
            "choose a labelled --source"
        )
    theirs, ours = data.other.class_names, data.class_names
    if theirs and theirs != ours:
        raise DataError(
            f"the domains of {data.name} have other classes ({len(ours)} of the source: "
            f"{_some(ours)}; {len(theirs)} of the target: {_some(theirs)}); take sets of the same "
            "classes, or a target without labels"
        )


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
