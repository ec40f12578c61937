"""Put a trained model on the Hub, and print the manifest entry that pins it.

Publishing again without a change does nothing. Log in first with: hf auth login
"""

import argparse

from ganzoo_core.cli.options import add_json, path
from ganzoo_core.cli.render import print_json

EXAMPLES = """\
examples:
  ganzoo publish runs/mnist me/my-gan
  ganzoo publish runs/mnist me/my-gan --private --tag v1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("model", type=path, help="a run's folder or a model folder")
    parser.add_argument("repository", help="org/name on the Hub, created where there is none")
    parser.add_argument("--private", action="store_true", help="only for you and your organisation")
    parser.add_argument("--tag", help="a tag for this version, such as v1")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Publish."""
    import ganzoo_core as zoo

    published = zoo.publish(
        options.model, options.repository, private=options.private, tag=options.tag
    )
    entry = {
        "tag": options.tag or "default",
        "summary": "",
        "license": "",
        "repo": published.repo,
        "revision": published.revision,
        "files": [
            {"path": file.path, "size": file.size, "sha256": file.sha256}
            for file in published.files
        ],
    }
    if options.json:
        print_json({"url": published.url, "changed": published.changed, "pretrained": entry})
        return 0
    print(f"{'published' if published.changed else 'unchanged'}: {published.url}")
    print(f"load it with: ganzoo load {published.repo}")
    print('to pin it, fill this in and paste it into the "pretrained" of your ganzoo-plugin.json:')
    print_json(entry)
    return 0
