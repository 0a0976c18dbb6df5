"""poselab data synth: make images of people with exact annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from poselab.cli.arguments import (
    Arguments,
    argument_errors,
    number,
    output_folder,
    seed,
    whole,
)

if TYPE_CHECKING:
    import argparse

    from poselab.structures import Size

Value = TypeVar("Value")


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description="Generate images of people with exact annotations, in the official COCO or "
        "MPII layout. The same seed always gives the same bytes; an interrupted call resumes."
    )
    add = arguments.add_argument
    add("out", metavar="OUT", type=output_folder, help="folder of the dataset")
    add("--images", type=_images, default=1000, help="training images (default 1000)")
    add(
        "--val",
        type=_val,
        default="0.2",
        help="validation images: a number, or a share such as 0.2 (default)",
    )
    add("--seed", type=seed, default=0, help="seed of the images (default 0)")
    add("--format", default="coco", choices=("coco", "mpii"), help="layout")
    add("--size", type=_size, default="256x256", help="HEIGHTxWIDTH (default 256x256)")
    add(
        "--instances-per-image", type=_instances, default="1-4", help="MIN-MAX people (default 1-4)"
    )
    add(
        "--turn",
        type=number(0, 180),
        default=180.0,
        help="degrees by which people may turn from the camera (default 180)",
    )
    add("--workers", type=whole(1), help="processes (default: one per core)")
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Generate, and print the folder."""
    from poselab.synthetic import Settings, generate

    images, val = arguments.images, arguments.val
    settings = Settings(
        images,
        val=round(val * images) if isinstance(val, float) else val,
        seed=arguments.seed,
        layout=arguments.format,
        size=arguments.size,
        instances_per_image=arguments.instances_per_image,
        turn=arguments.turn,
    )
    out = generate(arguments.out, settings, arguments.workers)
    print(f"data: {out}")
    return 0


def _images(word: str) -> int:
    return _checked("images", whole(1)(word))


def _size(word: str) -> Size:
    return _checked("size", _pair(word, "x"))


def _instances(word: str) -> tuple[int, int]:
    return _checked("instances_per_image", _pair(word, "-"))


def _val(word: str) -> float:
    """A number of images, or as a fraction the share of the training images."""
    return _checked("val", int(word)) if word.isdecimal() else number(0, 1)(word)


def _pair(word: str, separator: str) -> tuple[int, int]:
    """Two whole numbers; one stands for both."""
    first, found, second = word.partition(separator)
    return whole(0)(first), whole(0)(second if found else first)


def _checked(name: str, value: Value) -> Value:
    """A value of one of the settings, within their range."""
    from poselab.synthetic import Settings

    others_as_usual: dict[str, Any] = {"images": 1, name: value}
    with argument_errors():
        Settings(**others_as_usual)
    return value
