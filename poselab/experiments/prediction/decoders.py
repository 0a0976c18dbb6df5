"""The heatmaps of one trained run, decoded by several decoders."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from poselab.codecs.base import ManyDecoders
from poselab.evaluation.comparability import RUN, read_comparability
from poselab.evaluation.comparison import compare_methods
from poselab.evaluation.predictions import merge, read_predictions, write_predictions
from poselab.evaluation.predictions_file import PredictionsFile
from poselab.experiments import build, runs
from poselab.experiments.comparability import run_comparability
from poselab.experiments.device import usable_device
from poselab.experiments.prediction.raw_outputs import outputs_key, read_outputs, write_outputs
from poselab.io.files import read_bytes, write_bytes, write_json
from poselab.report import comparison_table as table
from poselab.report.tables import markdown, print_table
from poselab.structures import InputError
from poselab.training.validation import in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omegaconf import DictConfig

    from poselab.data import PoseData
    from poselab.evaluation.comparison import Comparison
    from poselab.experiments.prediction.raw_outputs import RawOutputs
    from poselab.modules import PoseModule


@dataclass(frozen=True)
class DecodingOptions:
    """How the network is run: ``boxes`` replaces the run's detections file; ``precision`` is that
    of the outputs on disk, "float32" or "float16"; ``outside_images`` permits annotations to name
    files outside of their folder of images."""

    boxes: str | None = None
    precision: str = "float32"
    batch_size: int = 32
    device: str = "auto"
    outside_images: bool = False


@dataclass(frozen=True)
class DecodedRun:
    """A run's module, data and the heatmaps of its validation images."""

    module: PoseModule
    config: DictConfig
    data: PoseData
    outputs: RawOutputs
    comparability: dict[str, Any]
    device: str

    def write(self, decoder: str, file: Path) -> PredictionsFile:
        """Write one decoder's predictions and read them back, as evaluators do.

        Raises:
            InputError: the codec has no such decoder, or the folder is not writable.
        """
        codec: Any = self.module.codec
        self.module.codec = codec.with_decoder(decoder)
        shards = [
            self.module.predictions(*batch) for batch in self.outputs.batches(256, self.device)
        ]
        predictions = self.module.suppress(in_order(merge(shards)))
        annotations = self.data.val.annotations
        write_predictions(file, replace(predictions, boxes=None), annotations)
        kept = read_predictions(file, annotations.categories)
        return PredictionsFile(file, kept, self.comparability)


def compare_decoders(
    run: Path,
    decoders: Sequence[str] = (),
    out: Path | None = None,
    options: DecodingOptions | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Score every decoder (default: all of the run's codec) on the run's validation images.

    The network runs once; its heatmaps are kept in RUN/raw. Writes each decoder's predictions and
    the tables of :func:`write_comparison` into ``out`` (default: the run's folder).

    Raises:
        InputError: the run's codec has a single decoder or lacks one of these, or other boxes are
            given without ``out``.
    """
    options = options or DecodingOptions()
    if options.batch_size < 1:
        raise InputError(f"expected a batch size of 1 or more, got {options.batch_size}")
    if options.boxes is not None and out is None:
        raise InputError("expected --out with --boxes, whose poses are not the run's; name one")
    checkpoint = runs.best_checkpoint(run)
    module, config, _ = build.load(checkpoint)
    names = _known_decoders(module, decoders)
    decoded = _run_once(run, checkpoint, module, config, options)
    files = out or run / "predictions"
    named = {name: [decoded.write(name, files / f"{name}.json")] for name in names}
    evaluator = build.evaluator(config)
    comparison = compare_methods(named, decoded.data.val.annotations, evaluator, replicates, seed)
    write_comparison(comparison, out or run / "decoders", str(config.method.codec.decoder))
    return comparison


def _known_decoders(module: PoseModule, wanted: Sequence[str]) -> Sequence[str]:
    codec = module.codec
    if not isinstance(codec, ManyDecoders):
        raise InputError(
            f"expected a run of a codec with several decoders, got {type(codec).__name__}; give a "
            "run of a heatmap method"
        )
    for name in wanted:
        codec.with_decoder(name)
    return list(dict.fromkeys(wanted)) or codec.decoders


def _run_once(
    run: Path, checkpoint: Path, module: PoseModule, config: DictConfig, options: DecodingOptions
) -> DecodedRun:
    """The outputs of the validation images: read from disk, or computed and written."""
    if options.boxes is not None:
        config.framing.boxes = options.boxes
    if options.outside_images:
        config.data.outside_images = True
    data, device = build.data(config), usable_device(options.device)
    settings = _output_settings(module, data, config) | {"precision": options.precision}
    folder = run / "raw" / outputs_key(checkpoint, settings)
    outputs = read_outputs(folder)
    if outputs is None:
        module = module.to(device)
        outputs = write_outputs(
            folder, module, data.val_samples, options.batch_size, options.precision
        )
    else:
        print(f"reusing heatmaps of an earlier call: {folder}", file=sys.stderr)
    recorded = (
        read_comparability(run) if options.boxes is None else {RUN: run_comparability(data, module)}
    )
    return DecodedRun(module.to(device), config, data, outputs, recorded, device)


def _output_settings(module: PoseModule, data: PoseData, config: DictConfig) -> dict[str, Any]:
    """What outputs depend on besides the checkpoint."""
    boxes = config.framing.get("boxes")
    content = b"" if boxes is None else read_bytes(Path(boxes), "a detections file")
    return {
        "framing": OmegaConf.to_container(config.framing, resolve=True),
        "boxes": hashlib.sha256(content).hexdigest(),
        "labels": data.val.annotations.fingerprint,
        "inputs": len(data.val_samples),
        "flip_test": bool(module.flip_test),
    }


def write_comparison(comparison: Comparison, out: Path, run_decoder: str) -> None:
    """Print the table of decoders; write it as table.md, and all values as comparison.json."""
    rows, notes = (
        table.summary_rows(comparison, {}),
        table.notes(comparison, {}, one_checkpoint=True),
    )
    rows = [{"decoder": row.pop("method"), **row} for row in rows]
    notes.append(f"One checkpoint, one set of heatmaps; the run itself decodes by {run_decoder}.")
    text = markdown(rows) + "".join(f"\n{note}\n" for note in notes)
    write_bytes(out / "table.md", text.encode())
    write_json(out / "comparison.json", comparison.to_json())
    print_table(rows)
    print("\n".join(notes))
