"""A run knows the total batch it takes, and the one that its recipe was published with."""

from __future__ import annotations

import pytest

from poselab.experiments.config.compose import compose
from poselab.experiments.config.total_batch import total_batch, total_batch_warning
from poselab.structures import InputError

HRNET = "experiment=coco/hrnet_w48_384x288"  # published with 96


@pytest.mark.parametrize(
    ("words", "total"),
    [
        ([], 32),
        (["trainer.devices=4"], 128),
        (["trainer.devices=[0,2]"], 64),
        (["trainer.devices='0,1,3'"], 96),
        (["trainer.devices=2", "+trainer.num_nodes=3"], 192),
        (["trainer.accumulate_grad_batches=3"], 96),
        (["trainer.devices=-1"], 32),
    ],
)
def test_devices_batches_and_accumulation_multiply(words: list[str], total: int) -> None:
    config, _ = compose("train", [HRNET, "trainer.accelerator=cpu", *words])
    assert total_batch(config) == total
    assert (total_batch_warning(config) is None) == (total == 96)


def test_the_warning_says_both_totals_and_what_to_do() -> None:
    config, _ = compose("train", [HRNET, "trainer.devices=2"])
    warning = total_batch_warning(config)
    assert warning is not None
    assert "\n" not in warning
    for part in ("batch of 96", "it is 64", "2 x 32", "batch=published"):
        assert part in warning


def test_recipes_without_a_published_batch_do_not_warn() -> None:
    config, _ = compose("train", ["experiment=quickstart/direct"])
    assert total_batch_warning(config) is None


@pytest.mark.parametrize(
    ("words", "size", "accumulated"),
    [
        (["trainer.devices=1"], 32, 3),
        (["trainer.devices=2"], 24, 2),  # 48 a device, which 32 does not divide
        (["trainer.devices=8"], 12, 1),
        (["trainer.devices=1", "data.batch_size=10"], 8, 12),
        (["trainer.devices=4", "trainer.accumulate_grad_batches=7"], 24, 1),
    ],
)
def test_a_run_can_take_the_published_total(words: list[str], size: int, accumulated: int) -> None:
    config, _ = compose("train", [HRNET, "batch=published", *words])
    assert (config.data.batch_size, config.trainer.accumulate_grad_batches) == (size, accumulated)
    assert total_batch(config) == 96
    assert total_batch_warning(config) is None
    assert config.batch is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([HRNET, "batch=published", "trainer.devices=5"], "share a total batch of 96, got 5"),
        ([HRNET, "batch=96"], "batch to be published or null, got 96"),
        (["experiment=quickstart/direct", "batch=published"], "got one without"),
        ([HRNET, "batch=published", "trainer.devices=many"], "number, a list or auto, got many"),
    ],
)
def test_what_cannot_be_scaled_raises(words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compose("train", words)
