"""The skeleton of a COCO category: by keypoint names, by their count, or a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poselab.skeletons import SKELETONS
from poselab.structures import InputError, Skeleton

if TYPE_CHECKING:
    from pathlib import Path

SYNONYMS = {"head": "head_top", "top_head": "head_top"}


def skeleton_of_category(
    path: Path, category: dict[str, Any], entries: list[dict[str, Any]], wanted: Skeleton | None
) -> Skeleton:
    """``wanted``, the skeleton with the category's names, or the only one with that many keypoints.

    Raises:
        InputError: no annotation has keypoints, or not exactly one skeleton has that many.
    """
    names = tuple(str(name) for name in category.get("keypoints") or ())
    count = _count(path, entries, len(wanted or names))
    if wanted is not None:
        return _check_count(path, wanted, count)
    if len(names) == count:
        return _named(path, names, category.get("skeleton") or ())
    fitting = [s for s in SKELETONS.values() if len(s) == count]
    if len(fitting) == 1:
        return fitting[0]
    raise InputError(
        f"expected the names of {count} keypoints in the categories of {path}, got {len(names)}; "
        "name the skeleton"
    )


def _count(path: Path, entries: list[dict[str, Any]], likely: int) -> int:
    """Keypoints per person: ``likely`` if any person has that many, else those of the first."""
    first = 0
    for entry in entries:
        if isinstance(entry, dict) and isinstance(given := entry.get("keypoints"), list) and given:
            if len(given) == 3 * likely:
                return likely
            first = first or max(len(given) // 3, 1)
    if first:
        return first
    raise InputError(
        f"expected people with labelled keypoints in {path}, found none among {len(entries)} "
        "annotations; is it the keypoints file of the dataset?"
    )


def _check_count(path: Path, wanted: Skeleton, count: int) -> Skeleton:
    if len(wanted) != count:
        raise InputError(
            f"expected {len(wanted)} keypoints ({wanted.name}) in {path}, got {count}; choose the "
            "skeleton of that file"
        )
    return wanted


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _named(path: Path, names: tuple[str, ...], limbs: Any) -> Skeleton:
    """A known skeleton of these names, or a new one."""
    plain = tuple(_plain(name) for name in names)
    alike = tuple(SYNONYMS.get(name, name) for name in plain)
    for known in SKELETONS.values():
        if known.keypoints in (plain, alike):
            return known
    try:
        return Skeleton(f"custom{len(plain)}", plain, _limbs(plain, limbs))
    except ValueError as error:
        raise InputError(f"{error} of {path}; correct its `categories`") from None


def _limbs(names: tuple[str, ...], limbs: Any) -> tuple[tuple[str, str], ...]:
    """COCO's 1-based pairs as names, without those that name no keypoint."""
    inside = range(1, len(names) + 1)
    return tuple((names[a - 1], names[b - 1]) for a, b in limbs if a in inside and b in inside)
