"""Which dataset a folder holds: every file of this package with a ``TITLE`` describes one.

A new dataset is one such file: ``TITLE``, and ``files(root)``, which returns its splits.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from poselab import datasets

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.datasets.base import SplitFiles


class Dataset(Protocol):
    """The protocol of a dataset's module."""

    @property
    def TITLE(self) -> str:
        """Its name in papers."""

    def files(self, root: str | Path) -> tuple[SplitFiles, ...]:
        """Its splits below a root folder."""


def all_datasets() -> dict[str, Dataset]:
    """Every dataset by the name of its module."""
    names = sorted(module.name for module in pkgutil.iter_modules(datasets.__path__))
    modules = {name: import_module(f"poselab.datasets.{name}") for name in names}
    return {
        name: cast("Dataset", module)
        for name, module in modules.items()
        if hasattr(module, "TITLE")
    }


def dataset_in(root: Path) -> str | None:
    """The name of the dataset that a folder holds, at least in part; None if it is unknown.

    Annotation files decide; without any, folders of images do.
    """
    known = {name: dataset.files(root) for name, dataset in all_datasets().items()}
    for name, splits in known.items():
        if any(split.checked_file() for split in splits):
            return name
    for name, splits in known.items():
        # Many datasets call their folder "images"; one whose annotation file has no fixed name
        # is too unlikely to be recognised by it.
        if any(split.images.is_dir() and not split.by_content for split in splits):
            return name
    return None
