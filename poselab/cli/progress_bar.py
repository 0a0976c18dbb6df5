"""The progress bar of commands that go through a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def track(steps: Iterator[Any], total: int, what: str) -> Iterable[Any]:
    """The steps, behind a progress bar on stderr that says ``what`` is done."""
    from rich.console import Console
    from rich.progress import track as rich_track

    console = Console(stderr=True)
    return rich_track(steps, description=what, total=total, console=console, transient=True)
