"""A finished run is used again only for the same config and annotations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from poselab.annotations import fingerprint_of, open_annotations
from poselab.experiments import runs
from poselab.experiments.config.stored import stored_config
from poselab.structures import InputError
from poselab.synthetic import Settings, generate

SECTIONS = (
    *("data", "framing", "augment", "backbone", "method", "module", "postprocess", "optimizer"),
    *("schedule", "trainer", "evaluator"),
)
VALUES = {**{name: {} for name in SECTIONS}, "seed": 1, "flip_test": True, "runs": "here"}
CONFIG = stored_config(VALUES, "a test")


@pytest.fixture
def annotations_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POSELAB_CACHE", str(tmp_path / "cache"))
    instances = generate(tmp_path / "instances", Settings(2, val=2, size=(64, 64)), workers=1)
    return instances / "annotations" / "person_keypoints_val2017.json"


@pytest.fixture
def finished(annotations_file: Path, tmp_path: Path) -> Path:
    """What `suite` and `ablate` read of a finished run."""
    folder = tmp_path / "run"
    folder.mkdir()
    table = open_annotations(annotations_file)
    known = {"annotations": table.source, "fingerprint": table.fingerprint}
    manifest = {"experiment": "a/b", "state": "finished", "data": {"val": known}}
    (folder / "run.json").write_text(json.dumps(manifest))
    (folder / "metrics.json").write_text('{"AP": 0.5}')
    OmegaConf.save(CONFIG, folder / "config.yaml")
    return folder


def test_a_finished_run_is_not_trained_again(finished: Path) -> None:
    elsewhere = OmegaConf.merge(CONFIG, {"runs": "there"})
    assert isinstance(elsewhere, DictConfig)
    assert runs.finished_metrics(elsewhere, finished) == {"AP": 0.5}


def test_changed_annotations_fail(finished: Path, annotations_file: Path) -> None:
    content = json.loads(annotations_file.read_text())
    content["annotations"][0]["keypoints"][0] += 1
    annotations_file.write_text(json.dumps(content))
    with pytest.raises(InputError, match="expected the val annotations that") as caught:
        runs.finished_metrics(CONFIG, finished)
    assert str(annotations_file) in str(caught.value)


def test_missing_annotations_do_not_matter(finished: Path, annotations_file: Path) -> None:
    annotations_file.unlink()
    assert runs.finished_metrics(CONFIG, finished) == {"AP": 0.5}


def test_a_fingerprint_is_that_of_the_table(
    annotations_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fingerprint_of(annotations_file) == open_annotations(annotations_file).fingerprint
    monkeypatch.setenv("POSELAB_CACHE", str(annotations_file))  # no folder: nothing is remembered
    assert (
        fingerprint_of(annotations_file)
        == open_annotations(annotations_file, cache=False).fingerprint
    )
