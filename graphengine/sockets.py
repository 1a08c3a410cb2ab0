"""What travels on links: frozen values, their type names, and their invariants.

Nothing here imports torch: tensors are only looked at through ``shape`` and ``dtype``.
Every value is immutable by agreement: a node never writes into a tensor that it was given.

A plugin defines its own socket with the same decorator::

    @socket("PALETTE")
    @dataclass(frozen=True)
    class Palette:
        colours: tuple[str, ...]
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, Union, get_args, get_origin

from graphengine.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

T = TypeVar("T", bound=type)

ANY = "*"
_SCALARS: dict[Any, str] = {int: "INT", float: "FLOAT", str: "STRING", bool: "BOOLEAN"}


def socket(type_name: str) -> Callable[[T], T]:
    """Mark a frozen dataclass as a socket whose links are called ``type_name``."""

    def mark(cls: T) -> T:
        cls.__socket_type__ = type_name  # type: ignore[attr-defined]
        return cls

    return mark


def type_name(annotation: Any) -> str | None:
    """The link type of a Python annotation (``Image | Mask`` → ``IMAGE,MASK``); None if none."""
    if annotation is Any:
        return ANY
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if get_origin(annotation) in (Union, types.UnionType):
        names = [type_name(arg) for arg in get_args(annotation) if arg is not type(None)]
        return None if None in names else ",".join(dict.fromkeys(name for name in names if name))
    return getattr(annotation, "__socket_type__", None)


def accepts(wanted: str, offered: str) -> bool:
    """Whether a link of type ``offered`` may end in an input of type ``wanted``.

    Both may be comma-separated sets; they fit if they share a name. ``*`` fits everything.
    """
    if wanted == offered or ANY in (wanted, offered):
        return True
    if "," not in wanted and "," not in offered:
        return False
    return not {part.strip() for part in wanted.split(",")}.isdisjoint(
        part.strip() for part in offered.split(",")
    )


# --- pictures and latents -------------------------------------------------------------------


@socket("IMAGE")
@dataclass(frozen=True)
class Image:
    """Pictures. ``pixels``: [B, H, W, C] float32, 0..1, C = 1, 3 or 4 (sRGB, alpha last)."""

    pixels: Tensor

    def __post_init__(self) -> None:
        _check_rank("IMAGE", self.pixels, (4,), "[batch, height, width, channels]")
        if self.pixels.shape[-1] not in (1, 3, 4):
            raise InputError(
                "bad_shape",
                socket="IMAGE",
                expected="1, 3 or 4 channels in the last dimension",
                got=_shape(self.pixels),
            )


@socket("MASK")
@dataclass(frozen=True)
class Mask:
    """Masks. ``values``: [B, H, W] float32, 0..1; 1 = masked (to be painted anew)."""

    values: Tensor

    def __post_init__(self) -> None:
        _check_rank("MASK", self.values, (3,), "[batch, height, width]")


@socket("LATENT")
@dataclass(frozen=True)
class Latent:
    """Compressed pictures.

    ``samples``: [B, C, H/8, W/8] float32, as the VAE made them (not yet scaled).
    ``noise_mask``: [B or 1, 1, H, W] float32 at picture size, 1 = sample here; None = everywhere.
    ``batch_index``: which item of a larger batch each one is, for its noise; None = 0, 1, 2, …
    """

    samples: Tensor
    noise_mask: Tensor | None = None
    batch_index: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        _check_rank("LATENT", self.samples, (4, 5), "[batch, channels, height/8, width/8]")


# --- networks: descriptions, materialised by diffusion.residency.ModelStore -------------------


@dataclass(frozen=True)
class FileRef:
    """A model file as it was when a node looked at it; the key of everything read from it."""

    path: str
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True)
class Weights:
    """One network's tensors: those of ``file`` whose keys begin with ``prefix``."""

    file: FileRef
    part: Literal["unet", "clip", "vae", "controlnet", "clip_vision", "other"]
    prefix: str = ""


class WeightPatch(Protocol):
    """A change of weights that a store applies to copies of the touched tensors only.

    Frozen and hashable: (weights, patches) is the key under which the patched copies are kept.
    """

    def __hash__(self) -> int: ...


