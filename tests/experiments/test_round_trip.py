"""`poselab doctor` passes, and fails on a codec with an error."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import pytest
import torch

from poselab import cli
from poselab.codecs.heatmap import HeatmapCodec
from poselab.experiments import round_trip


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One input size."""
    small = partial(round_trip.round_trips, sizes=((64, 64),))
    monkeypatch.setattr(round_trip, "round_trips", small)


def test_positions_lie_at_many_parts_of_a_cell() -> None:
    points = round_trip.lattice((256, 192), 18.0)
    assert points.shape == (17, 1, 17, 2)
    assert points[..., 0].min() >= 17.5
    assert points[..., 0].max() <= 173.5
    phases = (points[..., 0] / round_trip.STRIDE).frac().unique()
    assert len(torch.histc(phases, 8, 0, 1).nonzero()) >= 6


def test_every_codec_is_as_exact_as_it_states() -> None:
    trips = list(round_trip.round_trips(sizes=((64, 64), (256, 192))))
    assert len({trip.codec for trip in trips}) == len(round_trip.codec_cases())
    assert len(trips) == len(round_trip.codec_cases()) * 3 * 2 * 2
    assert [trip for trip in trips if not trip.passed] == []
    dark = next(t for t in trips if t.codec == "heatmap unbiased dark" and t.pixels == "hrnet")
    assert 0 < dark.median < 0.02
    flipped = next(t for t in trips if t.codec == dark.codec and t.pixels == "hrnet" and t.flip)
    assert flipped.median == pytest.approx(1.0, abs=0.01)  # the whole-cell shift of HRNet's code


@pytest.mark.usefixtures("quick")
def test_doctor_writes_table_and_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "heatmap unbiased dark" in said
    assert "OFF" not in said
    with (tmp_path / "round_trips.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(round_trip.codec_cases()) * 3 * 2
    assert {line["size"] for line in lines} == {"64x64"}
    assert (tmp_path / "round_trips.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.usefixtures("quick")
def test_doctor_fails_where_a_codec_is_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The textbook's missing half a cell."""
    to_cells = HeatmapCodec.encode

    def shifted(self: HeatmapCodec, keypoints: torch.Tensor, *rest: torch.Tensor) -> object:
        return to_cells(self, keypoints + 0.5, *rest)

    monkeypatch.setattr(HeatmapCodec, "encode", shifted)
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr()
    assert "FAILED at 64x64" in said.out
    assert "expected heatmap unbiased dark with centre pixels at 64x64 within" in said.err
    assert "simcc" not in said.err
