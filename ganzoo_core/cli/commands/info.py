"""Show what is known about a variant. Reads its manifest only and runs no plugin's code."""

import argparse

from ganzoo_core.cli.options import add_json, add_variant
from ganzoo_core.cli.render import facts, print_json
from ganzoo_core.plugins import read_installed

EXAMPLES = """\
examples:
  ganzoo info dcgan
  ganzoo info ganzoo-plugin-dcgan/dcgan --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_variant(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the variant's entry."""
    variant = read_installed().variant(options.variant)
    entry, plugin = variant.entry, variant.plugin
    if options.json:
        print_json({"plugin": plugin.distribution, "version": plugin.version, **entry})
        return 0
    paper = entry.get("paper", {})
    recipe = entry.get("recipe", {})
    parts = [f"{role}: {part['component']}" for role, part in recipe.get("networks", {}).items()]
    parts += [f"{part}: {recipe[part]}" for part in ("loss", "trainer") if recipe.get(part)]
    sizes = entry.get("image_sizes")
    print(f"{variant.name} - {entry.get('title', '')}\n{entry.get('summary', '')}\n")
    print(
        facts(
            [
                ("paper", f"{paper.get('authors')}, {paper.get('title')} ({paper.get('year')})"),
                ("link", str(paper.get("url", ""))),
                ("plugin", f"{plugin.distribution} {plugin.version}"),
                ("aliases", ", ".join(entry.get("aliases", ()))),
                ("family", str(entry.get("family", ""))),
                ("task", str(entry.get("task", ""))),
                ("verbs", ", ".join(entry.get("verbs", ()))),
                ("image sizes", ", ".join(map(str, sizes)) if sizes else "any"),
                *((("recipe" if not number else ""), part) for number, part in enumerate(parts)),
                *(
                    ("presets" if not number else "", f"{name}: {preset.get('summary', '')}")
                    for number, (name, preset) in enumerate(entry.get("presets", {}).items())
                ),
                *(
                    (
                        "pretrained" if not number else "",
                        f"{variant.name}.{weights.get('tag')}: {weights.get('summary', '')}",
                    )
                    for number, weights in enumerate(entry.get("pretrained", ()))
                ),
                ("status", plugin.failure or "ok"),
            ]
        )
    )
    print(f"\ntrain it with: ganzoo train {variant.name} --data digits")
    return 0
