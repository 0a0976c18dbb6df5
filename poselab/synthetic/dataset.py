"""Make a dataset of generated people, in several processes."""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.datasets import coco, mpii
from poselab.io.files import write_bytes
from poselab.io.processes import end_with_parent
from poselab.structures import InputError
from poselab.synthetic.plan import (
    Chunk,
    all_chunks,
    is_finished,
    prepare_folder,
    write_annotations,
)
from poselab.synthetic.settings import SPLITS, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poselab.datasets.base import DatasetFiles
    from poselab.structures import Size

_SECONDS_BETWEEN_LINES = 5.0


def generate(out: Path, settings: Settings, workers: int | None = None) -> Path:
    """Write images of generated people and their annotations into a folder, and return it.

    Every image depends only on the settings and its number, not on the workers (None: one per
    core). An interrupted call is resumed, and a finished dataset is not made again.

    Raises:
        InputError: no worker, the folder holds other files, or the disk is full.
    """
    workers = (os.cpu_count() or 1) if workers is None else workers
    if workers < 1:
        raise InputError(f"expected 1 or more workers, got {workers}; correct the value")
    prepare_folder(out, settings)
    if is_finished(out, settings):
        return out
    remaining = [chunk for chunk in all_chunks(settings) if not chunk.is_done(out, settings.layout)]
    for split in SPLITS:
        for image in Chunk(split, 0, 1).images(out, settings.layout):
            image.parent.mkdir(parents=True, exist_ok=True)
    done = _render_chunks(out, settings, remaining, min(workers, len(remaining)))
    _track(done, settings, remaining)
    write_annotations(out, settings)
    return out


def generated(
    root: str,
    *,
    images: int,
    val: int,
    layout: str = "coco",
    size: Size = (256, 256),
    instances_per_image: tuple[int, int] = (1, 4),
    turn: float = 180.0,
    seed: int = 0,
) -> DatasetFiles:
    """The files of a generated dataset, which is generated first if it does not exist.

    Arguments and errors are those of :class:`Settings`; numbers may come in lists, as from YAML.
    """
    sides, span = (size[0], size[1]), (instances_per_image[0], instances_per_image[1])
    generate(Path(root), Settings(images, val, seed, layout, sides, span, turn))
    return coco.files(root) if layout == "coco" else mpii.files(root)


def render_images(
    settings: Settings, split: str, numbers: range
) -> list[tuple[bytes, dict[str, Any]]]:
    """JPEG and labels of images; each depends only on the settings and its number."""
    import cv2
    import numpy as np

    from poselab.synthetic.labels import labels_of
    from poselab.synthetic.scene import sample_scenes

    # A seed for each image, so that it is the same in any chunk and any process.
    seeds = ([settings.seed, SPLITS.index(split), number] for number in numbers)
    rngs = [np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed))) for seed in seeds]
    images = []
    scenes = sample_scenes(rngs, settings.size, settings.instances_per_image, settings.turn)
    for rng, scene in zip(rngs, scenes, strict=True):
        quality = int(rng.integers(60, 96))
        _, jpeg = cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        images.append((jpeg.tobytes(), labels_of(scene)))
    return images


def render_chunk(out: Path, settings: Settings, chunk: Chunk) -> int:
    """Write a chunk's images, then its labels; returns the number of images.

    An interruption may leave images incomplete: they count only once the labels exist.
    """
    import orjson

    paths = chunk.images(out, settings.layout)
    with _one_thread():
        done = render_images(settings, chunk.split, range(chunk.start, chunk.stop))
    for path, (jpeg, _) in zip(paths, done, strict=True):
        try:
            path.write_bytes(jpeg)
        except OSError as error:
            raise InputError(
                f"expected to write {path}, but {error.strerror}; free space or choose another "
                "folder"
            ) from None
    write_bytes(chunk.labels_file(out), orjson.dumps([labels for _, labels in done]))
    return len(done)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep OpenCV to one thread: images are small, and processes share the cores."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _render_chunks(
    out: Path, settings: Settings, remaining: list[Chunk], workers: int
) -> Iterator[int]:
    """Render chunks here or in several processes; yields the number of images of each."""
    if workers <= 1:
        for chunk in remaining:
            yield render_chunk(out, settings, chunk)
        return
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    if method == "fork":
        from poselab.synthetic.background import textures

        with _one_thread():
            textures()  # before forking, so that all workers read the same copy
    context = multiprocessing.get_context(method)
    pool = ProcessPoolExecutor(workers, context, initializer=end_with_parent)
    try:
        for done in as_completed([pool.submit(render_chunk, out, settings, c) for c in remaining]):
            yield done.result()
    except BrokenProcessPool:
        raise InputError(
            "expected workers to finish, but one was killed (too little memory?); "
            "run it again with fewer workers, finished images are kept"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _track(rendered: Iterator[int], settings: Settings, remaining: list[Chunk]) -> None:
    """Show a progress bar on a terminal; elsewhere print a line every few seconds."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    total = sum(chunk.stop - chunk.start for chunk in remaining)
    if not console.is_terminal:
        done, printed = 0, -math.inf
        for images in rendered:
            done += images
            if time.monotonic() - printed >= _SECONDS_BETWEEN_LINES:
                print(f"generating images of people: {done}/{total}", file=sys.stderr, flush=True)
                printed = time.monotonic()
        return
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(f"people, seed {settings.seed}", total=total)
        for images in rendered:
            bar.advance(task, images)
