"""Which models we know, where their parts lie in a file, and what other files look like.

Everything here is a table of facts about published models; the functions only look things up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from graphengine.diffusion.files import TensorFile
from graphengine.diffusion.layouts import TextKind, UNetLayout
from graphengine.errors import ModelFileError
from graphengine.sockets import Family, Sampling

SD1 = Family("sd1")
SD2 = Family("sd2")
SD2_UNCLIP = Family("sd2_unclip", vector="unclip")
SDXL = Family("sdxl", latent_scale=0.13025, vector="sdxl")
# Playground v2.5 (its VAE's configuration on Hugging Face): an SDXL that was trained as in Karras
# et al. 2022, on latents that are brought to mean 0 by channel.
PLAYGROUND_MEAN = (-1.6574, 1.886, -1.383, 2.5155)
PLAYGROUND_STD = (8.4927, 5.9022, 6.5498, 5.2299)
PLAYGROUND_SCALE = 0.5
PLAYGROUND_MARK = "edm_mean"
REFINER = Family("sdxl_refiner", latent_scale=0.13025, vector="refiner")

# How wide the states of a prompt are.
PROMPT_WIDTHS = {768: "SD 1.x", 1024: "SD 2.x", 2048: "SDXL", 1280: "SDXL refiner"}

# Width of one sinusoidal embedding of a size in SDXL's vector (Podell et al. 2023, 2307.01952).
_SIZE_WIDTH = 256

UNET_PREFIXES = ("model.diffusion_model.", "diffusion_model.", "")
VAE_PREFIXES = ("first_stage_model.", "vae.", "")

# Where single-file checkpoints keep their text encoders: SD 1.x, SD 2.x, SDXL (two), refiner; and
# the names that programs use which save all families alike.
TEXT_PLACES: tuple[tuple[str, TextKind], ...] = (
    ("cond_stage_model.transformer.", "clip_l"),
    ("cond_stage_model.model.", "clip_h"),
    ("conditioner.embedders.0.transformer.", "clip_l"),
    ("conditioner.embedders.0.model.", "clip_g"),
    ("conditioner.embedders.1.model.", "clip_g"),
    ("text_encoders.clip_l.transformer.", "clip_l"),
    ("text_encoders.clip_h.transformer.", "clip_h"),
    ("text_encoders.clip_g.transformer.", "clip_g"),
    ("text_encoders.clip_l.", "clip_l"),
    ("text_encoders.clip_h.", "clip_h"),
    ("text_encoders.clip_g.", "clip_g"),
)

UNET_MARKS = ("input_blocks.0.0.weight", "down_blocks.0.resnets.0.conv1.weight")
VAE_MARKS = ("decoder.up.0.block.0.conv1.weight", "decoder.up_blocks.0.resnets.0.conv1.weight")
TEXT_MARKS = (
    "text_model.embeddings.token_embedding.weight",
    "embeddings.token_embedding.weight",
    "token_embedding.weight",
)


@dataclass(frozen=True)
class _FamilyRow:
    family: Family
    fits: Callable[[UNetLayout], bool]


def _vector_beyond_sizes(layout: UNetLayout, sizes: int) -> int:
    """Width of the pooled text in a vector that ends with so many embedded sizes."""
    return (layout.vector_width or 0) - sizes * _SIZE_WIDTH


# The first row that fits counts. Widths are compared with each other, never with the published
# ones, so that small relatives of a family are recognised too. unCLIP keeps SD 2.x's attention on
# the finest level, SDXL has none there; the refiner's pooled text is as wide as its context.
_FAMILIES = (
    _FamilyRow(SD1, lambda u: u.vector_width is None and not u.linear_projection),
    _FamilyRow(SD2, lambda u: u.vector_width is None),
    _FamilyRow(SD2_UNCLIP, lambda u: u.down_depths[0] > 0),
    _FamilyRow(REFINER, lambda u: _vector_beyond_sizes(u, 5) == u.context_width),
    _FamilyRow(SDXL, lambda u: 0 < _vector_beyond_sizes(u, 6) <= u.context_width),
)


@dataclass(frozen=True)
class _Foreign:
    """A kind of file that is not what was asked for: any of these patterns in a key tells it."""

    code: str
    pattern: str


_FOREIGN = (
    _Foreign("model_is_ema_only", r"^model_ema\."),
    _Foreign("model_is_lora", r"lora_(up|down|A|B|mid)\.|\.lora\.|hada_w1_|lokr_w1|lora_linear"),
    _Foreign("model_is_controlnet", r"^control_model\.|controlnet_cond_embedding|input_hint_block"),
    _Foreign("model_is_t2i_adapter", r"^(adapter\.)?body\.0\.(in_conv|block1|resnets\.0\.block1)"),
    _Foreign("model_is_flux", r"double_blocks\.0\.img_attn|single_transformer_blocks\.0\."),
    _Foreign("model_is_sd3", r"joint_blocks\.0\.(x|context)_block|context_embedder\.weight"),
    _Foreign("model_is_video", r"time_stack|temporal_transformer|time_mixer"),
    _Foreign("model_is_embedding", r"^(emb_params|string_to_param|clip_g|clip_l|<.*>)$|^\*$"),
    _Foreign("model_is_clip_vision", r"vision_model\.encoder\.layers\.0|visual\.transformer"),
    _Foreign("model_is_taesd", r"^(encoder|decoder)\.layers\.\d+\.|^\d\.conv\.0\.weight$"),
    _Foreign("model_is_upscaler", r"^(conv_first|model\.0|body\.0\.rdb1|params\.)"),
)
_PARTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("model_is_unet", UNET_PREFIXES, UNET_MARKS),
    ("model_is_vae", VAE_PREFIXES, VAE_MARKS),
    ("model_is_text_encoder", ("", *(place for place, _ in TEXT_PLACES)), TEXT_MARKS),
)


def family_of(layout: UNetLayout, *, path: str = "") -> Family:
    """The family whose row fits a UNet; ModelFileError if none does."""
    for row in _FAMILIES:
        if row.fits(layout):
            return replace(row.family, latent_channels=layout.out_channels)
    raise ModelFileError("model_unknown_shape", path=path, part="UNet")


def prompt_width(width: int) -> str:
    """A width of prompts with the family that has it, for messages: "2048 (SDXL)"."""
    family = PROMPT_WIDTHS.get(width)
    return str(width) if family is None else f"{width} ({family})"


def playground(family: Family) -> Family:
    """``family`` with Playground v2.5's latents."""
    return replace(
        family,
        latent_scale=PLAYGROUND_SCALE,
        latent_mean=PLAYGROUND_MEAN,
        latent_std=PLAYGROUND_STD,
    )


