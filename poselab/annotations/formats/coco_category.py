"""COCO categories: which are of people, and their skeleton by names, by count, or a new one."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from poselab.io.json_text import shortened
from poselab.keypoint_names import plain_name
from poselab.skeletons import SKELETONS
from poselab.structures import InputError, Skeleton

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from poselab.annotations.source_file import SourceFile

SYNONYMS = {"head": "head_top", "top_head": "head_top"}


def categories_of_people(
    source: SourceFile, categories: list[dict[str, Any]], with_keypoints: Counter[int]
) -> list[dict[str, Any]]:
    """The categories to use: the one that ``source`` chooses, or all that have keypoints.

    ``with_keypoints`` counts, by category id, the annotations that have keypoints.

    Raises:
        InputError: several have keypoints of different names, or the chosen one does not exist.
    """
    for category in categories:
        _check_category(source.path, category, several=len(categories) > 1)
    if source.category is not None:
        return [_chosen(source, categories)]
    if len(categories) == 1:
        return categories
    used = [c for c in categories if c.get("keypoints") and with_keypoints[c["id"]]]
    used = used or [c for c in categories if with_keypoints[c["id"]]] or categories[:1]
    if len({_names(category) for category in used}) > 1:
        counts = ", ".join(
            f"{with_keypoints[c['id']]:,} of {shortened(c.get('name', c['id']), 40)} "
            f"({len(_names(c))} keypoints)"
            for c in used[:8]
        )
        raise InputError(
            f"expected categories with the same keypoints in {source.path}, got {counts}; choose "
            "one with --category NAME (in training: data.category=NAME)"
        )
    return used


def _chosen(source: SourceFile, categories: list[dict[str, Any]]) -> dict[str, Any]:
    for category in categories:
        if source.category in (str(category.get("name")), str(category.get("id", 1))):
            return category
    known = ", ".join(f"{c.get('name', '')} ({c.get('id', 1)})" for c in categories[:8])
    raise InputError(
        f"expected a category out of {shortened(known)} in {source.path}, got "
        f"{shortened(source.category, 40)}; choose by name or id"
    )


def _check_category(path: Path, category: dict[str, Any], several: bool) -> None:
    """Check the types of what is read of a category.

    Raises:
        InputError: one is of another type.
    """
    number = category.get("id", None if several else 1)
    if type(number) is not int or not -(1 << 63) <= number < 1 << 63:
        raise InputError(
            f"expected `id` of category {shortened(category.get('name'), 40)} in {path} to be a "
            f"whole number, got {shortened(number, 40)}; correct it"
        )
    names = category.get("keypoints") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"expected `keypoints` of category {number} in {path} to be a list of names, got "
            f"{shortened(names, 60)}; correct or remove it"
        )


def _names(category: dict[str, Any]) -> tuple[str, ...]:
    return tuple(plain_name(name) for name in category.get("keypoints") or ())


def skeleton_of_category(
    path: Path, category: dict[str, Any], entries: list[dict[str, Any]], wanted: Skeleton | None
) -> Skeleton:
    """``wanted``, the skeleton with the category's names, or the only one with that many keypoints.

    Raises:
        InputError: no annotation has keypoints, or several skeletons have that many.
    """
    names = tuple(category.get("keypoints") or ())
    count = _count(path, entries, len(wanted or names))
    if wanted is not None:
        return _check_count(path, wanted, count)
    if len(names) == count:
        return _named(path, names, category.get("skeleton"))
    fitting = [s for s in SKELETONS.values() if len(s) == count]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting and not names:
        names = tuple(f"keypoint_{n}" for n in range(1, count + 1))
        return _named(path, names, category.get("skeleton"))
    alike = f" ({', '.join(s.name for s in fitting)} have that many)" if fitting else ""
    raise InputError(
        f"expected the names of {count} keypoints in the categories of {path}, got {len(names)}"
        f"{alike}; list them as `keypoints` of the category"
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


def _named(path: Path, names: tuple[str, ...], limbs: Any) -> Skeleton:
    """A known skeleton of these names, or a new one."""
    plain = tuple(plain_name(name) for name in names)
    alike = tuple(SYNONYMS.get(name, name) for name in plain)
    for known in SKELETONS.values():
        if known.keypoints in (plain, alike):
            return known
    try:
        return Skeleton(f"custom{len(plain)}", plain, _limbs(path, plain, limbs))
    except ValueError as error:
        raise InputError(f"{error} of {path}; correct its `categories`") from None


def _limbs(path: Path, names: tuple[str, ...], given: Any) -> tuple[tuple[str, str], ...]:
    """Pairs of keypoint numbers or names as names; others are left out with a warning.

    Numbers count from 1, or from 0 where a 0 occurs.
    """
    pairs = given if isinstance(given, list) else [given] if given else []
    ends = {end for pair in pairs if isinstance(pair, list) for end in pair if type(end) is int}
    first = 0 if 0 in ends and len(names) not in ends else 1
    limbs = [limb for pair in pairs if (limb := _limb(names, pair, first))]
    if left_out := len(pairs) - len(limbs):
        warnings.warn(
            f"{left_out} of {len(pairs)} limbs in the `skeleton` of {path} are not pairs of its "
            f"{len(names)} keypoints and are left out; limbs do not change metric values",
            UserWarning,
            stacklevel=2,
        )
    return tuple(dict.fromkeys(limbs))


def _limb(names: tuple[str, ...], pair: Any, first: int) -> tuple[str, str] | None:
    if not isinstance(pair, list) or len(pair) != 2:
        return None
    named = [_end(names, end, first) for end in pair]
    a, b = named
    return None if a is None or b is None or a == b else (a, b)


def _end(names: tuple[str, ...], end: Any, first: int) -> str | None:
    if isinstance(end, str):
        return plain_name(end) if plain_name(end) in names else None
    if type(end) is int and first <= end < first + len(names):
        return names[end - first]
    return None
