"""Show what is known about a variant, or a paper. Reads manifests and runs no plugin's code."""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from ganzoo_core.cli.options import add_json, add_variant
from ganzoo_core.cli.render import facts, print_json
from ganzoo_core.errors import UnknownNameError
from ganzoo_core.plugins import Installed, Variant, read_installed

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
    parts += [f"regularizer: {name}" for name in recipe.get("regularizers", ())]
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
                        f"{variant.name}.{weights.get('tag')}: {_described(weights)}",
                    )
                    for number, weights in enumerate(entry.get("pretrained", ()))
                ),
                ("status", plugin.failure or "ok"),
            ]
        )
    )
    for line in _claims(variant):
        print(line)
    print(f"\ntrain it with: ganzoo train {variant.name} --data digits")
    return 0


def _described(weights: Mapping[str, Any]) -> str:
    from ganzoo_core.hub.pretrained import caveat

    summary, said = str(weights.get("summary", "")), caveat(weights)
    return f"{summary} ({said})" if said else summary


def _claims(variant: Variant) -> Iterator[str]:
    """Yield what the paper claims, what was measured of it, and the commands that measure it."""
    if not variant.entry.get("claims"):
        return
    from ganzoo_core.evaluation.claims import declared, overview

    rows, notes = overview.claim_rows(variant)
    for claim in variant.entry["claims"]:
        yield f"\nclaim {claim['name']}"
        said = [
            ("metric", f"{declared.metric_name(claim)}, on {claim['data']}"),
            ("paper", f"{declared.paper_value(claim)} ({claim.get('source', '')})"),
            ("differs", claim.get("differs", "")),
        ]
        for row in rows:
            if row.claim is claim:
                *_, measured, budget, verdict = row.cells()
                shown = f"{measured} ({budget}): {verdict}" if row.record else verdict
                said.append(("measured", shown))
        for size in declared.SIZES:
            if claim.get(size):
                said.append((size, declared.budget(claim[size])))
                said.append(("", declared.reproduce_command(variant.name, claim, size)))
                train, evaluate = declared.commands(
                    variant.name, variant.entry["claims"], claim, size
                )
                said += [("", f"which runs, a seed: {train}"), ("", f"and: {evaluate}")]
        said.append(("why not", claim.get("why_not", "")))
        yield facts(said)
    yield from notes


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
