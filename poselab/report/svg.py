"""Matplotlib figures as SVG inside the report: in its colours and fonts, with its links."""

from __future__ import annotations

import html
import io
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.figure import Figure

COLOURS = 9
"""How many methods have a colour of their own in the report's style."""

# Matplotlib draws in placeholder colours, which become CSS variables: the report follows the
# reader's light or dark theme.
INK, MUTED, GRID, PAPER = "#000001", "#000002", "#000003", "#000004"
_VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--line)", PAPER: "var(--paper)"}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text, which can be searched and takes the page's font
    "svg.hashsalt": "poselab",  # ids are random otherwise, and the same report differs each time
    "text.parse_math": False,  # names may contain a dollar sign
    "font.size": 10.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlesize": 10.0,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "lines.linewidth": 1.8,
    "figure.constrained_layout.h_pad": 0.06,
}


def method_colour(n: int) -> str:
    """The placeholder of the colour of method n."""
    return f"#0000{16 + n % COLOURS:02x}"


def error_colour(code: int) -> str:
    """The placeholder of the colour of a keypoint error's code."""
    return f"#0000{64 + code:02x}"


def part_colour(n: int) -> str:
    """The placeholder of the colour of part n of a stacked bar."""
    return f"#0000{128 + n:02x}"


def shorten(name: str, most: int = 30) -> str:
    """A name of at most so many letters: a long one without its middle."""
    half = most // 2
    return name if len(name) <= most else f"{name[:half]}…{name[half - most + 1 :]}"


def browser_link(**filters: str) -> str:
    """The address of a view of the report's image browser."""
    return "#" + "&".join(f"{name}={quote(value, safe='')}" for name, value in filters.items())


def render_svg(draw: Callable[[], Figure], name: str, tooltips: Mapping[str, str]) -> str:
    """The SVG element of the figure that ``draw`` makes; ``tooltips`` describe its links."""
    import matplotlib as mpl

    written = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure = draw()
        # Without a date, so that equal reports are equal files.
        bare: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(written, format="svg", transparent=True, metadata=bare)
    return _themed(_with_unique_ids(_svg_element(written.getvalue()), name), tooltips)


def _svg_element(text: str) -> str:
    """The element alone, without prolog, namespaces and fixed size."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text, count=2)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    return re.sub(r"\s*\n\s*", " ", re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL))


def _with_unique_ids(text: str, name: str) -> str:
    """Ids that no other plot of the page has; ids without a reference are dropped."""
    used = {*re.findall(r"url\(#([^)]+)\)", text), *re.findall(r'<use xlink:href="#([^"]+)"', text)}
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    return re.sub(r'<use xlink:href="#', f'<use href="#{name}-', text)


def _themed(text: str, tooltips: Mapping[str, str]) -> str:
    """CSS variables for the placeholders, the page's fonts, and links that stay on the page."""
    text = re.sub(r"(?<=(?:fill|roke): )#0000[0-9a-f]{2}\b", _variable, text)
    text = re.sub(r"font-family: [^;\"]+", "font-family: inherit", text)
    text = re.sub(r"(font: [^;\"]*?\d+px) [^;\"]+", r"\1 var(--font)", text)
    seen: set[str] = set()
    anchor = r'<a xlink:href="([^"]*)" target="_blank">'
    return re.sub(anchor, lambda m: _anchor(m[1], tooltips, seen), text)


def _variable(match: re.Match[str]) -> str:
    code = int(match[0][5:], 16)
    if match[0] in _VARIABLES:
        return _VARIABLES[match[0]]
    if code >= 128:
        return f"var(--p{code - 128})"
    if code >= 64:
        return f"var(--e{code - 64})"
    return f"var(--m{code - 16})" if code >= 16 else match[0]


def _anchor(escaped: str, tooltips: Mapping[str, str], seen: set[str]) -> str:
    """A link with its tooltip; of several to the same view the keyboard stops at the first."""
    words = tooltips.get(html.unescape(escaped), "")
    repeated = ' tabindex="-1"' if escaped in seen else ""
    seen.add(escaped)
    label = html.escape(words)
    return f'<a href="{escaped}" aria-label="{label}"{repeated}><title>{label}</title>'
