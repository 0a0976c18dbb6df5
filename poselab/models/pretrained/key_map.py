"""Strict conversion of another code base's checkpoint to our keys, by explicit rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    State = Mapping[str, Tensor]
    Step = Callable[[State], dict[str, Tensor]]

_COUNTER = ".num_batches_tracked"  # not saved by PyTorch 0.4; only its own training reads it


@dataclass(frozen=True)
class KeyMap:
    """How to read one kind of checkpoint.

    renames: (pattern of a whole key, our key); the first match decides, ``\\\\1`` as in ``re``.
    unused: patterns of keys that no network here needs.
    steps: functions that join, split or move tensors before keys are renamed.
    """

    renames: tuple[tuple[str, str], ...]
    unused: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


class ConvertedState(NamedTuple):
    """weights by our keys; left_over: the keys of the file that were not needed."""

    weights: dict[str, Tensor]
    left_over: tuple[str, ...]


def convert_state(state: State, rules: KeyMap, wanted: State) -> ConvertedState:
    """The weights for a network with state ``wanted`` from a checkpoint's ``state``.

    Raises:
        InputError: keys are missing or unknown, or shapes differ.
    """
    state = _apply_steps(state, rules)
    weights: dict[str, Tensor] = {}
    left_over: list[str] = []
    unknown: list[str] = []
    for key, value in state.items():
        name = _rename(key, rules.renames)
        # The first key of a name is taken; a second one has to be declared unused.
        if name is not None and name in wanted and name not in weights:
            weights[name] = value
        elif any(re.fullmatch(pattern, key) for pattern in rules.unused):
            left_over.append(key)
        else:
            unknown.append(key)
    weights |= {k: v for k, v in wanted.items() if k.endswith(_COUNTER) and k not in weights}
    missing = [key for key in wanted if key not in weights]
    _check_keys(missing, unknown)
    _check_shapes(weights, wanted)
    return ConvertedState(weights, tuple(left_over))


def _apply_steps(state: State, rules: KeyMap) -> State:
    try:
        for step in rules.steps:
            state = step(state)
    except (KeyError, RuntimeError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"expected the weights of this model, found nothing that fits {reason}; choose the "
            "model that the file was trained as"
        ) from error
    return state


def _rename(key: str, renames: tuple[tuple[str, str], ...]) -> str | None:
    for pattern, name in renames:
        match = re.fullmatch(pattern, key)
        if match:
            return match.expand(name)
    return None


def _check_keys(missing: list[str], unknown: list[str]) -> None:
    problems = []
    if missing:
        problems.append(f"none for {listed(missing)}")
    if unknown:
        problems.append(f"the unknown {listed(unknown)}")
    if problems:
        raise InputError(
            f"expected the weights of this model, found {' and '.join(problems)}; choose the model "
            "that the file was trained as"
        )


def _check_shapes(weights: State, wanted: State) -> None:
    different = [
        f"{key} {tuple(value.shape)} instead of {tuple(wanted[key].shape)}"
        for key, value in weights.items()
        if value.shape != wanted[key].shape
    ]
    if different:
        raise InputError(
            f"expected the shapes of this model, found {listed(different, 2)}; choose the model of "
            "this size and input"
        )


def listed(keys: list[str] | tuple[str, ...], most: int = 2) -> str:
    """The first keys, and how many more there are."""
    shown = ", ".join(keys[:most])
    return shown if len(keys) <= most else f"{shown} and {len(keys) - most} more"
