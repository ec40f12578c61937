"""`python -m ganzoo_core.plugins.probe DISTRIBUTION`: can this plugin be imported?

Run in a process of its own by `ganzoo doctor`. Prints what is wrong, and leaves with code 1.
"""

import os
import sys

from ganzoo_core.errors import GanzooError
from ganzoo_core.plugins import load_plugin, read_installed


def main() -> None:
    """Load the plugin that the command line names."""
    try:
        load_plugin(read_installed().plugin(sys.argv[1]))
    except GanzooError as error:
        print(error, flush=True)
        # A plugin may have left threads or exit handlers behind; none of them matters here.
        os._exit(1)


if __name__ == "__main__":
    main()
