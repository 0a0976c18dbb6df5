"""Decoding of many people on one CPU core, against the plain algorithm in loops.

    python scripts/benchmarks/grouping.py [--rounds 7]

Perfect outputs of 5 to 100 people at 512×512, stride 4, float32, one thread: part affinity fields,
where the peer scores every pair of candidates by itself, and associative embedding with missing
joints refined, where the peer pools for maxima and searches every missing joint's whole heatmap, as
their authors' and mmpose's code do. Both sides group by the same rules, in turn; the median of
their ratios counts. Exit status 1 where a ratio or time is beyond its limit. mmpose 1.3.2 itself
took 47, 97 and 192 ms for the tags of 5, 20 and 50 people, on another core.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from poselab.grouping.limbs import LimbGrouping, group_by_limbs
from poselab.grouping.tags import TagGrouping, group
from poselab.methods.associative_embedding.codec import TagCodec
from poselab.methods.part_affinity.codec import PartAffinityCodec
from poselab.methods.part_affinity.fields import PartFields
from poselab.outputs import TaggedHeatmaps
from poselab.skeletons import COCO17

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

SIZE, STRIDE = 512, 4
PEOPLE = (5, 20, 50, 100)
MOST_MS = {20: 10.0, 50: 30.0}  # of part affinity fields
LEAST_RATIO = {"part affinity fields": 5.0, "tags": 1.5}


class Question(NamedTuple):
    """What is timed: ours and the peer, and the most milliseconds that ours may take."""

    people: int
    method: str
    ours: Callable[[], Any]
    peer: Callable[[], Any]
    most: float | None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    print(f"{'':<34}{'ours':>10}{'peer':>12}{'ratio':>8}")
    missed = False
    with torch.inference_mode():
        for people in PEOPLE:
            for question in (limbs(people), tags(people)):
                ours, peer = timed(question, rounds)
                ratio = statistics.median(b / a for a, b in zip(ours, peer, strict=True))
                ms = 1e3 * statistics.median(ours)
                bad = ratio < LEAST_RATIO[question.method] or (
                    question.most is not None and ms > question.most
                )
                missed = missed or bad
                other = 1e3 * statistics.median(peer)
                limit = "" if question.most is None else f" (limit {question.most:g} ms)"
                print(
                    f"{question.people} people, {question.method}".ljust(34)
                    + f"{ms:7.1f} ms{other:9.1f} ms{ratio:7.1f}x"
                    f"{limit}{' MISSED' * bad}"
                )
    return int(missed)


def timed(question: Question, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of processor time of ours and of the peer, in turn, after one of each."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for n in range(rounds + 1):
        for side, call in zip(seconds, (question.ours, question.peer), strict=True):
            begin = time.process_time()
            call()
            if n:
                side.append(time.process_time() - begin)
    return seconds


def crowd(people: int) -> tuple[Tensor, Tensor, Tensor]:
    """Keypoints (1, P, 17, 2) of upright people, a fifth of whose joints is not labelled."""
    random = torch.Generator().manual_seed(people)
    side = torch.tensor(
        [
            *([0.03, 0.08], [0.06, 0.1], [0.12, 0.22], [0.2, 0.36]),
            *([0.22, 0.5], [0.08, 0.52], [0.09, 0.75], [0.1, 0.97]),
        ]
    )
    both = torch.stack([side, side * torch.tensor([-1.0, 1.0])], dim=1).flatten(0, 1)
    shape = 180 * torch.cat([torch.tensor([[0.0, 0.1]]), both])
    corner = torch.tensor([30.0, 5.0]) + torch.rand(people, 1, 2, generator=random) * torch.tensor(
        [450.0, 320.0]
    )
    keypoints = (corner + shape)[None]
    visibility = 2 * (torch.rand(keypoints.shape[:-1], generator=random) > 0.2)
    return keypoints, visibility, torch.ones(1, 1, 1, dtype=torch.uint8)


def limbs(people: int) -> Question:
    """Part affinity fields."""
    rules = LimbGrouping(max_instances=max(people, 30))
    codec = PartAffinityCodec(
        skeleton=COCO17, input_size=(SIZE, SIZE), stride=STRIDE, grouping=rules
    )
    target = codec.encode(*crowd(people))
    output = PartFields(target.heatmaps, target.fields)

    def peer() -> Any:
        heatmaps, fields = target.heatmaps[0].numpy(), target.fields[0].numpy()
        scores, cells = pooled_candidates(target.heatmaps, rules.max_instances)
        count = int((scores > rules.detection_threshold).sum(1).max())
        scores, cells = scores[:, :count], cells[:, :count]
        found = np.full((len(codec.limbs), count, count), -np.inf)
        for number, (a, b) in enumerate(codec.limbs):
            for i, first in enumerate(cells[a]):
                for j, second in enumerate(cells[b]):
                    if min(scores[a, i], scores[b, j]) > rules.detection_threshold:
                        height = heatmaps.shape[1]
                        found[number, i, j] = line(fields[number], first, second, height, rules)
        return group_by_limbs(scores, found, codec.limbs, rules)

    ours = partial(codec.decode, output)
    return Question(people, "part affinity fields", ours, peer, MOST_MS.get(people))


def line(field: Any, first: Any, second: Any, height: int, rules: LimbGrouping) -> float:
    """The line integral of one pair of candidates."""
    along = second - first
    length = float(np.hypot(*along))
    if length < 0.5:
        return rules.limb_threshold
    total, passing = 0.0, 0
    for share in np.linspace(0, 1, rules.samples):
        x, y = np.floor(first + share * along + 0.5).astype(int)
        value = float(field[:, y, x] @ along) / length
        if value > rules.limb_threshold:
            total, passing = total + value, passing + 1
    if passing <= 0.8 * rules.samples:
        return -np.inf
    return total / passing + min(0.5 * height / length - 1, 0)


def tags(people: int) -> Question:
    """Associative embedding, its tags 2 apart."""
    rules = TagGrouping(max_instances=max(people, 30))
    codec = TagCodec(skeleton=COCO17, input_size=(SIZE, SIZE), stride=STRIDE, grouping=rules)
    target = codec.encode(*crowd(people))
    flat = torch.zeros(1, 17, target.heatmaps[0, 0].numel())
    for person in range(people):
        tag = torch.where(target.present[:, person], 2.0 * person, 0.0)
        flat.scatter_(2, target.cell[:, person, :, None], tag[..., None])
    width = target.heatmaps.shape[-1]
    output = TaggedHeatmaps(target.heatmaps, flat.unflatten(-1, (-1, width))[:, None])

    def peer() -> Any:
        scores, cells = pooled_candidates(target.heatmaps, rules.max_instances)
        index = (cells[..., 1] * width + cells[..., 0]).astype(int)
        of_candidates = np.take_along_axis(flat[0].numpy(), index, axis=1)
        instances = group(scores, of_candidates[..., None], codec.order, rules)
        values, all_tags = target.heatmaps[0].numpy().reshape(17, -1), flat[0].numpy()
        for person in instances:
            mean = of_candidates[np.flatnonzero(person >= 0), person[person >= 0]].mean()
            for joint in np.flatnonzero(person < 0):
                distance = np.round(np.sqrt((all_tags[joint] - mean) ** 2))
                np.argmax(values[joint] - distance)
        return instances

    return Question(people, "tags", partial(codec.decode, output), peer, None)


def pooled_candidates(heatmaps: Tensor, most: int) -> tuple[Any, Any]:
    """Scores (K, M) and cells (K, M, 2) of the highest maxima, by max pooling."""
    pooled = functional.max_pool2d(heatmaps, 5, 1, 2)
    maxima = heatmaps * (pooled == heatmaps)
    scores, index = maxima[0].flatten(1).topk(most)
    width = heatmaps.shape[-1]
    cells = torch.stack([index % width, index // width], dim=-1)
    return scores.numpy(), cells.float().numpy()


if __name__ == "__main__":
    sys.exit(main())
