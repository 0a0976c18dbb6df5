"""From the keys of another zoo's checkpoint to ours, by explicit rules and strictly."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from poselab.structures import InputError

State = Mapping[str, Tensor]
Step = Callable[[State], dict[str, Tensor]]

_COUNTER = ".num_batches_tracked"  # not saved by PyTorch 0.4; only its own training reads it


@dataclass(frozen=True)
class KeyMap:
    """How to read one kind of checkpoint.

    renames: (pattern of a whole key, our key); the first that fits decides, ``\\\\1`` as in ``re``.
    unused: patterns of keys that hold nothing a network here needs.
    steps: tensors joined, split or moved, before keys are renamed.
    """

    renames: tuple[tuple[str, str], ...]
    unused: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


class ConvertedState(NamedTuple):
    """weights by our keys, and the keys of the file that were left over."""

    weights: dict[str, Tensor]
    left_over: tuple[str, ...]


def convert_state(state: State, rules: KeyMap, wanted: State) -> ConvertedState:
    """The weights that a network with state ``wanted`` takes out of a checkpoint's ``state``.

    Raises:
        InputError: keys that are needed are not there, others are unknown, or shapes differ.
    """
    state = _prepared(state, rules)
    weights: dict[str, Tensor] = {}
    left_over: list[str] = []
    unknown: list[str] = []
    for key, value in state.items():
        name = _renamed(key, rules.renames)
        if name is not None and name in wanted and name not in weights:
            weights[name] = value
        elif any(re.fullmatch(pattern, key) for pattern in rules.unused):
            left_over.append(key)
        else:
            unknown.append(key)
    weights |= {k: v for k, v in wanted.items() if k.endswith(_COUNTER) and k not in weights}
    missing = [key for key in wanted if key not in weights]
    _refuse_other_keys(missing, unknown)
    _refuse_other_shapes(weights, wanted)
    return ConvertedState(weights, tuple(left_over))


def _prepared(state: State, rules: KeyMap) -> State:
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


def _renamed(key: str, renames: tuple[tuple[str, str], ...]) -> str | None:
    for pattern, name in renames:
        match = re.fullmatch(pattern, key)
        if match:
            return match.expand(name)
    return None


def _refuse_other_keys(missing: list[str], unknown: list[str]) -> None:
    found = []
    if missing:
        found.append(f"none for {listed(missing)}")
    if unknown:
        found.append(f"{listed(unknown)} that it has no place for")
    if found:
        raise InputError(
            f"expected the weights of this model, found {' and '.join(found)}; choose the model "
            "that the file was trained as"
        )


def _refuse_other_shapes(weights: State, wanted: State) -> None:
    other = [
        f"{key} {tuple(value.shape)} instead of {tuple(wanted[key].shape)}"
        for key, value in weights.items()
        if value.shape != wanted[key].shape
    ]
    if other:
        raise InputError(
            f"expected the shapes of this model, found {listed(other, 2)}; choose the model of "
            "this size and input"
        )


def listed(keys: list[str] | tuple[str, ...], most: int = 4) -> str:
    """The first keys, and how many more there are."""
    shown = ", ".join(keys[:most])
    return shown if len(keys) <= most else f"{shown} and {len(keys) - most} more"
