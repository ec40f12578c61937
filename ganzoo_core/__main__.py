"""`python -m ganzoo_core` is `ganzoo`."""

import sys

from ganzoo_core.cli import main

sys.exit(main())
