"""`python -m ganzoo_core.testing DISTRIBUTION`: one JSON line a result, for `source`."""

import json
import os
import sys
from dataclasses import asdict

from ganzoo_core.testing.kit import cases_of


def main(distribution: str) -> None:
    """Print each result of a plugin's checks; what the plugin prints goes to standard error."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as results:
        os.dup2(2, 1)
        for case in cases_of(distribution):
            print(json.dumps(asdict(case.result())), file=results, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
