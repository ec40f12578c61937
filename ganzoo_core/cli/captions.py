"""The options of `ganzoo sample` that only models of captions understand."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo_core.cli.options import completed, component_names, natural, number, path, positive
from ganzoo_core.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from ganzoo_core.components import Reranker
    from ganzoo_core.model import Model

COUNT = 8
"""Images of each caption, unless -n says how many."""

_OPTIONS = (
    *("text", "rerank", "reranker", "image", "keep_rows"),
    *("temperature", "top_k", "top_p", "guidance"),
)


def add_prompt(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    its = parser.add_argument_group("models of captions")
    its.add_argument("--text", action="append", help="what to draw; several make several rows")
    its.add_argument("--rerank", type=positive, metavar="N", help="draw N and keep the best")
    action = its.add_argument(
        "--reranker",
        metavar="NAME",
        help="another judge than the model's: a model, such as runs/clip, or hub:ORG/NAME",
    )
    completed(action, component_names("reranker"))
    its.add_argument("--image", type=path, metavar="FILE", help="go on from this picture")
    its.add_argument("--keep-rows", type=positive, metavar="N", help="rows of its pixels to keep")
    its.add_argument("--temperature", type=number, help="below 1 for likelier images (default 1)")
    its.add_argument("--top-k", type=natural, metavar="K", help="draw among the K likeliest codes")
    its.add_argument("--top-p", type=number, metavar="P", help="among those that make up P of 1")
    its.add_argument("--guidance", type=number, help="above 1 to follow the text more closely")


def is_prompted(options: argparse.Namespace) -> bool:
    """Say whether any of them was given."""
    return any(getattr(options, name) is not None for name in _OPTIONS)


def check_prompt(options: argparse.Namespace) -> None:
    """Refuse what would be without effect.

    Raises:
        ConfigError: an option that goes with another one, alone.
    """
    if options.rerank is not None and not options.text:
        raise ConfigError("--rerank needs a --text that images are held against")
    if options.reranker is not None and options.rerank is None:
        raise ConfigError("--reranker judges candidates; say how many, as in --rerank 64")
    if (options.image is None) != (options.keep_rows is None):
        raise ConfigError("--image and --keep-rows go together: which picture, and how much of it")
    if is_prompted(options) and (options.classes or options.code):
        raise ConfigError("--class and --code are for models of classes, and --text for captions")
    if is_prompted(options) and (not isinstance(options.seed, int) or options.mix):
        raise ConfigError("--text draws images of one seed; give --seed a single number")


def drawn_of_captions(
    model: "Model", options: argparse.Namespace, progress: Any
) -> "tuple[Tensor, int | None, dict[str, Any]]":
    """Draw -n images of each caption: [N, C, H, W], columns, and what there is to say."""
    import torch

    from ganzoo_core.components import Drawing
    from ganzoo_core.prompting import Prompt

    given = {name: getattr(options, name) for name in ("temperature", "top_k", "top_p", "guidance")}
    drawing = Drawing(**{name: value for name, value in given.items() if value is not None})
    image = None if options.image is None else _picture(model, options)
    prompt = Prompt(image=image, keep_rows=options.keep_rows or 0, drawing=drawing)
    judge = None if options.reranker is None else reranker_of(model, options.reranker)
    rows: list[Tensor] = []
    captions = []
    texts = options.text or [None]
    count = options.count or COUNT
    each = options.rerank or count
    for number_of, text in enumerate(texts):

        def counted(done: int, total: int, before: int = number_of * each) -> None:
            progress(before + done, len(texts) * each)

        if options.rerank is None:
            rows.append(
                model.sample(
                    count,
                    seed=options.seed,
                    text=text,
                    prompt=prompt,
                    batch_size=options.batch_size,
                    progress=counted if progress else None,
                )
            )
            continue
        best = model.ranked(
            count,
            text,
            candidates=options.rerank,
            seed=options.seed,
            prompt=prompt,
            reranker=judge,
            batch_size=options.batch_size,
            progress=counted if progress else None,
        )
        rows.append(best.images)
        scores = [round(score, 4) for score in best.scores.tolist()]
        its = {"text": text, "candidates": options.rerank, "scores": scores}
        captions.append(its | {"numbers": best.numbers.tolist()})
    said: dict[str, Any] = {"text": options.text} if options.text else {}
    said |= {"captions": captions} if captions else {}
    said |= {"unread": unread} if (unread := _unread(model, options.text or [])) else {}
    return torch.cat(rows), count if len(texts) > 1 else None, said


def reranker_of(model: "Model", name: str) -> "Reranker | Model":
    """Return a judge by name: a trained model, such as `runs/clip`, or a published reranker.

    Raises:
        GanzooError: there is none of that name, or it cannot be had.
    """
    from ganzoo_core.blueprint import built_component
    from ganzoo_core.plugins import read_installed
    from ganzoo_core.zoo import load

    rerankers = read_installed().component_names("reranker")
    if Path(name).exists() or not (":" in name or name in rerankers):
        return load(name, device=str(model.device))
    shape: tuple[int, int, int] = model.encoder().image_shape
    reranker: Reranker = built_component(
        "reranker", name, {"channels": shape[0], "image_size": shape[1]}
    )
    if reranker.vocabulary:
        raise ConfigError(
            f"the reranker {name} has learned nothing; leave --reranker out for the model's own, "
            "or name a published one, such as hub:openai/clip-vit-base-patch32"
        )
    return reranker


def _unread(model: "Model", texts: list[str]) -> list[str]:
    """Return a sentence for everything that the model does not read of the texts."""
    from ganzoo_core.text import text_shape

    shape = text_shape(model.networks)
    if shape is None or model.tokenizer is None:
        return []
    return [
        f"{model.variant} does not read all of {text!r}: {lost}"
        for text in texts
        for lost in model.tokenizer.unread(text, shape[1])
    ]


def _picture(model: "Model", options: argparse.Namespace) -> "Tensor":
    """Read the picture to go on from, brought to the model's size as data are."""
    import torch

    from ganzoo_core.data.pixels import BrokenImageError, PixelFormat, read_image
    from ganzoo_core.errors import DataError

    channels, size, _ = model.encoder().image_shape
    try:
        with options.image.open("rb") as stream:
            pixels = read_image(stream, PixelFormat(size, channels, "lanczos"))
    except OSError as error:
        raise DataError(f"{options.image} cannot be read: {error.strerror}") from None
    except BrokenImageError as error:
        raise DataError(f"{options.image} cannot be decoded: {error}; check the file") from None
    return torch.tensor(pixels).permute(2, 0, 1).float() / 127.5 - 1
