"""Pages and tables that MkDocs makes of the code, so that nothing is typed twice.

A page for each variant comes from its manifest, its settings and its plugin's README; the commands
come from their parsers, the Python interface from its docstrings, and a line `<!-- table: NAME -->`
on a page is replaced by the table of that name.
"""

from __future__ import annotations

import ast
import inspect
import io
import json
import os
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Only within the functions that MkDocs calls, so that what is made here can be tested without it.
if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).parents[1]
_TABLE = re.compile(r"^<!-- table: (?P<name>[a-z ]+) -->$", re.MULTILINE)
_FENCES = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
_IMAGE = re.compile(r"(!\[[^]]*\]\()(?!https?:)([^)\s]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the variants' pages in the navigation."""
    for section in config.nav or ():
        if "Variants" in section:
            section["Variants"] += [f"variants/{entry['name']}.md" for _, entry in variants()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here, and the pictures that the plugins' READMEs show."""
    from mkdocs.structure.files import File

    for place, text in made_pages().items():
        files.append(File.generated(config, place, content=text))
    for place, picture in pictures().items():
        files.append(File.generated(config, place, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the tables where a page asks for them."""
    return with_tables(markdown)


def with_tables(markdown: str) -> str:
    """Replace each line that asks for a table by the table.

    Raises:
        KeyError: there is no such table.
    """
    return _TABLE.sub(lambda asked: TABLES[asked["name"]](), markdown)


def made_pages() -> dict[str, str]:
    """Return the text of every page that is made of the code, by its place in the site."""
    pages = {
        "variants/index.md": _variants_page(),
        "reference/commands.md": _commands_page(),
        "reference/python.md": _python_page(),
        "reference/settings.md": _settings_page(),
        "reference/metrics.md": _metrics_page(),
        "reference/claims.md": _claims_page(),
    }
    for plugin, entry in variants():
        pages[f"variants/{entry['name']}.md"] = _variant_page(plugin, entry)
    return pages


def variants() -> list[tuple[Path, dict[str, Any]]]:
    """Return each first-party variant's plugin folder and manifest entry, by name."""
    found = [
        (manifest.parents[2], entry)
        for manifest in REPOSITORY.glob("plugins/*/src/*/ganzoo-plugin.json")
        for entry in json.loads(manifest.read_text(encoding="utf-8"))["variants"]
    ]
    return sorted(found, key=lambda pair: pair[1]["name"])


def _variants_page() -> str:
    rows = [
        (
            f"[{entry['name']}]({entry['name']}.md)",
            entry["title"],
            f"[{entry['paper']['authors']}, {entry['paper']['year']}]({entry['paper']['url']})",
            entry["family"],
            f"`{plugin.name}`",
        )
        for plugin, entry in variants()
    ]
    return (
        "# Variants\n\nEvery variant that this repository holds. "
        "`ganzoo list` shows those that are installed, other people's included.\n\n"
        + table(("Variant", "Title", "Paper", "Family", "Distribution"), rows)
    )


def _variant_page(plugin: Path, entry: Mapping[str, Any]) -> str:
    paper, recipe = entry["paper"], entry["recipe"]
    parts = [f"{role}: `{its['component']}`" for role, its in recipe["networks"].items()]
    parts += [f"{part}: `{recipe[part]}`" for part in ("loss", "trainer") if recipe.get(part)]
    sizes = entry.get("image_sizes")
    facts = [
        ("Paper", f"{paper['authors']}, [{paper['title']}]({paper['url']}), {paper['year']}"),
        ("Install", f"`pip install {plugin.name}`"),
        ("Train", f"`ganzoo train {entry['name']}`"),
        ("Aliases", ", ".join(f"`{alias}`" for alias in entry.get("aliases", ()))),
        ("Family", entry["family"]),
        ("Task", entry["task"]),
        ("Verbs", ", ".join(f"`{verb}`" for verb in entry["verbs"])),
        ("Image sizes", ", ".join(map(str, sizes)) if sizes else "any"),
        ("Recipe", "<br>".join(parts)),
    ]
    said = [
        f"# {entry['title']}",
        entry["summary"],
        table(("", ""), [fact for fact in facts if fact[1]]),
        "## The paper, its equation and its result",
        _readme_of(plugin),
        "## Presets",
        _presets(entry),
        "## Pretrained weights",
        _pretrained(entry),
        "## Claims",
        _claims(entry),
        "## Settings",
        "Set one by `--set PART.NAME=VALUE`, or for all parts that have it by `--set NAME=VALUE`.",
        *_settings_of(entry),
    ]
    return "\n\n".join(said) + "\n"


def _readme_of(plugin: Path) -> str:
    """Return the plugin's README below its title, one level deeper, with its pictures here.

    Its links to pages of the docs lead to the same pages of the site.
    """
    text = (plugin / "README.md").read_text(encoding="utf-8").partition("\n")[2]
    halves = _FENCES.split(text)
    for number in range(0, len(halves), 2):  # between the code blocks, where # is a heading
        halves[number] = re.sub(r"^(#+ )", r"#\1", halves[number], flags=re.MULTILINE)
    text = "".join(halves).replace("](../../docs/", "](../")
    return _IMAGE.sub(rf"\1{plugin.name}/\2", text).strip()


def pictures() -> dict[str, Path]:
    """Return the pictures that the plugins' READMEs show, by their place in the site."""
    return {
        f"variants/{plugin.name}/{found[2]}": plugin / found[2]
        for plugin, _ in variants()
        for found in _IMAGE.finditer((plugin / "README.md").read_text(encoding="utf-8"))
    }


def _presets(entry: Mapping[str, Any]) -> str:
    if not entry.get("presets"):
        return "It has none."
    rows = [
        (f"`{name}`", preset["summary"], _settings_cell(preset["settings"]))
        for name, preset in entry["presets"].items()
    ]
    return table(("Preset", "For", "Settings"), rows)


def _settings_cell(settings: Mapping[str, Any]) -> str:
    return "<br>".join(f"`{name}={json.dumps(value)}`" for name, value in settings.items())


def _pretrained(entry: Mapping[str, Any]) -> str:
    if not entry.get("pretrained"):
        return "It has none yet."
    from ganzoo_core.hub.pretrained import caveat

    rows = [
        (
            f"`{entry['name']}.{weights['tag']}`",
            "; ".join(filter(None, (weights["summary"], caveat(weights)))),
            weights["license"],
        )
        for weights in entry["pretrained"]
    ]
    return table(("Tag", "What", "Licence of the weights"), rows)


def _claims(entry: Mapping[str, Any]) -> str:
    """Return what a variant's paper claims, what was measured of it, and how."""
    if not entry.get("claims"):
        return "Its manifest declares none yet."
    from ganzoo_core.evaluation.claims import declared

    said = [_claims_table([entry["name"]])]
    for claim in entry["claims"]:
        differs = f" {claim['differs']}" if claim.get("differs") else ""
        said += [
            f"### {claim['name']}",
            f"{declared.metric_name(claim)} on {claim['data']}: {declared.paper_value(claim)} "
            f"({claim['source']}; {claim['better']} is better).{differs}",
        ]
        for size in filter(claim.get, declared.SIZES):
            commands = [
                declared.reproduce_command(entry["name"], claim, size),
                "# for each seed:",
                *declared.commands(entry["name"], entry["claims"], claim, size),
            ]
            said.append(f"{size.capitalize()}, {declared.budget(claim[size])}:")
            said.append("\n".join(["```bash", *commands, "```"]))
        if claim.get("why_not"):
            said.append(claim["why_not"])
    return "\n\n".join(said)


def _claims_page() -> str:
    return (
        "# Claims\n\nThe headline numbers of the papers beside what was measured here, as the "
        "plugins ship it. [How they are measured](../claims.md); `ganzoo list --claims` shows the "
        "same with your own measurements.\n\n"
        + _claims_table([entry["name"] for _, entry in variants() if entry.get("claims")])
        + "\n"
    )


def _claims_table(names: Sequence[str]) -> str:
    """Return papers beside measurements, from the records that the plugins ship."""
    from ganzoo_core.evaluation.claims.overview import claim_rows
    from ganzoo_core.plugins import read_installed

    installed = read_installed()
    rows = []
    for name in names:
        for row in claim_rows(installed.variant(name), shipped_only=True)[0]:
            _, claim, paper, measured, budget, verdict = row.cells()
            its = row.record
            machine = f"{its.device}, threads: {its.threads}, {its.date[:10]}" if its else ""
            source = f"{paper} ({row.claim['source']})"
            link = f"[{name}](../variants/{name}.md#{claim})"
            rows.append((link, claim, source, measured, budget, machine, verdict))
    header = ("Variant", "Claim", "Paper", "Measured", "Budget", "Where and when", "Verdict")
    return table(header, rows)


def _metrics_page() -> str:
    from ganzoo_core.evaluation import MEASURES

    said = [
        "# Metrics",
        "What `ganzoo evaluate --metrics` and `zoo.evaluate(metrics=…)` take. A metric over "
        "features is named with them, as in FID[mnist-convnet]; see `--features`.",
        table(
            ("Name", "Measures what a model can", "What", "Over features"),
            [
                (f"`{name}`", each.verb, each.summary, "yes" if each.over_features else "no")
                for name, each in MEASURES.items()
            ],
        ),
    ]
    for name, each in MEASURES.items():
        text = inspect.getdoc(each.figures)
        if text:
            said += [f"## {name}", text.partition("\n\n")[2]]
    return "\n\n".join(said) + "\n"


def _settings_of(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield a table for each part of a recipe, with the defaults that the variant gives it."""
    from ganzoo_core.plugins import load_plugin, read_installed

    installed = read_installed()
    recipe = entry["recipe"]
    parts = {role: (its["kind"], its["component"]) for role, its in recipe["networks"].items()}
    parts |= {part: (part, recipe[part]) for part in ("loss", "trainer") if recipe.get(part)}
    for part, (kind, component) in parts.items():
        plugin, name = installed.component(kind, component)
        model = load_plugin(plugin).config(kind, name)
        if model.model_fields:
            yield f"### {part}"
            yield settings_table(model, _defaults_for(part, entry.get("defaults", {})))
    training = _defaults_for("training", entry.get("defaults", {}))
    yield "### training"
    yield "As in [the settings of training](../reference/settings.md)" + (
        f", with {_settings_cell(training).replace('<br>', ', ')}." if training else "."
    )


def _defaults_for(part: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.removeprefix(f"{part}."): value
        for name, value in defaults.items()
        if name.startswith(f"{part}.")
    }


def settings_table(model: type[Any], defaults: Mapping[str, Any]) -> str:
    """Return the table of a config model's settings: name, values, default, meaning."""
    schema = model.model_json_schema()
    said = _docstrings(model)
    rows = []
    for name, its in schema["properties"].items():
        default = defaults.get(name, its.get("default"))
        for path, value in defaults.items():
            if path.startswith(f"{name}."):
                default = default | {path.partition(".")[2]: value}
        values = _values(its, schema.get("$defs", {}))
        rows.append((f"`{name}`", values, f"`{json.dumps(default)}`", said.get(name, "")))
    return table(("Setting", "Values", "Default", "Meaning"), rows)


def _values(its: Mapping[str, Any], models: Mapping[str, Any]) -> str:
    """Describe the values that a setting can have."""
    choices = its.get("anyOf") or its.get("oneOf")
    if choices:
        return " or ".join(_values(choice, models) for choice in choices)
    if "$ref" in its:
        model = models[its["$ref"].rpartition("/")[2]]
        inner = ", ".join(f"`{name}`" for name in model["properties"])
        return f"{model['title']} ({inner})"
    if "enum" in its:
        return ", ".join(f"`{json.dumps(value)}`" for value in its["enum"])
    kind = {"integer": "whole number", "number": "number", "boolean": "true or false"}.get(
        its.get("type", ""), its.get("type", "any")
    )
    limits = [
        f"{words} {its[key]:,}"
        for key, words in (
            ("minimum", "from"),
            ("exclusiveMinimum", "above"),
            ("maximum", "to"),
            ("exclusiveMaximum", "below"),
        )
        if key in its and abs(its[key]) < 1e15
    ]
    return " ".join((kind, *limits))


def _docstrings(model: type[Any]) -> dict[str, str]:
    """Return what the source says below each setting of a class."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for before, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name):
            match after:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[before.target.id] = " ".join(text.split())
    return found


def _commands_page() -> str:
    from ganzoo_core.cli import COMMANDS

    said = [
        "# Commands",
        "What `ganzoo COMMAND --help` prints. Exit codes: 0 where all went well, 2 for a mistake "
        "that one sentence explains, 1 where a check failed or ganzoo has a defect, 130 after "
        "Ctrl-C. With `--json`, standard output holds JSON alone; progress goes to standard error.",
    ]
    for command in COMMANDS:
        said += [f"## {command}", f"```text\n{help_of(command)}\n```"]
    return "\n\n".join(said) + "\n"


def help_of(command: str) -> str:
    """Return what `ganzoo COMMAND --help` prints on a terminal of 100 columns."""
    from ganzoo_core.cli import main

    said = io.StringIO()
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    try:
        with redirect_stdout(said):
            main([command, "--help"])
    except SystemExit:
        pass
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before
    return said.getvalue().rstrip()


def _python_page() -> str:
    import ganzoo_core as zoo

    said = [
        "# Python",
        "All that a user types is in `ganzoo_core`. Authors of plugins import from "
        "`ganzoo_core.plugins`, `ganzoo_core.components`, `ganzoo_core.nn` and "
        "`ganzoo_core.testing`.",
    ]
    for name in zoo.__all__:
        its = getattr(zoo, name)
        said += _described(f"zoo.{name}", its, "##")
        if inspect.isclass(its) and not issubclass(its, Exception):
            for method, value in vars(its).items():
                if not method.startswith("_") and inspect.getdoc(value):
                    said += _described(f"model.{method}", value, "###")
    return "\n\n".join(said) + "\n"


def _described(name: str, its: Any, level: str) -> list[str]:
    """Return a heading, the signature of a function, and the docstring as it stands."""
    shown = [f"{level} {name}"]
    if inspect.isfunction(its):
        shown.append(f"```text\n{_signature(name, its)}\n```")
    text = inspect.getdoc(its) or ""
    summary, _, rest = text.partition("\n\n")
    shown.append(" ".join(summary.split()))
    if rest:
        shown.append(f"```text\n{rest}\n```")
    return shown


def _signature(name: str, function: Callable[..., Any]) -> str:
    def plain(annotation: Any) -> str:
        said = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        return re.sub(r"\b(?:[a-z]\w*\.)+(?=[A-Z])", "", said.replace('"', ""))

    signature = inspect.signature(function)
    lines = []
    star = False
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            lines.append("*")
            star = True
        prefix = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        lines.append(f"{prefix}{parameter.name}: {plain(parameter.annotation)}{default}")
    returns = plain(signature.return_annotation)
    inner = "".join(f"    {line},\n" for line in lines)
    return f"{name}(\n{inner}) -> {returns}" if lines else f"{name}() -> {returns}"


def _settings_page() -> str:
    from ganzoo_core.components import SGD, Adam, RMSprop
    from ganzoo_core.training.settings import TrainingSettings

    said = [
        "# Settings of training",
        "The engine's settings are the same for every variant; a variant's manifest may give them "
        "other defaults. Set them by `--set training.NAME=VALUE`, or in a file by `--config`.",
        settings_table(TrainingSettings, {}),
        "## Optimisers",
        "A setting that is an optimiser takes a table, whose `name` chooses the kind.",
    ]
    for optimizer in (Adam, SGD, RMSprop):
        said += [f"### {optimizer.__name__}", inspect.getdoc(optimizer) or ""]
        said.append(settings_table(optimizer, {}))
    return "\n\n".join(said) + "\n"


def _checks_table() -> str:
    from ganzoo_core.testing import checks

    rows = []
    for subject, its_checks in (
        ("plugin", checks.OF_PLUGINS),
        ("component", checks.OF_COMPONENTS),
        ("variant", checks.OF_VARIANTS),
    ):
        for check in its_checks:
            promise = (inspect.getdoc(check) or "").partition("\n\n")[0]
            rows.append((f"`{check.__name__}`", subject, " ".join(promise.split())))
    return table(("Check", "Of each", "What it asks"), rows)


def _manifest_table() -> str:
    """Return the fields of a variant's entry in the manifest."""
    from ganzoo_core.plugins.schema import VariantEntry

    return _fields_table(VariantEntry)


def _claim_table() -> str:
    from ganzoo_core.plugins.schema import Claim

    return _fields_table(Claim)


def _claim_run_table() -> str:
    from ganzoo_core.plugins.schema import ClaimRun

    return _fields_table(ClaimRun)


def _fields_table(model: type[Any]) -> str:
    said = _docstrings(model)
    rows = [
        (f"`{name}`", "yes" if field.is_required() else "", said.get(name, ""))
        for name, field in model.model_fields.items()
    ]
    return table(("Field", "Required", "Meaning"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "checks": _checks_table,
    "fields of a variant": _manifest_table,
    "fields of a claim": _claim_table,
    "fields of a run of a claim": _claim_run_table,
}


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
