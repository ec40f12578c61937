"""The licence of a new plugin."""

from pathlib import Path

from ganzoo_core.errors import ConfigError, nearest

TEXTS = Path(__file__).parent / "templates" / "licenses"


def checked_license(license: str) -> str:
    """Return an SPDX identifier, or an expression of several, in the SPDX list's own spelling.

    Raises:
        ConfigError: the list has no such licence.
    """
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return str(canonicalize_license_expression(license))
    except InvalidLicenseExpression:
        close = nearest(license[:100], (path.stem for path in TEXTS.iterdir()))
        hint = f"did you mean {close[0]!r}?" if close else "take one such as MIT or Apache-2.0"
        raise ConfigError(
            f"the licence {license[:100]!r} is no identifier of the SPDX list; {hint}"
        ) from None


def has_text(license: str) -> bool:
    """Say whether the text of a licence, in the SPDX list's spelling, is among the templates."""
    return (TEXTS / f"{license}.txt").is_file()


def license_text(license: str) -> str:
    """Return the text of a licence, or where there is none a note that says which it is."""
    name = license if has_text(license) else "SPDX"
    return (TEXTS / f"{name}.txt").read_text(encoding="utf-8")
