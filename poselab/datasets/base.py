"""Where data sets lie on disk as their publishers unpack them, and where to get them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from poselab.structures import InputError

if TYPE_CHECKING:
    from pathlib import Path

_COCO = "http://images.cocodataset.org"
_MPII = "https://datasets.d2.mpi-inf.mpg.de/andriluka14cvpr"
_COCO_LABELS = (
    f"{_COCO}/annotations/annotations_trainval2017.zip (md5 f4bbac642086de4f52a3fdda2de5fa2c)"
)
_MPII_LABELS = f"{_MPII}/mpii_human_pose_v1_u12_2.zip"
_MPII_IMAGES = f"{_MPII}/mpii_human_pose_v1.tar.gz"


class Part(NamedTuple):
    """One split: the files that may hold its annotations (any one will do), the folder of its
    images, and addresses of both. ``partial``: images that are not there are left out."""

    name: str
    annotations: tuple[str, ...]
    images: str
    get_annotations: str
    get_images: str
    partial: bool = False

    def found(self, root: Path) -> Path | None:
        """The annotation file that is there."""
        return next((root / name for name in self.annotations if (root / name).is_file()), None)


def _coco(split: str, md5: str) -> Part:
    return Part(
        name=f"COCO {split}2017",
        annotations=(
            f"annotations/person_keypoints_{split}2017.json",
            f"annotations/person_keypoints_{split}2017.json.gz",
        ),
        images=f"{split}2017",
        get_annotations=_COCO_LABELS,
        get_images=f"{_COCO}/zips/{split}2017.zip (md5 {md5})",
    )


def _mpii(split: str) -> Part:
    return Part(
        name=f"MPII {split}",
        annotations=tuple(
            f"{folder}/{name}"
            for folder in ("annotations", "annot", ".")
            for name in (f"{split}.json", f"{split}.h5", *_OFFICIAL)
        ),
        images="images",
        get_annotations=f"{_MPII_LABELS} (or {split}.json of the SimpleBaseline and HRNet code)",
        get_images=_MPII_IMAGES,
    )


_OFFICIAL = ("mpii_human_pose_v1_u12_1.mat", "mpii_human_pose_v1_u12_2.mat")
LAYOUTS = {
    "coco": (
        _coco("train", "cced6f7f71b7629ddf16f17bbcfab6b2"),
        _coco("val", "442b8da7639aecaf257c1dceb8ba8c80"),
    ),
    "mpii": (_mpii("train"), _mpii("valid")),
}


SINGLE = {
    "lsp": ("LSP", "http://sam.johnson.io/research/lspet.html (or lsp.html)"),
    "flic": ("FLIC", "https://bensapp.github.io/flic-dataset.html"),
    "parse": ("PARSE", "https://www.ics.uci.edu/~dramanan/papers/parse/index.html"),
}
"""Layouts of one MATLAB file beside its images: the data set's name and its publisher's page."""


def layout_of(root: Path) -> str | None:
    """The layout of :data:`LAYOUTS` of which a folder holds anything that others do not share."""
    for name, parts in LAYOUTS.items():
        if any(part.found(root) for part in parts):
            return name
    if single_split(root):
        return None
    for name, parts in LAYOUTS.items():
        if any((root / part.images).is_dir() for part in parts):
            return name
    return None


def single_split(root: Path) -> Part | None:
    """All of a data set that is one MATLAB file in ``root`` beside ``images/``, if it is one."""
    from poselab.annotations.opening import recognise
    from poselab.annotations.source import read_source

    for file in sorted(root.glob("*.mat")):
        try:
            layout = recognise(read_source(file))
        except InputError:
            continue
        if layout in SINGLE:
            name, page = SINGLE[layout]
            return Part(name, (file.name,), "images", page, page, partial=True)
    return None
