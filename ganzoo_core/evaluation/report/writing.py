"""A report as a file: an HTML page or a PDF, by the name that it is to have."""

from pathlib import Path

from ganzoo_core.errors import UnsupportedError
from ganzoo_core.evaluation.report.content import Report
from ganzoo_core.files import whole_file

SUFFIXES = (".html", ".pdf")


def check_format(out: Path) -> None:
    """Check, before any work is done, that a report can be written there.

    Raises:
        UnsupportedError: the suffix is none that we write, or it is a folder.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise UnsupportedError(
            f"a report is an .html page or a .pdf, and {str(out)!r} is neither; name it report.html"
        )
    if out.is_dir():
        raise UnsupportedError(f"{out} is a folder; give the name of a file for the report")


def write(report: Report, out: Path) -> None:
    """Write a report in the form that the name asks for, whole or not at all.

    Raises:
        UnsupportedError: the suffix is neither .html nor .pdf.
        RunError: the place cannot be written.
    """
    check_format(out)
    if out.suffix.lower() == ".pdf":
        from ganzoo_core.evaluation.report.pdf import rendered_pdf

        content = rendered_pdf(report)
    else:
        from ganzoo_core.evaluation.report.html import rendered_html

        content = rendered_html(report).encode()
    with whole_file(out) as partial:
        partial.write_bytes(content)
