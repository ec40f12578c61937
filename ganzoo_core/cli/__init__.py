"""The command `ganzoo`: it parses, calls one public function, and renders.

Each command is a module of `ganzoo_core.cli.commands` with `add_arguments` and `run`; only the one
that is called is imported, so that a command costs what it uses.
"""

import argparse
import os
import sys
from importlib import import_module
from typing import NoReturn

from ganzoo_core.errors import GanzooError, suggestion

COMMANDS = {
    "list": "show the installed variants",
    "info": "show what is known about a variant",
    "train": "train a variant, or go on with a run",
    "sample": "draw images from a trained model",
    "evaluate": "measure a trained model against data",
    "compare": "train and measure variants on equal terms",
    "reproduce": "measure what a variant's paper claims",
    "latent": "draw the latent space of a trained model",
    "interpolate": "walk between latents of a trained model",
    "project": "find the style that a trained model draws an image of",
    "translate": "translate images from one domain to the other",
    "swap": "show the contents of some videos in the poses of another",
    "predict": "go on with videos",
    "classify": "name what images show, by a trained model",
    "load": "load a trained model and show what it is",
    "fetch": "download weights for later",
    "weights": "show, verify or remove pretrained weights",
    "publish": "put a trained model on the Hub",
    "ship": "make a trained model part of a plugin's package",
    "convert": "turn the authors' checkpoints into a model folder",
    "demo": "train, sample and interpolate on embedded digits within a minute or two",
    "doctor": "look for what is wrong with this installation",
    "search": "search plugins and papers",
    "install": "install a plugin",
    "uninstall": "remove a plugin",
    "plugins": "show the installed plugins, or what restores them",
    "registry": "update, extend or check the list of plugins and papers",
    "new": "write a new plugin to begin with",
    "check": "check that a plugin keeps the zoo's contracts",
    "completion": "print the shell's completion script",
}

EXAMPLES = """\
examples:
  ganzoo demo
  ganzoo list "*gan*"
  ganzoo train dcgan --data idx:mnist --epochs 5 --out runs/mnist
  ganzoo sample runs/mnist -n 64 --seed 1 --out grid.png
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence with the nearest suggestion."""

    def error(self, message: str) -> NoReturn:
        """Leave with exit code 2 and one sentence."""
        self.exit(2, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    completing = "_ARGCOMPLETE" in os.environ
    debug = "--debug" in arguments
    if debug:
        arguments = [argument for argument in arguments if argument != "--debug"]
    command = next((word for word in arguments if not word.startswith("-")), None)
    parser = _parser(set(COMMANDS) if completing else {command})
    if completing:
        import argcomplete

        argcomplete.autocomplete(parser)
    try:
        if command is not None and command not in COMMANDS:
            parser.error(f"unknown command {command!r}; {suggestion(command, COMMANDS)}")
        options = parser.parse_args(arguments)
        if options.command is None:
            parser.print_help()
            return 0
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except GanzooError as error:
        if debug:
            raise
        return _fail(parser, str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail(parser, "interrupted", 130)
    except BrokenPipeError:
        # Whoever read our output has closed it, as `head` does; Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if debug:
            raise
        said = " ".join(str(error).split())
        return _fail(
            parser,
            f"{type(error).__name__}: {said}: this is a defect of ganzoo or of a plugin; "
            "run it again with --debug and report what it prints",
            1,
        )


def _parser(needed: set[str | None]) -> Parser:
    parser = Parser(
        prog="ganzoo",
        description="A zoo of generative models in which every paper is a pip package.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, help="show the version and leave")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, summary in COMMANDS.items():
        if name not in needed:
            commands.add_parser(name, help=summary)
            continue
        module = import_module(f"{__name__}.commands.{name}")
        its = commands.add_parser(
            name,
            help=summary,
            description=(module.__doc__ or "").strip(),
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(its)
        its.set_defaults(run=module.run)
    return parser


class _Version(argparse.Action):
    def __init__(self, option_strings: list[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from ganzoo_core import __version__

        parser.exit(0, f"ganzoo-core {__version__}\n")


def _fail(parser: Parser, sentence: str, code: int) -> int:
    # Several processes of one training say the same; the first speaks for all.
    if os.environ.get("RANK", "0") == "0":
        print(f"{parser.prog}: error: {sentence}", file=sys.stderr)
    return code
