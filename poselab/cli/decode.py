"""poselab decode: one checkpoint read by every decoder, without training or running it again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.cli.scoring import expect_batches, expect_draws
from poselab.experiments.device import add_device, usable_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omegaconf import DictConfig

    from poselab.data import PoseData
    from poselab.evaluation.comparison import Comparison
    from poselab.evaluation.predictions import Predictions
    from poselab.experiments.raw_outputs import RawOutputs
    from poselab.modules import PoseModule

_DESCRIPTION = """Compare decoders of heatmaps on a finished run: what is each worth?

The run's best checkpoint looks at the validation images once; its maps are kept in
RUN/raw, so that a second call only decodes. Each decoder's predictions are written and scored as
the run's own were, and the table says how they differ, with paired intervals.

  poselab decode runs/coco/hrnet_w32_128x96/...                      every decoder
  poselab decode runs/coco/hrnet_w32_128x96/... quarter dark         these two

Writes RUN/predictions/DECODER.json (COCO results format, beside the run's own, so that `evaluate`
and `compare` know its conditions), RUN/decoders/table.md and comparison.json; or all into --out."""


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    words = argparse.ArgumentParser(
        description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("run", type=Path, help="a run's folder")
    words.add_argument("decoders", nargs="*", help="argmax quarter dark udp expectation local")
    words.add_argument("--out", type=Path, help="folder to write everything to")
    words.add_argument("--boxes", help="detections file in place of the run's own boxes")
    words.add_argument("--precision", choices=["float32", "float16"], default="float32")
    words.add_argument("--batch-size", type=int, default=32)
    add_device(words)
    words.add_argument("--replicates", type=int, default=1000, help="bootstrap draws (1000)")
    words.add_argument("--seed", type=int, default=0, help="of the bootstrap (0)")
    return words


def run(arguments: argparse.Namespace) -> int:
    """Look once, decode in every way, score, print the table."""
    from poselab.evaluation.comparison import Run, compare
    from poselab.experiments import build, runs
    from poselab.structures import InputError

    expect_draws(arguments)
    expect_batches(arguments)
    checkpoint = runs.best_checkpoint(arguments.run)
    module, config, _ = build.load(checkpoint)
    decoders = _known(module, arguments.decoders)
    if arguments.boxes is not None:
        if arguments.out is None:
            raise InputError("expected --out with --boxes, whose poses are not the run's; name one")
        config.framing.boxes = arguments.boxes
    data = build.data(config)
    device = usable_device(arguments.device)
    outputs = _outputs(checkpoint, module.to(device), data, config, arguments)
    comparability = _contract(arguments, data, module)
    files = arguments.out or arguments.run / "predictions"
    named = {
        name: [Run(file, _decoded(module, name, outputs, file, device), comparability)]
        for name in decoders
        for file in [files / f"{name}.json"]
    }
    evaluator: Any = build.evaluator(config)
    comparison = compare(
        named, data.val.annotations, evaluator, arguments.replicates, arguments.seed
    )
    out = arguments.out or arguments.run / "decoders"
    _write(comparison, out, str(config.method.codec.decoder))
    return 0


def _known(module: PoseModule, asked: Sequence[str]) -> Sequence[str]:
    """The decoders that were asked for, or all.

    Raises:
        InputError: the run's codec has one way to decode, or not these.
    """
    from poselab.codecs.base import ManyDecoders
    from poselab.structures import InputError

    codec = module.codec
    if not isinstance(codec, ManyDecoders):
        raise InputError(
            f"expected a run of a codec with several decoders, got {type(codec).__name__}; give a "
            "run of a heatmap method"
        )
    for name in asked:
        codec.with_decoder(name)
    return list(dict.fromkeys(asked)) or codec.decoders


def _outputs(
    checkpoint: Path,
    module: PoseModule,
    data: PoseData,
    config: DictConfig,
    arguments: argparse.Namespace,
) -> RawOutputs:
    """The checkpoint's maps of the validation split: those kept, or made now."""
    from rich.progress import track

    from poselab.experiments.raw_outputs import key, read_outputs, write_outputs

    settings = _conditions(module, data, config) | {"precision": arguments.precision}
    folder = arguments.run / "raw" / key(checkpoint, settings)
    kept = read_outputs(folder)
    if kept is not None:
        print(f"maps kept from before: {folder}", file=sys.stderr)
        return kept
    return write_outputs(
        folder,
        module,
        data.val_samples,
        arguments.batch_size,
        arguments.precision,
        lambda loader: track(loader, description="looking at images", transient=True),
    )


def _conditions(module: PoseModule, data: PoseData, config: DictConfig) -> dict[str, Any]:
    """What maps depend on besides the checkpoint."""
    import hashlib

    from omegaconf import OmegaConf

    from poselab.io.files import read_bytes

    boxes = config.framing.get("boxes")
    content = b"" if boxes is None else read_bytes(Path(boxes), "a detections file")
    return {
        "framing": OmegaConf.to_container(config.framing, resolve=True),
        "boxes": hashlib.sha256(content).hexdigest(),
        "labels": data.val.annotations.fingerprint,
        "inputs": len(data.val_samples),
        "flip_test": bool(module.flip_test),
    }


def _contract(arguments: argparse.Namespace, data: PoseData, module: PoseModule) -> dict[str, Any]:
    """What the figures depend on: as the run left it, or anew for other boxes."""
    from poselab.evaluation.comparability import RUN, read_comparability
    from poselab.experiments.comparability import run_comparability

    if arguments.boxes is None:
        return read_comparability(arguments.run)
    return {RUN: run_comparability(data, module)}


def _decoded(
    module: PoseModule, name: str, outputs: RawOutputs, file: Path, device: str
) -> Predictions:
    """The predictions of one decoder, written and read back as a run's are."""
    from dataclasses import replace

    from poselab.evaluation.predictions import merge, read_predictions, write_predictions
    from poselab.training.validation import in_order

    codec: Any = module.codec
    module.codec = codec.with_decoder(name)
    shards = [module.found(maps, frame) for maps, frame in outputs.batches(256, device)]
    found = module.suppress(in_order(merge(shards)))
    write_predictions(file, replace(found, boxes=None))
    return read_predictions(file)


def _write(comparison: Comparison, out: Path, own: str) -> None:
    from poselab.io.files import write_bytes, write_json
    from poselab.report import comparison_table as table
    from poselab.report.tables import markdown, print_table

    rows, notes = table.summary_rows(comparison, {}), table.notes(comparison, {})
    rows = [{"decoder": row.pop("method"), **row} for row in rows]
    notes.append(f"One checkpoint, one set of maps; the run itself decodes by {own}.")
    text = markdown(rows) + "".join(f"\n{note}\n" for note in notes)
    write_bytes(out / "table.md", text.encode())
    write_json(out / "comparison.json", comparison.to_json())
    print_table(rows)
    print("\n".join(notes))
    print(f"tables: {out}")