def prefix_of(
    keys: Mapping[str, object], prefixes: tuple[str, ...], marks: tuple[str, ...]
) -> str | None:
    """The first prefix under which one of ``marks`` lies; None if there is none."""
    for prefix in prefixes:
        if any(prefix + mark in keys for mark in marks):
            return prefix
    return None


def refuse(tensors: TensorFile, *, wanted: str) -> ModelFileError:
    """The error that says what a file looks like instead of the part ``wanted``."""
    path = tensors.ref.path
    if prefix_of(tensors, UNET_PREFIXES[:1], UNET_MARKS) is not None:
        return ModelFileError("model_is_checkpoint_without", path=path, wanted=wanted)
    for foreign in _FOREIGN:
        pattern = re.compile(foreign.pattern)
        if any(pattern.search(key) for key in tensors):
            return ModelFileError(foreign.code, path=path, wanted=wanted)
    for code, prefixes, marks in _PARTS:
        if prefix_of(tensors, prefixes, marks) is not None:
            return ModelFileError(code, path=path, wanted=wanted)
    example = min(tensors, default="")
    return ModelFileError("model_unknown", path=path, wanted=wanted, key=example)


# --- prediction -----------------------------------------------------------------------------------

_YAML_V = re.compile(r"""^\s*parameterization:\s*["']?v["']?\s*$""", re.MULTILINE)


def sampling_of(tensors: TensorFile, family: Family, layout: UNetLayout) -> Sampling:
    """What a checkpoint's network predicts, by the first of these that says something:

    marker tensors in the file (``edm_mean``, ``edm_vpred.sigma_max``, ``v_pred``, ``ztsnr``), its
    ``modelspec.prediction_type``, a ``.yaml`` beside it (``parameterization: "v"``), and for SD
    2.x the resolution in the published file names: the 768 px models and those made from them
    (unCLIP) predict v, the 512 px ones eps. All else predicts eps. Weights alone do not tell; the
    node "Model sampling (discrete)" sets it by hand.
    """
    if PLAYGROUND_MARK in tensors:
        return Sampling("edm_playground", levels="continuous", sigma_min=0.002, sigma_max=80.0)
    if "edm_vpred.sigma_max" in tensors:
        low, high = (float(tensors.tensor(f"edm_vpred.sigma_{end}")) for end in ("min", "max"))
        return Sampling("v", levels="continuous", sigma_min=low, sigma_max=high)
    return Sampling(
        "v" if _predicts_v(tensors, family, layout) else "eps",
        zero_terminal_snr="ztsnr" in tensors,
    )


def _predicts_v(tensors: TensorFile, family: Family, layout: UNetLayout) -> bool:
    if "v_pred" in tensors:
        return True
    declared = tensors.metadata.get("modelspec.prediction_type")
    if declared:
        return declared.lower().startswith("v")
    path = Path(tensors.ref.path)
    yaml = path.with_suffix(".yaml")
    if yaml.is_file():
        return _YAML_V.search(yaml.read_text(encoding="utf-8", errors="replace")) is not None
    if family.name == SD2_UNCLIP.name:
        return True
    return family.name == SD2.name and layout.in_channels == 4 and "768" in path.stem
