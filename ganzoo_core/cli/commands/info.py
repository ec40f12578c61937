"""Show what is known about a variant, or a paper. Reads manifests and runs no plugin's code."""

import argparse

from ganzoo_core.cli.options import add_json, add_variant
from ganzoo_core.cli.render import facts, print_json
from ganzoo_core.errors import UnknownNameError
from ganzoo_core.plugins import Installed, read_installed

EXAMPLES = """\
examples:
  ganzoo info dcgan
  ganzoo info began
  ganzoo info ganzoo-plugin-dcgan/dcgan --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_variant(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the variant's entry, or what the registry knows of one that is not installed."""
    installed = read_installed()
    try:
        variant = installed.variant(options.variant)
    except UnknownNameError as error:
        return _print_listed(options, installed, error)
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


def _print_listed(
    options: argparse.Namespace, installed: Installed, error: UnknownNameError
) -> int:
    """Print what the registry has under a name that nothing installed answers to."""
    from ganzoo_core.registry.searching import find, search

    found = find(options.variant)
    if not found:
        similar = [entry.name for entry in search(options.variant, 5)]
        if not similar:
            raise error
        raise UnknownNameError("variant", options.variant, [*installed.names(), *similar])
    if options.json:
        print_json({"installed": False, "found": [entry._asdict() for entry in found]})
        return 0
    for number, entry in enumerate(found):
        print(f"{chr(10) if number else ''}{entry.name} - {entry.title}\n{entry.summary}")
        missing = f"not installed; ganzoo install {entry.plugin}"
        print(
            facts(
                [
                    ("year", entry.year),
                    ("link", entry.link),
                    ("authors' code", entry.code),
                    ("plugin", entry.plugin and f"{entry.plugin} ({entry.tier})"),
                    ("licence", entry.license),
                    ("status", missing if entry.plugin else "nobody has written a plugin yet"),
                ]
            )
        )
    return 0
