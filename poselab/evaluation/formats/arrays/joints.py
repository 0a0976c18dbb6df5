"""Which joint of the ground truth each joint of an array is."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.evaluation.formats.arrays.options import NEAREST, SAME
from poselab.io.json_text import shortened
from poselab.keypoint_names import plain_name
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poselab.evaluation.formats.arrays.fit import Fit
    from poselab.structures import Floats, Ints, Mask, Skeleton

NAME_KEYS = ("output_joints", "joint_names", "keypoint_names", "dataset_joints", "joints_names")
OTHER = "-"

SHORT_NAMES = {"rank": "right_ankle", "rkne": "right_knee", "rhip": "right_hip", "lhip": "left_hip"}
SHORT_NAMES |= {"lkne": "left_knee", "lank": "left_ankle", "pelv": "pelvis", "thor": "thorax"}
SHORT_NAMES |= {"neck": "upper_neck", "head": "head_top", "rwri": "right_wrist"}
SHORT_NAMES |= {"relb": "right_elbow", "rsho": "right_shoulder", "lsho": "left_shoulder"}
SHORT_NAMES |= {"lelb": "left_elbow", "lwri": "left_wrist"}
"""MPII's joints in the files of Tompson et al."""

BETTER = 0.5
NEAR = 0.25
"""A joint farther than this part of a person's extent from all of an array's is not among them."""

_SIDES = (
    "; they differ in left and right alone, which can be a mistake of the method or another order"
)


def named_joints(
    content: Mapping[str, Any], options_joints: str | None, skeleton: Skeleton
) -> list[str] | None:
    """The names that the user gives, or that stand in the file beside the array, in its order, as
    the skeleton spells them; None where there are none.

    Raises:
        InputError: the user names a joint that the skeleton lacks, or one twice.
    """
    if options_joints in (SAME, NEAREST):
        return None
    if options_joints is not None:
        return _checked([name.strip() for name in options_joints.split(",")], skeleton)
    for key in NAME_KEYS:
        names = [_text(name) for name in np.asarray(content.get(key, [])).ravel()]
        spelled = [_spelled(name, skeleton) for name in names]
        known = [name for name in spelled if name != OTHER]
        if len(known) >= 3 and len(set(known)) == len(known):
            return spelled
    return None


def _text(value: Any) -> str:
    array = np.asarray(value)
    text = array.ravel()[0] if array.size else ""
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


def _spelled(name: str, skeleton: Skeleton) -> str:
    """The skeleton's keypoint of that name in any spelling, or "-"."""
    plain = {plain_name(keypoint): keypoint for keypoint in skeleton.keypoints}
    found = plain.get(plain_name(name)) or plain.get(SHORT_NAMES.get(name, ""))
    return found or OTHER


def _checked(given: Sequence[str], skeleton: Skeleton) -> list[str]:
    spelled = [_spelled(name, skeleton) for name in given]
    for name, found in zip(given, spelled, strict=True):
        if found == OTHER and name != OTHER:
            raise InputError(
                f"expected --joints of {skeleton.name} ({', '.join(skeleton.keypoints)[:200]}), or "
                f"- for others, got {shortened(name)}"
            )
        if found != OTHER and spelled.count(found) > 1:
            raise InputError(f"expected each of --joints once, got {found} {spelled.count(found)}x")
    return spelled


def joints_of_names(names: Sequence[str], skeleton: Skeleton) -> Ints:
    """Of each joint of the skeleton (Kg,) its place among these names, -1 for none."""
    places = [names.index(name) if name in names else -1 for name in skeleton.keypoints]
    return np.array(places, np.int64)


def missing_joints(joints: Ints, skeleton: Skeleton) -> str:
    """The sentence about joints of the skeleton that an array lacks; "" where it lacks none."""
    missing = [name for name, place in zip(skeleton.keypoints, joints, strict=True) if place < 0]
    return f"{', '.join(missing)} are not among its joints and count as wrong" * bool(missing)


