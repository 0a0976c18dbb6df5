"""Where the images lie that annotations name, and what to do where there are none."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from poselab.io.json_text import shortened
from poselab.structures import InputError

if TYPE_CHECKING:
    from pathlib import Path

PERMISSION = "data.outside_images=true in train and report, --outside-images in other commands"
"""How a user permits names of images that leave the folder of images."""


def image_path(folder: Path, name: str, outside: bool = False) -> Path:
    """The file that somebody's annotations name in a folder of images.

    An absolute name is one from the folder on, unless files may also lie ``outside`` of it.

    Raises:
        InputError: the name leaves the folder, and may not.
    """
    # Text alone decides: every sample of an epoch passes here, a look at the disk would cost more.
    if outside:
        return folder / name
    if ".." in name and ".." in PurePath(name).parts:
        raise InputError(
            f"expected images in {folder}, got the name {shortened(name)}, which leaves it; give "
            f"the folder that holds all images, or, if you trust the annotations, {PERMISSION}"
        )
    relative = PurePath(name)
    return folder / (relative.relative_to(relative.anchor) if relative.anchor else name)


def missing_image(name: str, outside: bool = False) -> str:
    """What to say after the path of an image of that name that is not there."""
    if outside and PurePath(name).is_absolute():
        return f"is missing, an absolute name of the annotations; {what_to_do(name, outside)}"
    joined = f"is missing ({shortened(name)} of the annotations joined to the folder of images)"
    return f"{joined}; {what_to_do(name, outside)}"


def what_to_do(name: str, outside: bool = False) -> str:
    """What to do where an image of that name is not there."""
    if PurePath(name).is_absolute() and not outside:
        return f"if you trust the annotations to name files anywhere: {PERMISSION}"
    return "fetch the images of the dataset"
