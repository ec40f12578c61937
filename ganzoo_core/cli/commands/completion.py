"""Print the shell's completion script. It completes commands, options, variants and components.

Put it where your shell reads it, for example: ganzoo completion bash >> ~/.bashrc
"""

import argparse

EXAMPLES = """\
examples:
  eval "$(ganzoo completion bash)"
  ganzoo completion fish > ~/.config/fish/completions/ganzoo.fish
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish", "powershell"))


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["ganzoo"], shell=options.shell))
    return 0
