"""Train a variant, or go on with a run that was stopped.

Settings are named by dotted paths: `--set generator.width=64` for one part, `--set latent_size=32`
for every part that has it. `--dry-run` shows all of them.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from ganzoo_core.cli.options import (
    add_device,
    add_domains,
    add_json,
    add_variant,
    completed,
    component_names,
    data_name,
    model_names,
    natural,
    number,
    path,
    positive,
)
from ganzoo_core.cli.render import print_json
from ganzoo_core.errors import ConfigError

EXAMPLES = """\
examples:
  ganzoo train dcgan                                       # on the embedded digits
  ganzoo train dcgan --data idx:mnist --preset mnist --epochs 5 --out runs/mnist
  ganzoo train dcgan --data folder:photos --image-size 64 --steps 20000
  ganzoo train dcgan --loss minimax --set generator.width=64 --dry-run
  ganzoo train dcgan --regularizer gradient-penalty --set gradient-penalty.weight=1
  ganzoo train dann --source mnist --target usps --out runs/adapted
  ganzoo train dalle --data captions:emoji --image-size 32 --preset scenes
  ganzoo train dalle --data scenes --preset scenes --from runs/codes  # skips the first stage
  ganzoo train --resume runs/mnist
"""

_PARTS = {
    "generator": "generator",
    "discriminator": "discriminator",
    "encoder": "encoder",
    "source_encoder": "encoder",
    "decoder": "generator",
    "ab": "generator",
    "ba": "generator",
    "prior": "prior",
    "reranker": "reranker",
    "content": "encoder",
    "pose": "encoder",
    "composer": "composer",
    "predictor": "predictor",
    "scene": "code_discriminator",
    "loss": "loss",
    "regularizer": "regularizer",
    "trainer": "trainer",
}
"""What a recipe may call its parts, each with its kind of component."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_variant(parser, nargs="?")
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data",
        help="digits (default), scenes, mnist, fashion-mnist, cifar10, hub:ORG/NAME, folder:PATH, "
        "captions:PATH, idx:PATH, npz:PATH, unpaired:A:B, paired:PATH or video:PATH; the docs' "
        "page on data has all",
    )
    add_domains(data)
    data.add_argument("--data-root", type=path, help="folder that the data's path is relative to")
    data.add_argument("--flip", action="store_true", help="mirror images at random")
    data.add_argument(
        "--resize-filter", choices=("lanczos", "bicubic", "bilinear", "box"), default="lanczos"
    )
    data.add_argument(
        "--broken-share", type=number, default=0.01, help="of images to leave out (default 0.01)"
    )
    length = parser.add_argument_group("length").add_mutually_exclusive_group()
    length.add_argument("--steps", type=positive, help="steps to train")
    length.add_argument("--epochs", type=number, help="passes over the data, instead of steps")
    terms = parser.add_argument_group("settings")
    terms.add_argument("--preset", help="one of the variant's presets; see ganzoo info VARIANT")
    terms.add_argument("--batch-size", type=positive, help="images a batch")
    terms.add_argument("--image-size", type=positive, help="side of the images in pixels")
    terms.add_argument("--seed", type=natural, help="of everything random (default 0)")
    terms.add_argument("--precision", choices=("fp32", "bf16", "fp16"))
    for part, kind in _PARTS.items():
        flag, words = part.replace("_", "-"), part.replace("_", " ")
        action = terms.add_argument(f"--{flag}", help=f"another {words} than the recipe's")
        completed(action, component_names(kind))
    given = terms.add_argument(
        "--from",
        dest="given",
        action="append",
        default=[],
        metavar="[ROLES=]MODEL",
        help="take networks of a trained model, which learn nothing here: a run, tag or org/name, "
        "such as runs/codes or encoder,decoder=dalle.scenes",
    )
    completed(given, model_names)
    terms.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any other setting"
    )
    terms.add_argument("--config", type=path, help="TOML, JSON or YAML file of settings")
    where = parser.add_argument_group("run")
    where.add_argument("--out", type=path, help="folder of the run (default runs/VARIANT-DATA)")
    where.add_argument("--resume", type=path, metavar="RUN", help="go on with this run")
    add_device(where)  # type: ignore[arg-type]
    where.add_argument("--processes", type=positive, default=1, help="train on several at once")
    where.add_argument("--dry-run", action="store_true", help="show all settings and leave")
    add_json(where)  # type: ignore[arg-type]


