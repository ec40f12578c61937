"""A report as one HTML page that needs nothing else: no script, no font, no file, no network."""

import base64
import io
from html import escape

from ganzoo_core.evaluation.report.charts import quietly
from ganzoo_core.evaluation.report.content import Chart, Picture, Report, Section, Table

WIDTH = 760
"""Of a chart on the page, in CSS pixels; it is drawn with twice as many."""

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #8888; padding-bottom: .2rem; }
nav ul { columns: 2; padding-left: 1.2rem; }
figure { margin: 1rem 0; overflow-x: auto; }
figure img { max-width: 100%; height: auto; background: #fff; }
img.pixels { image-rendering: pixelated; }
figcaption, .note { font-size: .9rem; opacity: .8; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-size: .9rem; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .2rem 1rem .2rem 0; }
td { overflow-wrap: anywhere; }
tr { border-bottom: 1px solid #8884; }
th { font-weight: 600; }
"""

# A browser told this cannot be made to fetch or run anything by what stands on the page.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def rendered_html(report: Report) -> str:
    """Return the page, which is well-formed XML as well."""
    titles = [section.title for section in report.sections]
    if report.left_out:
        titles.append(_LEFT_OUT)
    contents = "\n".join(
        f'<li><a href="#part-{number}">{escape(title)}</a></li>'
        for number, title in enumerate(titles)
    )
    parts = [_section(number, section) for number, section in enumerate(report.sections)]
    if report.left_out:
        parts.append(_left_out(len(parts), report))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}"/>
<title>{escape(report.title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{escape(report.title)}</h1>
<p>{escape(report.summary)}</p>
<nav aria-label="Parts of this report"><ul>
{contents}
</ul></nav>
{"".join(parts)}</main>
</body>
</html>
"""


_LEFT_OUT = "Not shown"


def _section(number: int, section: Section) -> str:
    text = f"<p>{escape(section.text)}</p>\n" if section.text else ""
    parts = "".join(map(_part, section.parts))
    return _framed(number, section.title, text + parts)


def _left_out(number: int, report: Report) -> str:
    entries = "".join(
        f"<li><strong>{escape(title)}</strong>: {escape(reason)}.</li>\n"
        for title, reason in report.left_out.items()
    )
    return _framed(number, _LEFT_OUT, f"<ul>\n{entries}</ul>\n")


def _framed(number: int, title: str, content: str) -> str:
    label = f"part-{number}"
    return (
        f'<section aria-labelledby="{label}">\n<h2 id="{label}">{escape(title)}</h2>\n'
        f"{content}</section>\n"
    )


def _part(part: Picture | Chart | Table) -> str:
    match part:
        case Picture():
            file = io.BytesIO()
            part.image.save(file, "PNG", optimize=True)
            return _figure(file.getvalue(), part.says, *part.image.size, "pixels")
        case Chart():
            return _figure(_drawn(part), part.says, WIDTH, round(WIDTH * part.height), "chart")
        case Table():
            return _table(part)


def _figure(png: bytes, says: str, width: int, height: int, kind: str) -> str:
    data = base64.b64encode(png).decode()
    return (
        f'<figure><img class="{kind}" width="{width}" height="{height}" alt="{escape(says)}" '
        f'src="data:image/png;base64,{data}"/></figure>\n'
    )


def _drawn(chart: Chart) -> bytes:
    """Draw a chart as PNG, with twice the page's pixels so that it stays sharp on a fine screen."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / 96, WIDTH / 96 * chart.height), layout="constrained")
    file = io.BytesIO()
    with quietly():
        chart.draw(figure.add_subplot())
        figure.savefig(file, format="png", dpi=192, facecolor="white")
    return file.getvalue()


def _table(table: Table) -> str:
    caption = f"<caption>{escape(table.caption)}</caption>\n" if table.caption else ""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.header)
    head = f"<thead><tr>{head}</tr></thead>\n" if head else ""
    rows = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        + "</tr>\n"
        for first, *rest in table.rows
    )
    return f'<div class="scroll"><table>\n{caption}{head}<tbody>\n{rows}</tbody></table></div>\n'
