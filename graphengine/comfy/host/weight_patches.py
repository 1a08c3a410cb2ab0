"""Changes of weights that plugins give a MODEL or CLIP, by ComfyUI's names of its tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from graphengine.diffusion.lora import apply_parts, modules_in
from graphengine.diffusion.lora_names import ldm_table, names_of
from graphengine.diffusion.patching import patched_state, shapes_of
from graphengine.diffusion.residency import Change
from graphengine.errors import InputError
from graphengine.sockets import WeightPatch, Weights

_UNET = "diffusion_model."
_TEXT = "{network}.transformer.text_model."
_ORDER = ("up", "down", "alpha", "mid", "dora_scale")
"""What the tuple of a LoRA holds: ``("lora", (up, down, alpha, mid, dora_scale))``."""


@dataclass(frozen=True)
class Adapter:
    """A LoRA or relative for one weight: its trained tensors by what they are."""

    parts: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class PluginPatch:
    """weight · ``keep``, changed by what a plugin gives for it."""

    changed: Mapping[str, Change]

    @classmethod
    def of(cls, patches: Mapping[Any, Any], strength: float, keep: float) -> PluginPatch:
        """A patch of ``add_patches``; raises InputError for a kind that is not known here."""
        return cls(
            {
                _name(key): _change(_name(key), value, strength, keep)
                for key, value in patches.items()
            }
        )

    def changes(self, network: str, shapes: Mapping[str, torch.Size]) -> dict[str, Change]:
        """What becomes of the touched tensors."""
        return {
            key: self.changed[name]
            for key, name in plugin_names(network, shapes).items()
            if name in self.changed
        }


def plugin_names(network: str, shapes: Mapping[str, torch.Size]) -> dict[str, str]:
    """A network's tensors by our names → ComfyUI's: ``diffusion_model.input_blocks…``."""
    if network != "unet":
        prefix = _TEXT.format(network=network)
        return {key: _text_name(prefix, key) for key in shapes}
    table = ldm_table(shapes)
    return {key: _UNET + (key if table is None else table.source(key).key) for key in shapes}


def stored_tensors(
    weights: Weights, network: str, patches: tuple[WeightPatch, ...], prefix: str | None = None
) -> Iterator[tuple[str, Tensor]]:
    """A network's tensors, patched, by ComfyUI's names; untouched ones are not copied."""
    state = patched_state(weights, network, patches)
    names = plugin_names(network, {key: tensor.shape for key, tensor in state.items()})
    for key, tensor in state.items():
        if prefix is None or names[key].startswith(prefix):
            yield names[key], tensor.as_stored()


def lora_targets(weights: Weights, network: str) -> dict[str, str]:
    """The names that a LoRA file may use → ComfyUI's name of the weight that each means."""
    shapes = shapes_of(weights, network)
    targets = plugin_names(network, shapes)
    return {
        name: targets[key] for key, names in names_of(network, shapes).items() for name in names
    }


def adapters_in(lora: Mapping[str, Tensor], targets: Mapping[str, Any]) -> dict[Any, Any]:
    """A LoRA's tensors as patches for ``add_patches``, by the weights that they change."""
    found: dict[Any, Any] = {}
    for module, parts in modules_in(lora).items():
        if module not in targets:
            continue
        tensors = {part: lora[name] for part, name in parts.items()}
        bias = tensors.pop("diff_b", None)
        target = targets[module]
        if tensors.keys() - {"alpha"}:
            found[target] = Adapter(tensors)
        if bias is not None and isinstance(target, str):
            found[target.removesuffix("weight") + "bias"] = ("diff", (bias,))
    return found


def _name(key: Any) -> str:
    return str(key[0] if isinstance(key, tuple) else key)


def _text_name(prefix: str, key: str) -> str:
    return prefix.removesuffix("text_model.") + key if key.startswith("text_proj") else prefix + key


def _change(name: str, value: Any, strength: float, keep: float) -> Change:
    if isinstance(value, list) and value:
        value = value[0][:1] if isinstance(value[0], tuple) else (value[0],)
    if isinstance(value, Adapter):
        return partial(_adapted, parts=value.parts, strength=strength, keep=keep)
    kind = value[0] if isinstance(value, tuple) and isinstance(value[0], str) else "diff"
    given = value[1] if isinstance(value, tuple) and isinstance(value[0], str) else value
    read = _KINDS.get(kind)
    if read is not None:
        found = read(given)
        if found is not None:
            return partial(found, strength=strength, keep=keep)
    raise InputError(
        "hosted_value",
        input=name,
        expected='("diff", (tensor,))',
        got=kind if read is None else type(given).__name__,
    )


def _diff(given: Any) -> Callable[..., Tensor] | None:
    tensor = given[0] if isinstance(given, tuple | list) and given else given
    return partial(_added, diff=tensor) if isinstance(tensor, Tensor) else None


def _set(given: Any) -> Callable[..., Tensor] | None:
    tensor = given[0] if isinstance(given, tuple | list) and given else given
    return partial(_put, new=tensor) if isinstance(tensor, Tensor) else None


def _lora(given: Any) -> Callable[..., Tensor] | None:
    if not isinstance(given, tuple | list):
        return None
    named = {name: part for name, part in zip(_ORDER, given, strict=False) if part is not None}
    parts = {name: torch.as_tensor(part) for name, part in named.items()}
    return partial(_adapted, parts=parts)


_KINDS: Mapping[str, Callable[[Any], Callable[..., Tensor] | None]] = {
    "diff": _diff,
    "set": _set,
    "lora": _lora,
}


def _added(weight: Tensor, *, diff: Tensor, strength: float, keep: float) -> Tensor:
    return weight * keep + diff.to(weight).reshape(weight.shape) * strength


def _put(weight: Tensor, *, new: Tensor, strength: float, keep: float) -> Tensor:
    del strength, keep
    return new.to(weight).reshape(weight.shape)


def _adapted(
    weight: Tensor, *, parts: Mapping[str, Tensor], strength: float, keep: float
) -> Tensor:
    return apply_parts(weight * keep if keep != 1 else weight, parts=parts, strength=strength)
