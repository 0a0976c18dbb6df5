"""What a user says about annotations that their file does not: sigmas, flip pairs, areas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.io.files import read_json
from poselab.io.json_text import shortened
from poselab.keypoint_names import plain_name
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.structures import Skeleton

AREA_OF_BOX = 0.53  # of CrowdPose's evaluation code; its people have no masks
"""A person's area as a share of their box, where the file gives no area."""


class AnnotationOptions(NamedTuple):
    """Sigmas of OKS (one for each keypoint, or one for all), the pairs of keypoints that a flip
    swaps, and the area of people whose area in the file is 0: "box" (0.53 of their box) or a number
    of pixels².

    None leaves what the file and the names of its keypoints say.
    """

    sigmas: tuple[float, ...] | None = None
    flip_pairs: tuple[tuple[str, str], ...] | None = None
    area: str | float | None = None

    def filled_by(self, other: AnnotationOptions) -> AnnotationOptions:
        """These options, with those of ``other`` where there are none."""
        return other._replace(**self.to_record())

    def to_record(self) -> dict[str, Any]:
        """The options that are set, as plain values; :func:`annotation_options` reads them."""
        return {key: value for key, value in self._asdict().items() if value is not None}


AS_ANNOTATED = AnnotationOptions()


def annotation_options(
    sigmas: Any = None, flip_pairs: Any = None, area: Any = None
) -> AnnotationOptions:
    """Options as a config, a command line or a run's record gives them.

    ``sigmas``: a number, a list of numbers, one text of numbers with commas, or the path of what
    ``poselab data sigmas --json`` writes; ``flip_pairs``: a list of pairs of names; ``area``: "box"
    or a number.

    Raises:
        InputError: a value is none of these, or out of range.
    """
    return AnnotationOptions(_sigmas(sigmas), _flip_pairs(flip_pairs), _area(area))


def with_options(table: Annotations, options: AnnotationOptions) -> Annotations:
    """The table with the skeleton and the areas that the options say.

    Raises:
        InputError: the options do not fit its keypoints.
    """
    if options == AS_ANNOTATED:
        return table
    skeleton = _changed_skeleton(table.skeleton, options)
    areas, rule = _changed_areas(table, options.area)
    merged = options.filled_by(table.options)
    return replace(table, skeleton=skeleton, areas=areas, area_rule=rule, options=merged)


def _sigmas(given: Any) -> tuple[float, ...] | None:
    if given is None:
        return None
    values = given
    if isinstance(given, str):
        values = _sigmas_of_text(given)
    if not isinstance(values, Sequence):
        values = [values]
    if not values or not all(_is_positive(value) for value in values):
        raise InputError(
            "expected OKS sigmas above 0, one for each keypoint or one for all, got "
            f"{shortened(given, 80)}; estimate them with `poselab data sigmas`"
        )
    return tuple(float(value) for value in values)


def _sigmas_of_text(text: str) -> Any:
    """Numbers with commas between them, or those in the file of that name."""
    try:
        return [float(word) for word in text.strip("[] ").split(",")]
    except ValueError:
        content = read_json(Path(text), "OKS sigmas")
    return content.get("sigmas") if isinstance(content, dict) else content


def _is_positive(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0


def _flip_pairs(given: Any) -> tuple[tuple[str, str], ...] | None:
    if given is None:
        return None
    pairs: list[Any] = list(given) if isinstance(given, Sequence) else [given]
    for pair in pairs:
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise InputError(
                "expected flip pairs as pairs of keypoint names ([[a,b],[c,d]]), got "
                f"{shortened(given, 80)}"
            )
    return tuple((str(a), str(b)) for a, b in pairs)


def _area(given: Any) -> str | float | None:
    if given is None:
        return None
    if given == "box":
        return "box"
    try:
        number = float(given)
    except (TypeError, ValueError):
        number = math.nan
    if not _is_positive(number):
        raise InputError(
            "expected as area of people without one `box` (0.53 of it) or a number of pixels² above"
            f" 0, got {shortened(given, 40)}"
        )
    return number


def _changed_skeleton(skeleton: Skeleton, options: AnnotationOptions) -> Skeleton:
    sigmas, pairs = options.sigmas, options.flip_pairs
    if sigmas is not None:
        sigmas = sigmas * len(skeleton) if len(sigmas) == 1 else sigmas
        if len(sigmas) != len(skeleton):
            raise InputError(
                f"expected {len(skeleton)} sigmas, one for each keypoint of {skeleton.name}, or one"
                f" for all, got {len(sigmas)}"
            )
        skeleton = replace(skeleton, sigmas=sigmas)
    if pairs is not None:
        skeleton = _with_flip_pairs(skeleton, pairs)
    return skeleton


def _with_flip_pairs(skeleton: Skeleton, pairs: tuple[tuple[str, str], ...]) -> Skeleton:
    """The skeleton with pairs of its names, spelled as in the file or as PoseLab spells them."""

    def spelled(name: str) -> str:
        return name if name in skeleton.keypoints else plain_name(name)

    named = tuple((spelled(a), spelled(b)) for a, b in pairs)
    try:
        return replace(skeleton, flip_pairs=named)
    except ValueError:
        raise InputError(
            f"expected flip pairs of {shortened(', '.join(skeleton.keypoints), 200)}, "
            f"each in one pair at most, got {shortened(pairs, 80)}"
        ) from None


def _changed_areas(table: Annotations, area: str | float | None) -> tuple[Any, str]:
    """The areas, with people's areas of 0 replaced, and the rule that they follow now."""
    lacking = (table.areas <= 0) & ~table.crowd
    if area is None or not lacking.any():
        return table.areas, table.area_rule
    if area == "box":
        rule, derived = "0.53 box", table.boxes[:, 2] * table.boxes[:, 3] * AREA_OF_BOX
    else:
        rule, derived = f"{area:g} px²", np.full(len(table.areas), float(area))
    everyone = bool(lacking[table.scorable()].all())
    rule = rule if everyone else f"{table.area_rule}, {rule} where 0"
    return np.where(lacking, derived, table.areas), rule