class ModelOption(Protocol):
    """A change of how a model is called (guidance, attention, …). Frozen and hashable."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class Family:
    """What all models of one architecture share; one row of diffusion.architectures.

    A network sees latents as (latent - ``latent_mean``) · ``latent_scale`` / ``latent_std``, the
    two by channel; where they are empty, 0 and 1.
    """

    name: str
    latent_channels: int = 4
    latent_scale: float = 0.18215
    vector: Literal["none", "sdxl", "refiner", "unclip"] = "none"
    latent_mean: tuple[float, ...] = ()
    latent_std: tuple[float, ...] = ()


@dataclass(frozen=True)
class Sampling:
    """How a network's output becomes a denoised latent, and which noise levels it knows.

    ``prediction``: eps and v (Salimans & Ho 2022), x0, lcm (Luo et al. 2023), edm (Karras et al.
    2022) or flow. ``levels``: ``discrete`` = the 1000 steps of Stable Diffusion, ``lcm`` = every
    20th of them, ``continuous`` and ``continuous_v`` = any sigma between ``sigma_min`` and
    ``sigma_max``, told to the network as log(sigma) / 4 or 2 atan(sigma) / pi.
    ``zero_terminal_snr``: rescaled so that the last step is pure noise (Lin et al. 2023).
    ``own``: the levels that a plugin computes itself, a ModelSampling; None = by all the above.
    """

    prediction: Literal["eps", "v", "x0", "lcm", "edm", "edm_playground", "img_to_img", "flow"] = (
        "eps"
    )
    levels: Literal["discrete", "lcm", "continuous", "continuous_v", "flow"] = "discrete"
    zero_terminal_snr: bool = False
    sigma_min: float | None = None
    sigma_max: float | None = None
    shift: float = 1.0
    own: Any = None


@socket("MODEL")
@dataclass(frozen=True)
class Model:
    """A denoising network: which weights, how changed, how called, how sampled."""

    weights: Weights
    family: Family
    sampling: Sampling = Sampling()
    in_channels: int = 4
    patches: tuple[WeightPatch, ...] = ()
    options: tuple[ModelOption, ...] = ()


@socket("CLIP")
@dataclass(frozen=True)
class Clip:
    """The text encoder(s) of a model.

    ``encoders``: SD 1.x: one (clip_l); SD 2.x: one (clip_h); SDXL: clip_l and clip_g;
    refiner: clip_g. ``layer``: None = the family's default, else -1 = last, -2 = one earlier, …
    ``embeddings``: trigger word → textual-inversion file, beside those ``embedding:name`` finds.
    """

    encoders: tuple[TextEncoder, ...]
    layer: int | None = None
    patches: tuple[WeightPatch, ...] = ()
    embeddings: tuple[tuple[str, FileRef], ...] = ()


@dataclass(frozen=True)
class TextEncoder:
    """One text encoder: its weights and the kind of CLIP that it is."""

    weights: Weights
    kind: Literal["clip_l", "clip_g", "clip_h"]


@socket("VAE")
@dataclass(frozen=True)
class Vae:
    """Encodes pictures to latents and back; ``family`` gives the latent's scale.

    ``pixel_space`` VAEs (no weights) pass pictures through unchanged. ``encoder``: the encoder's
    weights where a file of its own holds them (TAESD); ``weights`` are then the decoder's.
    """

    weights: Weights | None
    family: Family
    encoder: Weights | None = None


# --- conditioning -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Area:
    """Where a condition applies: latent pixels (``unit`` 1) or fractions of the picture."""

    height: float
    width: float
    y: float
    x: float
    fraction: bool = False


@dataclass(frozen=True, eq=False)
class Condition:
    """One encoded prompt and where, when and how strongly it applies.

    ``embedding``: [1, T, D] float32, one row per token. ``pooled``: [1, P] or None.
    ``mask``: [B, H, W], 0..1. ``start``/``end``: part of the denoising, 0..1.
    ``size``: what CLIPTextEncodeSDXL and the refiner say of the picture (width, height, crop_w,
    crop_h, target_width, target_height, aesthetic_score).
    ``extra``: what plugins and further nodes attach, by the field's names for them.
    """

    embedding: Tensor
    pooled: Tensor | None = None
    strength: float = 1.0
    area: Area | None = None
    mask: Tensor | None = None
    mask_strength: float = 1.0
    mask_sets_area: bool = False
    start: float = 0.0
    end: float = 1.0
    control: tuple[ControlApplication, ...] = ()
    control_on_negative: bool = True
    size: Mapping[str, float] = field(default_factory=dict)
    concat_latent: Tensor | None = None
    concat_mask: Tensor | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@socket("CONDITIONING")
@dataclass(frozen=True)
class Conditioning:
    """What steers the sampler: one or more conditions, blended by strength, area and mask."""

    conditions: tuple[Condition, ...]


UnionKind = Literal[
    "auto",
    "openpose",
    "depth",
    "hed/pidi/scribble/ted",
    "canny/lineart/anime_lineart/mlsd",
    "normal",
    "segment",
    "tile",
    "repaint",
]
"""The kinds of pictures that xinsir's union ControlNets know apart, in the order of training.