def run(options: argparse.Namespace) -> int:
    """Train."""
    if options.variant is None and options.resume is None:
        raise ConfigError(
            "say what to train, such as: ganzoo train dcgan; ganzoo list shows what there is"
        )
    settings = _settings(options)
    if options.dry_run:
        return _show_plan(options, settings)
    if options.resume is None:
        options.out = options.out or _new_run_folder(options.variant, data_name(options))
    if options.processes > 1:
        return _train_together(options, settings)
    from ganzoo_core.cli.progress import observer

    with observer(quiet=options.json) as watching:
        model = _train(options, settings, watching)
    folder = Path(model.origin.where).parent
    if options.json:
        from ganzoo_core.evaluation.evaluating import results_of

        print_json(
            {
                "run": str(folder),
                "model": model.origin.where,
                "last": watching.last_line(),
                "results": [result.to_json() for result in results_of(model)],
            }
        )
    elif os.environ.get("RANK", "0") == "0":
        print(f"trained {model.variant}: {model.origin.where}")
        if "classify" in model.verbs and "sample" not in model.verbs:
            print(f"let it name images with: ganzoo classify {folder} --input IMAGE")
        if "sample" in model.verbs:
            how = '--text "a caption" -n 8' if model.takes_text else "-n 64"
            print(f"draw from it with: ganzoo sample {folder} {how} --out grid.png")
    return 0


def _train(options: argparse.Namespace, settings: dict[str, Any], watching: Any) -> Any:
    import ganzoo_core as zoo

    if options.variant is None:
        _refuse_with_resume(options)
        return zoo.resume(
            options.resume,
            settings=settings,
            data=data_name(options, ""),
            data_root=options.data_root,
            device=options.device,
            observer=watching,
        )
    return zoo.train(
        options.variant,
        data_name(options),
        out=options.resume or options.out,
        going_on=options.resume is not None,
        preset=options.preset,
        components=_components(options),
        settings=settings,
        epochs=options.epochs,
        given=options.given,
        data_root=options.data_root,
        resize_filter=options.resize_filter,
        broken_share=options.broken_share,
        device=options.device,
        observer=watching,
    )


def _refuse_with_resume(options: argparse.Namespace) -> None:
    named = {name: name for name in (*_PARTS, "preset", "epochs", "out")} | {"given": "from"}
    given = [flag for name, flag in named.items() if getattr(options, name)]
    if given:
        raise ConfigError(
            f"--{given[0]} cannot go with --resume alone; name the variant too, and the run is "
            "resumed if everything is as it was"
        )


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    from ganzoo_core.settings import parse_assignment, read_settings_file

    settings = read_settings_file(options.config) if options.config else {}
    settings |= dict(parse_assignment(text) for text in options.set)
    named = {
        "training.steps": options.steps,
        "training.batch_size": options.batch_size,
        "training.seed": options.seed,
        "training.precision": options.precision,
        "training.flip": options.flip or None,
        "image_size": options.image_size,
    }
    return settings | {key: value for key, value in named.items() if value is not None}


def _components(options: argparse.Namespace) -> dict[str, str]:
    return {part: getattr(options, part) for part in _PARTS if getattr(options, part)}


def _show_plan(options: argparse.Namespace, settings: dict[str, Any]) -> int:
    from ganzoo_core.training.run import DataChoice
    from ganzoo_core.zoo import plan

    if options.variant is None:
        raise ConfigError("--dry-run needs the name of a variant")
    blueprint = plan(
        options.variant,
        DataChoice(
            data_name(options),
            str(options.data_root) if options.data_root else None,
            options.resize_filter,
            options.broken_share,
        ),
        preset=options.preset,
        components=_components(options),
        settings=settings,
        epochs=options.epochs,
        given=options.given,
    )
    resolved = blueprint.to_json()
    if options.json:
        print_json(resolved)
        return 0
    import yaml

    print(yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True), end="")
    return 0


def _new_run_folder(variant: str, data: str) -> Path:
    from ganzoo_core.data.compound import domains_of

    domains = domains_of(data)
    sets = [domains.source, domains.target] if domains else [data]
    places = [Path(name.rpartition(":")[2]).stem or name.partition(":")[0] for name in sets]
    name = "-".join([variant.rpartition("/")[2], *places])
    folder = Path("runs", name)
    number = 2
    while folder.exists():
        folder = Path("runs", f"{name}-{number}")
        number += 1
    return folder


def _train_together(options: argparse.Namespace, settings: dict[str, Any]) -> int:
    from ganzoo_core.training.launch import launch

    arguments = [*sys.argv[1:]]
    position = next(i for i, word in enumerate(arguments) if word.startswith("--processes"))
    del arguments[position : position + (1 if "=" in arguments[position] else 2)]
    if options.out is not None and not any(word.startswith("--out") for word in arguments):
        arguments += ["--out", str(options.out)]
    return launch(["-m", "ganzoo_core", *arguments], options.processes)
