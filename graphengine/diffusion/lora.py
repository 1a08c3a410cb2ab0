"""LoRA and its relatives: small files that change a model's weights.

Hu et al. 2021, arXiv:2106.09685 (LoRA); Yeh et al. 2023, arXiv:2309.14859 (LyCORIS: LoHa, LoKr,
full differences); Liu et al. 2024, arXiv:2402.09353 (DoRA). Every scheme gives a difference that
is added to the weight, strength times; shared weights are never written to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from graphengine.diffusion.files import TensorFile, open_tensors
from graphengine.diffusion.lora_names import names_of
from graphengine.diffusion.patching import shapes_of
from graphengine.errors import InputError, ModelFileError
from graphengine.sockets import FileRef, Weights

Change = Callable[[Tensor], Tensor]
Parts = Mapping[str, Tensor]

# What a trained module's tensors are called behind its name, by all trainers that we know of.
_PARTS = {
    "lora_up.weight": "up",
    "lora_down.weight": "down",
    "lora_mid.weight": "mid",
    "lora_B.weight": "up",
    "lora_A.weight": "down",
    "lora_B.default.weight": "up",
    "lora_A.default.weight": "down",
    "lora.up.weight": "up",
    "lora.down.weight": "down",
    "lora_linear_layer.up.weight": "up",
    "lora_linear_layer.down.weight": "down",
    "alpha": "alpha",
    "dora_scale": "dora_scale",
    "lora_magnitude_vector": "dora_scale",
    "lora_magnitude_vector.weight": "dora_scale",
    "diff": "diff",
    "diff_b": "diff_b",
    "w_norm": "diff",
    "b_norm": "diff_b",
    **{
        name: name
        for name in (
            "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2",
            "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2",
        )
    },
}  # fmt: skip
# What says nothing by itself: of a scheme that is not known here it may be all that is recognised.
_BESIDE = frozenset(("alpha", "dora_scale"))
# What PEFT puts before the names of a whole model that it has wrapped.
_PEFT = "base_model.model."
_SUFFIX = re.compile(
    rf"[._](?P<part>{'|'.join(re.escape(name) for name in sorted(_PARTS, key=len, reverse=True))})$"
)


@dataclass(frozen=True)
class LoraPatch:
    """A LoRA file at a strength, as a patch of weights for `ModelStore`."""

    file: FileRef
    strength: float

    def changes(self, network: str, shapes: Mapping[str, torch.Size]) -> dict[str, Change]:
        """What becomes of the touched tensors; InputError for a module of another shape."""
        found: dict[str, Change] = {}
        for key, parts in matched(open_tensors(self.file), network, shapes).items():
            bias = key.removesuffix("weight") + "bias"
            if parts.keys() - {"diff_b", "alpha"}:
                _check_shape(self.file, key, parts, shapes[key])
                found[key] = partial(apply_parts, parts=parts, strength=self.strength)
            if "diff_b" in parts and bias in shapes:
                found[bias] = partial(_added, diff=parts["diff_b"], strength=self.strength)
        return found


def matched(
    tensors: TensorFile, network: str, shapes: Mapping[str, torch.Size]
) -> dict[str, dict[str, Tensor]]:
    """A network's weights that a LoRA file touches → the trained tensors by what they are."""
    modules = modules_in(tensors)
    found: dict[str, dict[str, Tensor]] = {}
    for key, names in names_of(network, shapes).items():
        name = next((name for name in names if name in modules), None)
        if name is not None:
            found[key] = {part: tensors.tensor(full) for part, full in modules[name].items()}
    return found


def trained_modules(tensors: TensorFile) -> frozenset[str]:
    """The names of the modules that a LoRA file was trained for, as the file calls them."""
    return frozenset(modules_in(tensors))


@dataclass(frozen=True)
class Match:
    """How much of a LoRA file a model and its text encoders can use."""

    trained: int
    used: int
    unused: tuple[str, ...]


def match(file: FileRef, networks: Iterable[tuple[str, Weights]]) -> Match:
    """What of a LoRA fits the given networks; InputError if nothing does, or the sizes do not.

    ``networks``: name ("unet", "clip_l", …) and weights of each.
    """
    tensors = open_tensors(file)
    trained = trained_modules(tensors)
    usable = {name for name, parts in modules_in(tensors).items() if parts.keys() - _BESIDE}
    if not usable:
        raise ModelFileError("lora_not_a_lora", path=file.path, key=_strange(tensors))
    used: set[str] = set()
    for network, weights in networks:
        shapes = shapes_of(weights, network)
        names = names_of(network, shapes)
        used.update(name for each in names.values() for name in each if name in usable)
        LoraPatch(file, 1.0).changes(network, shapes)
    if not used:
        raise InputError("lora_fits_nothing", path=file.path, key=min(trained))
    unused = tuple(sorted(trained - used))
    return Match(len(trained), len(used), unused)


def difference(parts: Parts, shape: torch.Size) -> Tensor:
    """What the trained tensors add to a weight of this shape, at strength 1, in float32."""
    return _multiplied(parts).reshape(shape)