"auto" = it is not told.
"""


@socket("CONTROL_NET")
@dataclass(frozen=True)
class ControlNet:
    """A network that steers by a picture (ControlNet or T2I adapter).

    ``context_width``: of the prompts that it reads beside the picture; None = it reads none.
    ``union_kinds``: how many kinds of pictures it knows apart; 0 = it was made for one.
    ``union_kind``: which of them it is to see; None = it is not told. ``pooled``: it steers by
    what the picture holds, wherever that is: its results are averaged over all places.
    """

    weights: Weights
    kind: Literal["controlnet", "control_lora", "t2i_adapter"] = "controlnet"
    patches: tuple[WeightPatch, ...] = ()
    context_width: int | None = None
    union_kinds: int = 0
    union_kind: int | None = None
    pooled: bool = False


@dataclass(frozen=True, eq=False)
class ControlApplication:
    """One use of a control network. ``hint``: [B, H, W, 3] float32, 0..1."""

    net: ControlNet
    hint: Tensor
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0


# --- pictures as prompts ------------------------------------------------------------------------


@socket("CLIP_VISION")
@dataclass(frozen=True)
class ClipVision:
    """The picture half of a CLIP: turns pictures into the vectors that prompts live among."""

    weights: Weights


@socket("CLIP_VISION_OUTPUT")
@dataclass(frozen=True, eq=False)
class ClipVisionOutput:
    """What a CLIP sees in pictures, float32.

    ``image_embeds``: [B, P], projected to where texts are compared with pictures.
    ``last_hidden_state``, ``penultimate_hidden_states``: [B, 1 + patches, D], behind the last
    layer and the one before, without the final normalisation.
    """

    image_embeds: Tensor
    last_hidden_state: Tensor
    penultimate_hidden_states: Tensor


@socket("STYLE_MODEL")
@dataclass(frozen=True)
class StyleModel:
    """A network that turns what a CLIP sees in a picture into tokens of a prompt."""

    weights: Weights


@socket("GLIGEN")
@dataclass(frozen=True)
class Gligen:
    """Layers that let a model paint named things in given places."""

    weights: Weights


@socket("UPSCALE_MODEL")
@dataclass(frozen=True)
class UpscaleModel:
    """A network that makes pictures ``scale`` times as large."""

    weights: Weights
    scale: int


# --- sampling ------------------------------------------------------------------------------------


@socket("SIGMAS")
@dataclass(frozen=True)
class Sigmas:
    """Noise levels, highest first, usually ending in 0. ``values``: [N] float32."""

    values: Tensor

    def __post_init__(self) -> None:
        _check_rank("SIGMAS", self.values, (1,), "[steps + 1]")


@socket("SAMPLER")
@dataclass(frozen=True)
class Sampler:
    """A sampling method by name with its options, as diffusion.samplers knows them.

    ``own``: the method of a plugin, a SamplerFunction; None = the one of that name.
    """

    name: str
    options: tuple[tuple[str, Any], ...] = ()
    own: Callable[..., Any] | None = None


@socket("NOISE")
@dataclass(frozen=True)
class Noise:
    """Where the noise comes from: a seed, or none at all (``seed`` None).

    ``own``: a plugin's noise for a latent, instead of the usual one from the seed.
    """

    seed: int | None
    own: Callable[[Latent], Any] | None = None


@socket("GUIDER")
@dataclass(frozen=True)
class Guider:
    """A model with its conditions and the rule that combines its predictions.

    ``kind``: basic, cfg, dual_cfg, dual_cfg_nested, perp_neg. ``conditionings``: in the order
    that the rule names them. ``scales``: its guidance scales. ``own``: a plugin's rule, an
    OwnGuidance, instead of that of ``kind``.
    """

    kind: str
    model: Model
    conditionings: tuple[Conditioning, ...]
    scales: tuple[float, ...] = ()
    own: Any = None


def _check_rank(name: str, tensor: torch.Tensor, ranks: tuple[int, ...], expected: str) -> None:
    if getattr(tensor, "ndim", None) not in ranks:
        raise InputError("bad_shape", socket=name, expected=expected, got=_shape(tensor))


def _shape(tensor: object) -> str:
    shape = getattr(tensor, "shape", None)
    return type(tensor).__name__ if shape is None else str(list(shape))
