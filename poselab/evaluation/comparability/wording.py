"""Differences between two comparability records in words: this value vs. the reference's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Record = Mapping[str, Any]

_SIGMA_SOURCES = {"skeleton": "published", "guess": "guessed", "user": "given by the user"}


def both_values(template: str, field: str) -> Callable[[Record, Record], str]:
    """``template`` filled with both values of a field."""
    return lambda a, b: template.format(text(a[field]), text(b[field]))


def text(value: Any) -> str:
    """A recorded value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(text, value)) or "none"
    return "none" if value is None else str(value)


def annotation_files(a: Record, b: Record) -> str:
    """Which annotation files differ."""
    names = [str(record.get("annotations", "?")) for record in (a, b)]
    if names[0] == names[1]:
        return f"annotations: two files of different content called {names[0]}"
    return f"annotations: {names[0]} vs. {names[1]}"


def image_set(a: Record, b: Record) -> str:
    """Equally many images were scored, but different ones."""
    return f"the same number of images ({text(a['images'])}), but other images"


def sigmas(a: Record, b: Record) -> str:
    """Where the sigmas come from, or how many differ."""
    sources = [str(record.get("sigmas_from", "skeleton")) for record in (a, b)]
    ours, theirs = (_SIGMA_SOURCES.get(source, source) for source in sources)
    if ours != theirs:
        return f"sigmas: {ours} vs. {theirs}"
    count = sum(x != y for x, y in zip(a["sigmas"], b["sigmas"], strict=False))
    return f"sigmas: different values for {count} keypoints"


def threshold(record: Record, metric: str) -> float:
    """The threshold of a metric such as PCKh@0.1: as recorded, or as its name says."""
    name = metric.partition("/")[0].rpartition("@")[2]
    return float((record.get("thresholds") or {}).get(metric, name))


def thresholds(a: Record, b: Record) -> str:
    """The metrics whose thresholds differ; empty where none does."""
    metrics = dict.fromkeys([*(a.get("thresholds") or {}), *(b.get("thresholds") or {})])
    return "; ".join(
        f"{metric}: threshold {threshold(a, metric):.2f} vs. {threshold(b, metric):.2f}"
        for metric in metrics
        if threshold(a, metric) != threshold(b, metric)
    )


def boxes(a: Record, b: Record) -> str:
    """Where the boxes of two runs come from."""
    ours, theirs = (_describe_boxes(record["boxes"]) for record in (a, b))
    if ours == theirs:
        return f"boxes: two files of different content called {ours}"
    return f"boxes: {ours} vs. {theirs}"


def _describe_boxes(source: Record) -> str:
    if source["kind"] != "detected":
        words = {"labelled": "ground truth", "none": "none (whole images)"}[source["kind"]]
        return f"{words}, clipped by the rule {source['clip']}" if source.get("clip") else words
    words = str(source["file"])
    if source.get("person_AP") is not None:
        words += f" ({100 * source['person_AP']:.1f} AP)"
    return f"{words} from score {source['threshold']:g}" if source.get("threshold") else words


def flip_test(a: Record, b: Record) -> str:
    """Which run uses the flip test."""
    return "flip test: {} vs. {}".format(*("on" if r["flip_test"] else "off" for r in (a, b)))


def nms(a: Record, b: Record) -> str:
    """The rules of non-maximum suppression."""
    return "NMS: {} vs. {}".format(*(_describe_nms(record["nms"]) for record in (a, b)))


def _describe_nms(rule: Record | None) -> str:
    if rule is None:
        return "none"
    area = " over the area of the crop" if rule.get("area") == "crop" else ""
    return "{kind} {threshold:g}".format(**rule) + area


def input_size(a: Record, b: Record) -> str:
    """The sizes of the networks' inputs."""
    sizes = ("{} × {}".format(*record["input_size"]) for record in (a, b))
    return "input size: {} vs. {} pixels (height × width)".format(*sizes)


def training(a: Record, b: Record) -> str:
    """The training sets."""
    sets = [record["training"] for record in (a, b)]
    words = [f"{each['annotations']} ({each['images']:,} images)" for each in sets]
    if words[0] == words[1]:
        return f"trained on other images or annotations called {words[0]}"
    return "trained on {} vs. {}".format(*words)


def overlap(a: Record, b: Record) -> str:
    """How many evaluation images either run was trained on."""
    other = b["overlap"]["images"]
    return f"{describe_overlap(a['overlap'])}, the other's {text(other) if other else 'none'}"


def describe_overlap(record: Record) -> str:
    """How many evaluation images a run was trained on."""
    if not record["images"]:
        return "training images include none of the evaluation images"
    return f"training images include {record['images']:,} of the evaluation images"
