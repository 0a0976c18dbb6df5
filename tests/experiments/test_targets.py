"""What a config may build: PoseLab's own parts, and nothing that runs anybody else's code."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from poselab.data import Augment, PersonCrop
from poselab.experiments import build
from poselab.experiments.config.names import conf_folder
from poselab.experiments.config.targets import ALLOWED, find_target, instantiate
from poselab.experiments.config.trust import split_trust, trusted_modules, trusting
from poselab.structures import InputError

FOREIGN = (
    *("sympy.sympify", "sympy.core.sympify.sympify", "torch.load", "torch.serialization.load"),
    *("builtins.eval", "builtins.exec", "builtins.open", "builtins.__import__", "eval"),
    *("os.system", "posix.system", "os.remove", "subprocess.run", "subprocess.Popen"),
    *("functools.partial", "operator.methodcaller", "operator.attrgetter", "types.FunctionType"),
    *("hydra.utils.get_method", "hydra.utils.get_class", "hydra.utils.call", "hydra.compose"),
    *("hydra.utils.instantiate", "hydra._internal.instantiate._instantiate2.instantiate"),
    *("logging.config.dictConfig", "importlib.import_module", "runpy.run_path", "code.interact"),
    *("pickle.loads", "marshal.loads", "shelve.open", "yaml.unsafe_load", "numpy.load"),
    *("pathlib.Path", "pathlib.Path.unlink", "shutil.rmtree", "urllib.request.urlretrieve"),
    *("torch.hub.load", "torch.jit.load", "torch.package.PackageImporter"),
    *("torch.utils.cpp_extension.load", "torch.classes.load_library", "torch.compile"),
    *("timm.create_model", "torchvision.models.get_model", "pandas.read_pickle", "joblib.load"),
    *("pytorch_lightning.Trainer", "pytorch_lightning.LightningModule.load_from_checkpoint"),
    *("albumentations.load", "albumentations.from_dict", "albumentations.Lambda"),
    *("albumentations.FDA", "albumentations.TextImage", "OmegaConf.register_new_resolver"),
    # Names and functions of PoseLab that a config has no need of.
    *("poselab.cli.main", "poselab.train", "poselab.io.files.write_bytes"),
    *("poselab.experiments.build.instantiate", "poselab.experiments.config.targets.instantiate"),
    *("poselab.experiments.train.train_run", "poselab.models.backbones.weights.read_state"),
    # What a module of PoseLab imports, defines for itself, or gets at by attributes.
    *("poselab.models.backbones.weights.urlopen", "poselab.models.backbones.timm_backbone.Path"),
    *("poselab.io.files.os.system", "poselab.io.os.system", "poselab.models.heads.nn.Sequential"),
    *("poselab.models.backbones.timm_backbone.inspect", "poselab.models.heads.nn.Module"),
    *("poselab.models.backbones.timm_backbone._create", "poselab.data.__loader__.exec_module"),
    *("poselab.models.backbones.TimmBackbone.load_state_dict", "poselab.models.backbones"),
    *("poselab.models.backbones.__builtins__", "poselab.data.PersonCrop.__init__.__globals__"),
    *("poselab.models.heads.torch.load", "poselab..data.PersonCrop", ".poselab.data.PersonCrop"),
    *("poselab.data/../os.system", "poselab.data.PersonCrop()", "poselab_evil.Head", "poselab"),
    *("", ".", "..", "a.", "__main__.exec", "poselab.data.PersonCrop\n", "ｏｓ.system"),
)


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("section", ["backbone", "method", "augment"])
def test_foreign_code_is_not_found(name: str, section: str) -> None:
    with pytest.raises(InputError) as error:
        find_target(name, f"{section}.part")
    assert f"{section}.part._target_" in str(error.value)
    assert "\n\n" not in str(error.value)


@pytest.mark.parametrize("name", [None, 3, True, ["os.system"], {"_target_": "os.system"}, b"os"])
def test_a_target_is_text(name: Any) -> None:
    with pytest.raises(InputError, match="as MODULE.NAME"):
        find_target(name, "backbone")


def test_a_section_builds_its_own_parts_only() -> None:
    with pytest.raises(InputError, match="for `backbone`"):
        find_target("torch.optim.SGD", "backbone")
    with pytest.raises(InputError, match="for `logger`"):
        find_target("poselab.datasets.coco.files", "logger.csv")
    with pytest.raises(InputError, match="for `data`"):
        find_target("poselab.models.backbones.TimmBackbone", "data.sources")


def test_a_refusal_says_where_what_and_how_to_allow_it() -> None:
    with pytest.raises(InputError) as error:
        find_target("my_method.ConeHead", "method.head")
    assert str(error.value) == (
        "expected method.head._target_ to be a class that PoseLab has for `method`, got "
        "'my_method.ConeHead', whose code this would run; if it is your own, add trust=my_method"
    )


def test_refused_modules_are_not_imported(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "evil_module.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match="trust=evil_module"):
        find_target("evil_module.Head", "method.head")
    assert "evil_module" not in sys.modules


@pytest.mark.parametrize(
    "wrap",
    [
        lambda evil: evil,
        lambda evil: {"_target_": "poselab.data.Augment", "pixels": [evil]},
        lambda evil: {"_target_": "poselab.data.Augment", "pixels": [[{"a": [evil]}]]},
        lambda evil: {"_target_": "poselab.data.Augment", "_partial_": True, "flip": evil},
        lambda evil: {"a": {"b": [0, evil]}},
        lambda evil: {"_target_": "poselab.data.Augment", "_convert_": "all", "flip": evil},
    ],
)
def test_targets_inside_others_are_found(wrap: Any, tmp_path: Path) -> None:
    evil = {"_target_": "builtins.open", "file": str(tmp_path / "harmed"), "mode": "w"}
    with pytest.raises(InputError, match=r"builtins\.open"):
        instantiate(wrap(evil), "augment")
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("key", ["_args_", "_recursive_"])
def test_keys_of_hydra_that_no_config_has(key: str) -> None:
    node = {"_target_": "poselab.data.Augment", key: []}
    with pytest.raises(InputError, match=f"names of arguments in `augment`, got '{key}'"):
        instantiate(node, "augment")
    with pytest.raises(InputError, match="names of arguments"):
        instantiate({"_target_": "poselab.data.Augment", 3: 4}, "augment")


def test_references_to_targets_are_resolved_before_they_are_checked(monkeypatch: Any) -> None:
    monkeypatch.setenv("EVIL", "os.system")
    for value in ("${name}", "${oc.env:EVIL}", "${.other}", "os.${oc.decode:system}"):
        config = OmegaConf.create(
            {"name": "os.system", "augment": {"_target_": value, "other": "os.system"}}
        )
        with pytest.raises(InputError, match=r"got 'os\.system'"):
            build.instantiate_section(config, "augment")


def test_plain_values_arrive_as_they_are() -> None:
    node = {"_target_": "poselab.data.PersonCrop", "_partial_": True, "size": [64, 48]}
    assert instantiate(node, "framing")().size == [64, 48]
    assert instantiate({"a": [1, None, "x"]}, "method") == {"a": [1, None, "x"]}
    made = instantiate(
        {"_target_": "poselab.data.Augment", "pixels": [{"_target_": "albumentations.Blur"}]},
        "augment",
    )
    assert isinstance(made, Augment)
    assert type(made.pixels[0]).__name__ == "Blur"


def test_one_s_own_classes_are_trusted_by_module(tmp_path: Path, monkeypatch: Any) -> None:
    package = tmp_path / "own_package"
    package.mkdir()
    (package / "__init__.py").write_text("from own_package.heads import Head\n")
    (package / "heads.py").write_text(
        "from os import system\nfrom pathlib import Path\n"
        "class Head: pass\nclass _Hidden: pass\ndef make(): return Head()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with trusting("other, own_package".replace(" ", "")):
        assert find_target("own_package.Head", "method.head").__name__ == "Head"
        assert find_target("own_package.heads.make", "method.head")().__class__.__name__ == "Head"
        for name in ("Path", "system", "_Hidden"):
            with pytest.raises(InputError, match="trust="):
                find_target(f"own_package.heads.{name}", "method.head")
        with pytest.raises(InputError, match="No module named 'own_package.none'"):
            find_target("own_package.none.Head", "method.head")
        with pytest.raises(InputError, match="trust=own_package_evil"):
            find_target("own_package_evil.Head", "method.head")
        assert find_target("poselab.data.PersonCrop", "framing") is PersonCrop
    assert trusted_modules() == []
    with pytest.raises(InputError, match="trust=own_package"):
        find_target("own_package.Head", "method.head")


def test_trust_ends_with_its_block() -> None:
    with trusting(["a", "b"]):
        with trusting(None):
            assert trusted_modules() == ["a", "b"]
        with trusting("c"):
            assert trusted_modules() == ["c"]
        with trusting([]):
            assert trusted_modules() == []
        assert trusted_modules() == ["a", "b"]
    assert split_trust(["seed=1", "trust=a,b", "trust=c"]) == (["a", "b", "c"], ["seed=1"])


def test_all_that_the_shipped_configs_name_is_allowed() -> None:
    named = [target for file in conf_folder().rglob("*.yaml") for target in _targets(file)]
    assert len(named) > 100
    for section, name in named:
        find_target(name, section)


def _targets(file: Path) -> list[tuple[str, str]]:
    """The targets of a config file, each with the section that it is part of."""
    group = file.relative_to(conf_folder()).parts[0]
    pending: list[tuple[Any, list[str]]] = [
        (yaml.safe_load(file.read_text()), ["method" if group == "neck" else group])
    ]
    found = []
    while pending:
        node, path = pending.pop()
        if isinstance(node, dict):
            pending += [(value, [*path, *str(key).split(".")]) for key, value in node.items()]
        elif isinstance(node, list):
            pending += [(value, path) for value in node]
        elif path[-1] == "_target_" and not node.startswith("$"):
            found.append((next(part for part in path if part in ALLOWED), node))
        elif override := re.fullmatch(r"(\w+)[\w.]*\._target_=([\w.]+)", str(node)):
            found.append((override[1], override[2]))
    return found
