"""Where ganzoo keeps what it can make or fetch again, and the records that it cannot."""

import os


def cache_folder() -> str:
    """Return the cache: `GANZOO_CACHE`, else below `XDG_CACHE_HOME`, else `~/.cache/ganzoo`."""
    chosen = os.environ.get("GANZOO_CACHE")
    if not chosen:
        chosen = f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}{os.sep}ganzoo"
    return os.path.abspath(os.path.expanduser(chosen))  # noqa: PTH100, PTH111 - no pathlib for list


def records_folder() -> str:
    """Return where measured claims are recorded: `records` in the user's data.

    These lie in `GANZOO_DATA`, else below `XDG_DATA_HOME`, else in `~/.local/share/ganzoo`.
    """
    chosen = os.environ.get("GANZOO_DATA")
    if not chosen:
        chosen = f"{os.environ.get('XDG_DATA_HOME') or '~/.local/share'}{os.sep}ganzoo"
    records = f"{os.path.expanduser(chosen)}{os.sep}records"  # noqa: PTH111 - as above
    return os.path.abspath(records)  # noqa: PTH100 - as above
