"""Measure what a variant's paper claims, and print paper beside measured.

Each claim is trained for with several seeds, in ordinary runs: what was stopped goes on when the
same command is given again, and finished runs are not repeated. The record of each claim is kept
in the user's data folder (GANZOO_DATA), where ganzoo list --claims finds it.
"""

import argparse
from pathlib import Path

from ganzoo_core.cli.options import add_device, add_json, add_variant, completed, path, positive
from ganzoo_core.cli.render import print_json, table

EXAMPLES = """\
examples:
  ganzoo reproduce gan --small
  ganzoo reproduce gan --small --data idx:mnist --data-root ~/data
  ganzoo reproduce gan --claim parzen-mnist --seeds 5
"""

HEADER = ("CLAIM", "PAPER", "MEASURED", "BUDGET", "VERDICT")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_variant(parser)
    parser.add_argument(
        "--small", action="store_true", help="with the budgets for two CPU cores, not the papers'"
    )
    action = parser.add_argument(
        "--claim", action="append", metavar="NAME", help="only this one; may be given repeatedly"
    )
    completed(action, _claims)
    parser.add_argument(
        "--seeds", type=positive, help="trainings, with seeds from 0 (default: as declared)"
    )
    parser.add_argument("--data", help="where the claims' data lie here, as for ganzoo train")
    parser.add_argument("--data-root", type=path, help="folder that the data's path is relative to")
    parser.add_argument(
        "--out", type=path, default=Path("reproductions"), help="of the runs (reproductions)"
    )
    parser.add_argument(
        "--ship",
        type=path,
        metavar="PLUGIN",
        help="source folder of the plugin, to put the records into its package too",
    )
    add_device(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Train, measure and print."""
    import ganzoo_core as zoo
    from ganzoo_core.cli.progress import observer
    from ganzoo_core.evaluation.claims.overview import Row, claim_rows
    from ganzoo_core.evaluation.claims.records import Record
    from ganzoo_core.plugins import read_installed

    places: list[Path] = []

    def recorded(record: Record, path: Path) -> None:
        places.append(path)

    with observer(quiet=options.json) as watching:
        records = zoo.reproduce(
            options.variant,
            small=options.small,
            claims=options.claim,
            seeds=options.seeds,
            data=options.data,
            data_root=options.data_root,
            out=options.out,
            device=options.device,
            ship=options.ship,
            observer=watching,
            recorded=recorded,
        )
    failed = any(record.verdict == "failed" for record in records)
    if options.json:
        print_json([record.to_json() for record in records])
        return int(failed)
    variant = read_installed().variant(options.variant)
    claims = {row.claim["name"]: row.claim for row in claim_rows(variant)[0]}
    rows = [Row(variant.name, claims[record.claim], record) for record in records]
    print(table(HEADER, [row.cells()[1:] for row in rows], elastic=HEADER.index("BUDGET")))
    for record in records:
        for seed in record.seeds:
            if seed.value is None:
                print(f"{record.claim}: seed {seed.seed} failed: {seed.failure}")
    for place in places:
        print(f"recorded in {place}")
    return int(failed)


def _claims(**_: object) -> list[str]:
    from ganzoo_core.plugins import read_installed

    return sorted(
        {
            claim["name"]
            for variant in read_installed().variants()
            for claim in variant.entry.get("claims", ())
        }
    )
