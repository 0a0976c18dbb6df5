"""Every field of a contract: how much it matters when two records differ in it, and in what words.

A field that no table here names is still told, as ``unequal``, in words made of its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Part = Mapping[str, Any]

Severity = Literal["incomparable", "unequal", "unknown", "neutral"]


class Field(NamedTuple):
    """What a difference in a field means, and how to say it of two parts of contracts.

    Where one of ``after`` differs already, this one is its consequence and is not told. Values are
    the same where ``essence`` of them is (None: the value itself).
    """

    severity: Severity
    say: Callable[[Part, Part], str]
    after: tuple[str, ...] = ()
    essence: Callable[[Any], Any] | None = None

    def same(self, name: str, a: Part, b: Part) -> bool:
        """Whether two parts agree in the field ``name``, or both lack it."""
        if name == "thresholds":  # absent means: as the figures' names say
            return not _thresholds(a, b)
        if not (name in a and name in b):
            return name not in a and name not in b
        essence = self.essence or _itself
        return bool(essence(a[name]) == essence(b[name]))


def unheard_of(name: str) -> Field:
    """How to tell a field that no table names."""
    words = name.replace("_", " ").replace("{", "").replace("}", "")
    return Field("unequal", _pair(words + ": {} against {}", name))


def _itself(value: Any) -> Any:
    return value


def _pair(template: str, key: str) -> Callable[[Part, Part], str]:
    """``template`` about both values of a field."""
    return lambda a, b: template.format(_text(a[key]), _text(b[key]))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "none"
    return "none" if value is None else str(value)


def _labels(a: Part, b: Part) -> str:
    names = [str(part.get("annotations", "?")) for part in (a, b)]
    if names[0] == names[1]:
        return f"labels: two files of different content called {names[0]}"
    return f"labels: {names[0]} against {names[1]}"


def _sigmas(a: Part, b: Part) -> str:
    sources = [str(part.get("sigmas_from", "skeleton")) for part in (a, b)]
    words = {"skeleton": "published", "guess": "guessed", "user": "of the user's own"}
    mine, other = (words.get(source, source) for source in sources)
    if mine != other:
        return f"sigmas: {mine} against {other}"
    count = sum(x != y for x, y in zip(a["sigmas"], b["sigmas"], strict=False))
    return f"sigmas: other values for {count} keypoints"


def thresholds(part: Part, figure: str) -> float:
    """The threshold that a figure such as PCKh@0.1 counts by: as recorded, or as its name says."""
    name = figure.partition("/")[0].rpartition("@")[2]
    return float((part.get("thresholds") or {}).get(figure, name))


def _thresholds(a: Part, b: Part) -> str:
    figures = dict.fromkeys([*(a.get("thresholds") or {}), *(b.get("thresholds") or {})])
    return "; ".join(
        f"{figure} counts {thresholds(a, figure):.2f}, the other {thresholds(b, figure):.2f}"
        for figure in figures
        if thresholds(a, figure) != thresholds(b, figure)
    )


_METRIC = ("metric",)

OF_METRIC: dict[str, Field] = {
    "metric": Field("incomparable", _pair("metric: {} against {}", "metric")),
    "annotations": Field("neutral", _labels),
    "fingerprint": Field("incomparable", _labels),
    "skeleton": Field("incomparable", _pair("skeleton: {} against {}", "skeleton")),
    "keypoints": Field(
        "incomparable", _pair("{} against {} keypoints", "keypoints"), ("skeleton",)
    ),
    "images": Field("incomparable", _pair("{} against {} images", "images")),
    "image_set": Field(
        "incomparable",
        lambda a, b: f"as many images ({_text(a['images'])}), but not the same ones",
        ("images",),
    ),
    "instances": Field(
        "incomparable", _pair("{} against {} scored people", "instances"), ("images",)
    ),
    "engine": Field("neutral", _pair("engine: {} against {}", "engine")),
    "sigmas": Field("incomparable", _sigmas, ("skeleton", "match", *_METRIC)),
    "sigmas_from": Field("neutral", _sigmas),
    "area": Field(
        "incomparable",
        _pair("area of people: {} against {}", "area"),
        ("match", *_METRIC),
    ),
    "boxes": Field("incomparable", _pair("labelled boxes: {} against {}", "boxes"), _METRIC),
    "detection_area": Field(
        "unequal",
        _pair("size of a pose, by which APM and APL sort: its {} against its {}", "detection_area"),
        _METRIC,
    ),
    "max_detections": Field(
        "incomparable",
        _pair("the best {} against {} poses of an image", "max_detections"),
        _METRIC,
    ),
    "rule": Field("incomparable", _pair("right means {}, in the other {}", "rule"), _METRIC),
    "auc": Field("incomparable", _pair("AUC as {} against {}", "auc"), _METRIC),
    "thresholds": Field("incomparable", _thresholds, _METRIC),
    "unscored": Field("incomparable", _pair("joints left out: {} against {}", "unscored"), _METRIC),
    "interval": Field("neutral", _pair("limits: {} against {}", "interval")),
    "crowd_index": Field(
        "incomparable", _pair("crowd index {} against {}", "crowd_index"), _METRIC
    ),
    "crowd_edges": Field(
        "incomparable", _pair("crowd levels part at {} against {}", "crowd_edges"), _METRIC
    ),
    "match": Field("incomparable", _pair("poses find people by {} against {}", "match"), _METRIC),
    # A property of the predictions, which count as wrong: no condition under which they were made.
    "instances_without_prediction": Field(
        "neutral", _pair("{} against {} unanswered", "instances_without_prediction")
    ),
}
"""Fields that evaluators write."""


def boxes_in_words(boxes: Part) -> str:
    """Where a run's boxes came from."""
    if boxes["kind"] != "detected":
        return {"labelled": "ground truth", "none": "none (whole images)"}[boxes["kind"]]
    words = str(boxes["file"])
    if boxes.get("person_AP") is not None:
        words += f" ({100 * boxes['person_AP']:.1f} AP)"
    return f"{words} from score {boxes['threshold']:g}" if boxes.get("threshold") else words


