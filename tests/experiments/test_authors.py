"""A run that changes what its recipe has as its authors had it says so."""

from __future__ import annotations

import pytest
import torch

from poselab.experiments import build
from poselab.experiments.config.authors import (
    authors_of_experiments,
    other_settings,
    other_settings_warning,
)
from poselab.experiments.config.compose import compose
from poselab.skeletons import COCO17

HRNET = "coco/hrnet_w32_256x192"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("trainer.precision=bf16-mixed", "trainer.precision is bf16-mixed, theirs 32-true"),
        ("schedule.milestones=[0.5]", "schedule.milestones is [105], theirs [170, 200]"),
        ("method.codec.sigma=3", "method.codec.sigma is 3, theirs 2.0"),
        ("backbone=tiny", None),
    ],
)
def test_a_changed_setting_is_named(word: str, said: str | None) -> None:
    config, _ = compose("train", [f"experiment={HRNET}", word])
    changed = {setting.key for setting in other_settings(authors_of_experiments()[HRNET], config)}
    assert changed == ({said.split()[0]} if said else set())
    warning = other_settings_warning(HRNET, config)
    assert warning is None if said is None else f": {said} (" in str(warning)


def test_runs_without_a_published_value_do_not_warn() -> None:
    config, _ = compose("train", ["experiment=quickstart/direct"])
    assert other_settings_warning("quickstart/direct", config) is None


def test_many_changes_are_counted() -> None:
    config, _ = compose("train", [f"experiment={HRNET}", "method=simcc", "augment=none"])
    warning = str(other_settings_warning(HRNET, config))
    assert "; and " in warning
    assert len(warning) < 400


def test_networks_of_simple_baseline_read_bgr() -> None:
    words = ["experiment=coco/heatmap_r50_64x64", "backbone=tiny", "method.neck.channels=8"]
    theirs, plain = (
        build.module(compose("train", [*words, *more])[0], COCO17).eval()
        for more in ([], ["method.renormalise=null"])
    )
    plain.load_state_dict(theirs.state_dict())
    image = torch.randint(256, (1, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(theirs(image), plain(image.flip(1)), rtol=1e-4, atol=1e-5)
