"""Learning-rate factors, worked out by hand."""

from __future__ import annotations

import math
import pickle

import pytest

from poselab.structures import InputError
from poselab.training.schedules import constant, cosine, multi_step


def test_constant_stays() -> None:
    factor = constant(7, 3)
    assert {factor(step) for step in range(30)} == {1.0}


def test_steps_drop_at_epochs_170_and_200_of_210() -> None:
    factor = multi_step(10, 210)
    assert factor(0) == factor(1699) == 1.0
    assert factor(1700) == factor(1999) == pytest.approx(0.1)
    assert factor(2000) == factor(2099) == pytest.approx(0.01)


def test_steps_of_a_shorter_run_drop_at_the_same_fractions() -> None:
    factor = multi_step(4, 21)
    assert [factor(s) for s in (67, 68, 79, 80)] == pytest.approx([1.0, 0.1, 0.1, 0.01])


@pytest.mark.parametrize("schedule", [multi_step, cosine])
def test_warm_up_rises_in_equal_parts(schedule: object) -> None:
    factor = schedule(100, 10, warmup=3)  # type: ignore[operator]
    assert [factor(s) for s in range(4)] == pytest.approx([0.25, 0.5, 0.75, 1.0], abs=1e-5)


def test_cosine_by_hand() -> None:
    factor = cosine(10, 1, warmup=2, floor=0.2)
    assert factor(2) == pytest.approx(1.0)
    assert factor(6) == pytest.approx(0.6)  # half way between 2 and 10
    assert factor(4) == pytest.approx(0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2)
    assert factor(10) == factor(50) == pytest.approx(0.2)


def test_a_late_cosine_is_flat_before() -> None:
    factor = cosine(10, 4, warmup=2, floor=0.1, start=0.5)
    assert factor(0) == pytest.approx(1 / 3)
    assert {factor(step) for step in range(2, 21)} == {1.0}
    assert factor(30) == pytest.approx(0.55)  # half way between 20 and 40
    assert factor(40) == pytest.approx(0.1)
    with pytest.raises(InputError, match=r"expected schedule\.start as a fraction"):
        cosine(10, 4, start=2)


def test_schedules_can_be_pickled() -> None:
    factor = pickle.loads(pickle.dumps(cosine(10, 2, warmup=1)))
    assert factor(20) == pytest.approx(0.0)
