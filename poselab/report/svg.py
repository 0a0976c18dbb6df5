"""Matplotlib figures as SVG inside a page: in the page's colours and letters, with its links."""

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
"""How many methods have a colour of their own in the page's style."""

INK, MUTED, GRID, PAPER = "#000001", "#000002", "#000003", "#000004"
_NAMED = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--line)", PAPER: "var(--paper)"}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "poselab",
    "text.parse_math": False,  # names may hold a dollar sign
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
    """The stand-in for the page's colour of method n, which follows the reader's light or dark."""
    return f"#0000{16 + n % COLOURS:02x}"


def kind_colour(code: int) -> str:
    """The stand-in for the page's colour of an error code."""
    return f"#0000{64 + code:02x}"


def part_colour(n: int) -> str:
    """The stand-in for the page's colour of part n of a whole."""
    return f"#0000{128 + n:02x}"


def short(name: str, most: int = 30) -> str:
    """A name that fits beside a plot: a long one without its middle."""
    half = most // 2
    return name if len(name) <= most else f"{name[:half]}…{name[half - most + 1 :]}"


def link(**parts: str) -> str:
    """The address of a view of the image browser."""
    return "#" + "&".join(f"{name}={quote(value, safe='')}" for name, value in parts.items())


def drawn(draw: Callable[[], Figure], name: str, titles: Mapping[str, str]) -> str:
    """The SVG element of what ``draw`` makes; ``titles`` says in words what each link shows."""
    import matplotlib as mpl

    written = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure = draw()
        bare: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(written, format="svg", transparent=True, metadata=bare)
    return _themed(_own_names(_body(written.getvalue()), name), titles)


def _body(text: str) -> str:
    """The element alone, without prolog, namespaces and fixed size."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text, count=2)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    return re.sub(r"\s*\n\s*", " ", re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL))


def _own_names(text: str, name: str) -> str:
    """Names that no other figure of the page has; those nobody refers to go."""
    used = {*re.findall(r"url\(#([^)]+)\)", text), *re.findall(r'<use xlink:href="#([^"]+)"', text)}
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    return re.sub(r'<use xlink:href="#', f'<use href="#{name}-', text)


def _themed(text: str, titles: Mapping[str, str]) -> str:
    """The page's colours for the stand-ins, its letters, and links that stay on the page."""
    text = re.sub(r"(?<=(?:fill|roke): )#0000[0-9a-f]{2}\b", _variable, text)
    text = re.sub(r"font-family: [^;\"]+", "font-family: inherit", text)
    text = re.sub(r"(font: [^;\"]*?\d+px) [^;\"]+", r"\1 var(--font)", text)
    seen: set[str] = set()
    anchor = r'<a xlink:href="([^"]*)" target="_blank">'
    return re.sub(anchor, lambda m: _anchor(m[1], titles, seen), text)


def _variable(match: re.Match[str]) -> str:
    code = int(match[0][5:], 16)
    if match[0] in _NAMED:
        return _NAMED[match[0]]
    if code >= 128:
        return f"var(--p{code - 128})"
    if code >= 64:
        return f"var(--e{code - 64})"
    return f"var(--m{code - 16})" if code >= 16 else match[0]


def _anchor(escaped: str, titles: Mapping[str, str], seen: set[str]) -> str:
    """A link with its words; of several to the same view the keyboard stops at the first alone."""
    words = titles.get(html.unescape(escaped), "")
    again = ' tabindex="-1"' if escaped in seen else ""
    seen.add(escaped)
    label = html.escape(words)
    return f'<a href="{escaped}" aria-label="{label}"{again}><title>{label}</title>'
