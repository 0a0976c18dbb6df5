"""Weights for backbones: from a file, strictly, or from the hub if it can be reached."""

from __future__ import annotations

import difflib
import warnings
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import torch

from poselab.io.weight_files import read_weights
from poselab.models.pretrained.key_map import listed
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor, nn

    State = dict[str, Tensor]


_TIMEOUT = 5.0  # seconds; timm itself retries for most of a minute


def load_strictly(
    net: nn.Module, file: Path, *, what: str, convert: Callable[[State, Any], State] | None = None
) -> tuple[str, ...]:
    """Fill every parameter of ``net`` from a state dict; warn of unused keys and return them.

    Raises:
        InputError: no such file, no state dict, tensors missing or of another shape.
    """
    state = read_state(file, what)
    try:
        state = convert(state, net) if convert else state
        missing, unused = net.load_state_dict(state, strict=False)
    except (RuntimeError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"expected weights of {what} in {file}, but {reason}") from error
    if missing:
        raise InputError(
            f"expected weights of {what} in {file}, but {listed(missing, 6)} are missing; "
            "is it another network's?"
        )
    if unused:
        # A warning and no log message, because Hydra's sweeps switch loggers off.
        warnings.warn(
            f"left over in {file}, not used by {what}: {listed(unused, 6)}",
            UserWarning,
            stacklevel=2,
        )
    return tuple(unused)


# Averages of the weights come first, as timm evaluates them. mmengine's `ema_state_dict` is not
# among them: its runner saves the averages under `state_dict`, and there what they replace.
_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model")


def read_state(file: Path, what: str) -> State:
    """The tensors of a .safetensors file, of a file of weights, or of a whole state of training.

    Raises:
        InputError: no such file, or no state dict in it.
    """
    if not file.is_file():
        raise InputError(f"expected weights of {what} at {file}, found no such file; check it")
    try:
        content = _read_safetensors(file) if file.suffix == ".safetensors" else read_weights(file)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"expected a state dict of {what} in {file}, but {reason}") from error
    if isinstance(content, dict):
        inner = (content[name] for name in _WRAPPERS if isinstance(content.get(name), dict))
        content = next(inner, content)
    if not (isinstance(content, dict) and content and all(map(_is_weight, content.items()))):
        raise InputError(
            f"expected a state dict of {what} in {file}, found other values; save state_dict() of "
            "the network"
        )
    # DataParallel's prefix, which some published checkpoints have.
    return {key.removeprefix("module."): value for key, value in content.items()}


def _is_weight(item: tuple[Any, Any]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], torch.Tensor)


def _read_safetensors(file: Path) -> State:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def check_timm_name(name: str) -> None:
    """Check that timm itself has a network of this name: it also takes addresses and folders.

    Raises:
        InputError: it has none.
    """
    import timm

    plain = str(name).split(".")[0]
    if not isinstance(name, str) or ":" in name or not timm.is_model(plain):
        close = difflib.get_close_matches(plain, timm.list_models(), n=3)
        advice = f"did you mean {' or '.join(close)}?" if close else "timm.list_models() has all"
        raise InputError(
            f"expected backbone.name to be a network of timm, got {str(name)[:100]!r}; {advice}"
        )


def check_hub(name: str) -> None:
    """Check within seconds that timm can get the pretrained weights of ``name``.

    Raises:
        InputError: there are none, or they are not cached and the hub cannot be reached.
    """
    from huggingface_hub.constants import ENDPOINT

    config = _pretrained_config(name)
    address = f"{ENDPOINT}/{config.hf_hub_id}" if config.hf_hub_id else config.url
    if not address:
        raise InputError(
            f"expected pretrained weights of {name}, timm has none; set backbone.pretrained=false"
        )
    if not _is_cached(config) and not _is_reachable(address):
        raise unreachable(name, address)


def unreachable(name: str, address: str) -> InputError:
    """The error for pretrained weights that cannot be fetched."""
    return InputError(
        f"expected pretrained weights of {name} from {address}, which cannot be reached; "
        "pass backbone.weights=FILE or backbone.pretrained=false"
    )


def _pretrained_config(name: str) -> Any:
    import timm

    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        raise InputError(f"expected pretrained weights of {name}, but {error}") from error


def _is_cached(config: Any) -> bool:
    from huggingface_hub import try_to_load_from_cache

    files = [config.hf_hub_filename] if config.hf_hub_filename else []
    files += ["model.safetensors", "pytorch_model.bin"]
    return bool(config.hf_hub_id) and any(
        isinstance(try_to_load_from_cache(config.hf_hub_id, file), str) for file in files
    )


def _is_reachable(address: str) -> bool:
    """Whether a server answers, possibly with an error that timm will explain."""
    try:
        with urlopen(Request(address, method="HEAD"), timeout=_TIMEOUT):
            return True
    except HTTPError:
        return True
    except (URLError, OSError, ValueError):
        return False
