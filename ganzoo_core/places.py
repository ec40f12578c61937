"""Where ganzoo keeps what it can make or fetch again."""

import os


def cache_folder() -> str:
    """Return the cache: `GANZOO_CACHE`, else below `XDG_CACHE_HOME`, else `~/.cache/ganzoo`."""
    chosen = os.environ.get("GANZOO_CACHE")
    if not chosen:
        chosen = f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}{os.sep}ganzoo"
    return os.path.abspath(os.path.expanduser(chosen))  # noqa: PTH100, PTH111 - no pathlib for list