def _multiplied(parts: Parts) -> Tensor:
    """What the trained tensors add, in whatever shape comes of it.

    LoRA: up·down·alpha/rank. LoHa: (w1a·w1b) ∘ (w2a·w2b)·alpha/rank. LoKr: w1 ⊗ w2 (·alpha/rank
    if either is factored). With a core tensor (Tucker), convolutions are composed through it.
    """
    part = {name: tensor.float() for name, tensor in parts.items()}
    if "diff" in part:
        return part["diff"]
    if "up" in part and "down" in part:
        scale = _scale(part, part["down"].shape[0])
        return _product(part["up"], part["down"], part.get("mid")) * scale
    if "hada_w1_a" in part:
        scale = _scale(part, part["hada_w1_b"].shape[0])
        first = _factors(part["hada_w1_a"], part["hada_w1_b"], part.get("hada_t1"))
        second = _factors(part["hada_w2_a"], part["hada_w2_b"], part.get("hada_t2"))
        return first * second * scale
    first, rank1 = _kronecker_part(part, "lokr_w1", None)
    second, rank2 = _kronecker_part(part, "lokr_w2", part.get("lokr_t2"))
    if second.ndim == 4:
        first = first[:, :, None, None]
    rank = rank2 or rank1
    scale = _scale(part, rank) if rank else 1.0
    return torch.kron(first.contiguous(), second.contiguous()) * scale


def modules_in(tensors: Iterable[str]) -> dict[str, dict[str, str]]:
    """Module name → what its tensors are → their full keys."""
    modules: dict[str, dict[str, str]] = {}
    for key in tensors:
        suffix = _SUFFIX.search(key)
        if suffix is not None:
            name = key[: suffix.start()].removeprefix(_PEFT)
            modules.setdefault(name, {})[_PARTS[suffix["part"]]] = key
    return modules


def _strange(tensors: Iterable[str]) -> str:
    """A tensor that is of no kind that is known here, or else any."""
    return min(sorted(key for key in tensors if _SUFFIX.search(key) is None) or tensors, default="")


def apply_parts(weight: Tensor, *, parts: Parts, strength: float) -> Tensor:
    """A weight changed by one module's trained tensors, in float32."""
    placed = {name: tensor.to(weight.device) for name, tensor in parts.items()}
    delta = difference(placed, weight.shape)
    if "dora_scale" not in placed:
        return weight + strength * delta
    return weight + strength * (_renormed(weight + delta, placed["dora_scale"].float()) - weight)


def _added(bias: Tensor, *, diff: Tensor, strength: float) -> Tensor:
    return bias + strength * diff.to(bias.device, torch.float32).reshape(bias.shape)


def _renormed(weight: Tensor, magnitude: Tensor) -> Tensor:
    """DoRA, eq. 5: the weight with its rows (or columns) brought to the learned lengths."""
    by_output = magnitude.numel() == magnitude.shape[0] == weight.shape[0]
    kept = 0 if by_output else 1
    others = [dim for dim in range(weight.ndim) if dim != kept]
    norm = torch.linalg.vector_norm(weight, dim=others, keepdim=True)
    renormed: Tensor = weight * (magnitude.reshape(norm.shape) / norm)
    return renormed


def _scale(part: Parts, rank: int) -> float:
    return float(part["alpha"]) / rank if "alpha" in part else 1.0


def _product(up: Tensor, down: Tensor, mid: Tensor | None) -> Tensor:
    """up [O, r, …] · down [r, I, …] → [O, I·…]; through a core [r, r, h, w] for convolutions."""
    if mid is None:
        return up.flatten(1) @ down.flatten(1)
    return torch.einsum("or,rshw,si->oihw", up.flatten(1), mid, down.flatten(1))


def _factors(a: Tensor, b: Tensor, core: Tensor | None) -> Tensor:
    """a [O, r] · b [r, I], or through a core [r, r, h, w] with a [r, O]."""
    if core is None:
        return a @ b
    return torch.einsum("rshw,ro,si->oihw", core, a, b)


def _kronecker_part(part: Parts, name: str, core: Tensor | None) -> tuple[Tensor, int | None]:
    """One side of a Kronecker product, and the rank if it is factored."""
    if name in part:
        return part[name], None
    a, b = part[f"{name}_a"], part[f"{name}_b"]
    if core is not None:
        return torch.einsum("rshw,ro,si->oihw", core, a, b), b.shape[0]
    product = a.flatten(1) @ b.flatten(1)
    return product.reshape(a.shape[0], *b.shape[1:]) if b.ndim > 2 else product, b.shape[0]


def _check_shape(file: FileRef, key: str, parts: Parts, shape: torch.Size) -> None:
    """Refuse a module that was trained for a weight of another size."""
    sized = {name: tensor.to("meta") for name, tensor in _sized(parts)}
    got: list[Sequence[int]] = [tensor.shape for tensor in sized.values()]
    try:
        with torch.device("meta"):
            product = _multiplied(sized)
            got = [product.shape]
            product.reshape(shape)
    except (RuntimeError, KeyError, IndexError) as error:
        raise InputError(
            "lora_wrong_shape",
            path=file.path,
            key=key,
            expected=_times(shape),
            got=", ".join(map(_times, got)),
        ) from error


def _times(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def _sized(parts: Parts) -> Iterable[tuple[str, Tensor]]:
    """The tensors that have a shape to check (alpha and DoRA's lengths are only numbers)."""
    return ((name, part) for name, part in parts.items() if name not in ("alpha", "dora_scale"))