def _boxes(a: Part, b: Part) -> str:
    mine, other = (boxes_in_words(part["boxes"]) for part in (a, b))
    if mine == other:
        return f"boxes: two files of different content called {mine}"
    return f"boxes: {mine} against {other}"


def _flip(a: Part, b: Part) -> str:
    return "flip test: {} against {}".format(*("on" if p["flip_test"] else "off" for p in (a, b)))


def _nms(a: Part, b: Part) -> str:
    rules = (
        "none" if p["nms"] is None else "{kind} {threshold:g}".format(**p["nms"]) for p in (a, b)
    )
    return "NMS: {} against {}".format(*rules)


def _size(a: Part, b: Part) -> str:
    sizes = ("{} × {}".format(*part["input_size"]) for part in (a, b))
    return "input of {} against {} pixels (height × width)".format(*sizes)


def _training(a: Part, b: Part) -> str:
    mine, other = (p["training"] for p in (a, b))
    words = [f"{t['annotations']} ({t['images']:,} images)" for t in (mine, other)]
    if words[0] == words[1]:
        return f"trained on other images or labels called {words[0]}"
    return "trained on {} against {}".format(*words)


def overlap_in_words(overlap: Part) -> str:
    """How many evaluation images a run was trained on."""
    count = overlap["images"]
    if not count:
        return "training images include none of the evaluation images"
    return f"training images include {count:,} of the evaluation images"


def _overlap(a: Part, b: Part) -> str:
    other = b["overlap"]["images"]
    return f"{overlap_in_words(a['overlap'])}, the other's {_text(other) if other else 'none'}"


OF_RUN: dict[str, Field] = {
    "boxes": Field(
        "unequal",
        _boxes,
        essence=lambda boxes: [boxes.get(key) for key in ("kind", "fingerprint", "threshold")],
    ),
    "flip_test": Field("unequal", _flip),
    "flip_shift": Field(
        "unequal",
        _pair("flip test moves maps by {} against {} cells", "flip_shift"),
        ("flip_test",),
    ),
    "pixels": Field("unequal", _pair("pixel convention: {} against {}", "pixels")),
    "input_size": Field("unequal", _size),
    "padding": Field("unequal", _pair("boxes enlarged {} against {} times", "padding"), ("boxes",)),
    "score": Field("unequal", _pair("score of a pose: {} against {}", "score")),
    "nms": Field("unequal", _nms),
    "training": Field(
        "unequal",
        _training,
        essence=lambda labels: [labels.get(key) for key in ("fingerprint", "image_set")],
    ),
    "overlap": Field("unequal", _overlap, essence=lambda overlap: overlap["images"]),
}
"""Fields that a run leaves about how its predictions were made."""

SPOKEN = "boxes, flip test, scores, NMS and training data"
"""What nobody knows of predictions that no run left a record of."""