def match_joints(
    measured: Fit, count: int, skeleton: Skeleton, given: str | None, known: bool = False
) -> tuple[Ints, str]:
    """Of each joint of the skeleton (Kg,) the place among the array's ``count``, -1 for none, and
    the words that say so where it is not the skeleton's order.

    Where the nearest joints do not tell it clearly, a ``known`` array has the skeleton's.

    Raises:
        InputError: the nearest joints do not tell the order.
    """
    if given == SAME or (given is None and not len(measured.person)):
        return _same(count, skeleton), ""
    distances = _medians(measured.distances)
    nearest = _mutually_nearest(distances)
    as_many, skeletons_order = count == len(skeleton), np.arange(len(skeleton))
    if as_many and given is None and not _fits_better(nearest, distances):
        return skeletons_order, ""
    if as_many:
        nearest = _with_the_rest(nearest, np.isfinite(distances.min(axis=0)))
    fewest = count if as_many else min(count, len(skeleton)) // 2
    unclear = np.count_nonzero(nearest >= 0) < fewest
    only_sides = as_many and given is None and _differ_in_sides_alone(nearest, skeleton)
    if not (unclear or only_sides):
        return nearest, "its joints are the nearest ones, " + _described(nearest, count, skeleton)
    if as_many and known:
        return skeletons_order, ""
    raise _ask(nearest, count, skeleton, _SIDES * only_sides)


def _fits_better(nearest: Ints, distances: Floats) -> bool:
    """Whether the nearest joints (K,) lie far nearer than those of the skeleton's order do."""
    place = np.arange(len(nearest))
    moved = np.flatnonzero((nearest != place) & (nearest >= 0))
    own, other = distances[moved, moved], distances[nearest[moved], moved]
    return len(moved) > 0 and bool(other.mean() <= BETTER * own.mean())


def _differ_in_sides_alone(nearest: Ints, skeleton: Skeleton) -> bool:
    """Whether every joint is the skeleton's or that of the other side."""
    place, other_side = np.arange(len(nearest)), np.array(skeleton.flip_index)
    return bool(((nearest == place) | (nearest == other_side)).all())


def _same(count: int, skeleton: Skeleton) -> Ints:
    if count != len(skeleton):
        raise InputError(
            f"expected {len(skeleton)} joints ({skeleton.name}) for --joints {SAME}, got {count}; "
            "name them with --joints NAME,NAME,..."
        )
    return np.arange(count)


def _medians(distances: Floats) -> Floats:
    """Medians (Kp, Kg) over people; infinite where a joint is never labelled."""
    labelled = np.isfinite(distances).any(axis=0)
    medians = np.full(labelled.shape, np.inf)
    medians[labelled] = np.nanmedian(distances[:, labelled], axis=0)
    return medians


def _mutually_nearest(distances: Floats) -> Ints:
    """Of each joint of the ground truth (Kg,) the nearest of the array, if that has none nearer."""
    nearest = distances.argmin(axis=0)
    back = distances.argmin(axis=1)
    places = np.arange(distances.shape[1])
    good = (back[nearest] == places) & (distances[nearest, places] < NEAR)
    return np.where(good, nearest, -1)


def _with_the_rest(nearest: Ints, labelled: Mask) -> Ints:
    """Joints that are left on both sides go together if only one is, or none is ever labelled."""
    left, open_places = np.setdiff1d(np.arange(len(nearest)), nearest), np.flatnonzero(nearest < 0)
    if len(left) > 1 and labelled[open_places].any():
        return nearest
    filled = nearest.copy()
    filled[open_places] = left
    return filled


def _described(nearest: Ints, count: int, skeleton: Skeleton) -> str:
    """The joints in the array's order, as the user could name them."""
    names = [OTHER] * count
    for name, place in zip(skeleton.keypoints, nearest, strict=True):
        if place >= 0:
            names[place] = name
    return f"in the order {','.join(names)}"


def _ask(nearest: Ints, count: int, skeleton: Skeleton, reason: str) -> InputError:
    found = textwrap.shorten(_described(nearest, count, skeleton).replace(",", ", "), 140)
    return InputError(
        f"expected joints in the order of {skeleton.name}, but the nearest are {found}{reason}; "
        f"choose with --joints {SAME}, --joints {NEAREST} or --joints NAME,NAME,..."
    )
