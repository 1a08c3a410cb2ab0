"""Networks as ComfyUI's nodes know them: objects with methods around our descriptions.

A description says which weights, how patched, how called. The objects here hold one, change it
by making another, and ask for the network itself only when something is computed. torch and what
computes is imported in the methods, so that hosting a plugin does not import it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graphengine import sockets
from graphengine.comfy.host.running import running_context

if TYPE_CHECKING:
    from graphengine.comfy.host.block_patches import BlockPatches
    from graphengine.diffusion.clip import Chunks
    from graphengine.diffusion.model_sampling import ModelSampling
    from graphengine.diffusion.residency import ModelStore

_PICTURE_PIXELS = 8
"""Sides of a picture in those of its latent."""


def store() -> ModelStore:
    """The networks in memory, of the call that is under way or else of the host."""
    context = running_context()
    if context is not None:
        return context.models
    from graphengine.comfy.modules import the_host

    return the_host().get_models()


class ModelPatcher:
    """A model; what it is asked to change it changes in its own description only."""

    def __init__(self, model: sockets.Model, model_options: dict[str, Any] | None = None) -> None:
        self.description = model
        self.model_options: dict[str, Any] = model_options or {"transformer_options": {}}

    def clone(self) -> ModelPatcher:
        """Another one that may be changed by itself."""
        options = dict(self.model_options)
        options["transformer_options"] = dict(options.get("transformer_options", {}))
        return ModelPatcher(self.description, options)

    @property
    def model(self) -> ModelPatcher:
        """Itself: what plugins look for there (``model_sampling``, ``latent_format``) is here."""
        return self

    @property
    def model_sampling(self) -> LevelsOf:
        """Its noise levels."""
        return LevelsOf(self.description.sampling)

    @property
    def latent_format(self) -> LatentFormat:
        """How its latents are scaled."""
        return LatentFormat(self.description.family)

    def get_model_object(self, name: str) -> Any:
        """``model_sampling``, ``latent_format`` or ``diffusion_model``, the network itself."""
        if name == "diffusion_model":
            return store().unet(self.description)
        if name in ("model_sampling", "latent_format"):
            return getattr(self, name)
        raise _not_here("MODEL", f"get_model_object({name!r})")

    def add_object_patch(self, name: str, obj: Any) -> None:
        """Sample as another model's ``model_sampling`` says."""
        if name != "model_sampling" or not isinstance(obj, LevelsOf):
            raise _not_here("MODEL", f"add_object_patch({name!r})")
        self.description = replace(self.description, sampling=obj.sampling)

    def add_patches(
        self, patches: Mapping[str, Any], strength_patch: float = 1.0, strength_model: float = 1.0
    ) -> list[str]:
        """Add tensors to weights, both named as in a checkpoint; returns the names."""
        from graphengine.comfy.host.weight_patches import DiffPatch

        patch = DiffPatch.of(self.description.weights, patches, strength_patch, strength_model)
        self.description = replace(self.description, patches=(*self.description.patches, patch))
        return list(patches)

    def set_model_sampler_cfg_function(
        self, sampler_cfg_function: Callable[..., Any], disable_cfg1_optimization: bool = False
    ) -> None:
        """Combine the two predictions by another rule."""
        from graphengine.comfy.host.model_options import CfgFunction

        del disable_cfg1_optimization
        self.model_options["sampler_cfg_function"] = sampler_cfg_function
        self._add(CfgFunction(sampler_cfg_function))

    def set_model_sampler_post_cfg_function(
        self, post_cfg_function: Callable[..., Any], disable_cfg1_optimization: bool = False
    ) -> None:
        """Change the guided prediction further."""
        from graphengine.comfy.host.model_options import PostCfgFunction

        del disable_cfg1_optimization
        self.model_options.setdefault("sampler_post_cfg_function", []).append(post_cfg_function)
        self._add(PostCfgFunction(post_cfg_function))

    def set_model_sampler_pre_cfg_function(
        self, pre_cfg_function: Callable[..., Any], disable_cfg1_optimization: bool = False
    ) -> None:
        """Change both predictions before they are combined."""
        from graphengine.comfy.host.model_options import PreCfgFunction

        del disable_cfg1_optimization
        self.model_options.setdefault("sampler_pre_cfg_function", []).append(pre_cfg_function)
        self._add(PreCfgFunction(pre_cfg_function))

    def set_model_unet_function_wrapper(self, unet_wrapper_function: Callable[..., Any]) -> None:
        """Stand around each call of the network."""
        from graphengine.comfy.host.model_options import UnetWrapper

        self.model_options["model_function_wrapper"] = unet_wrapper_function
        self._add(UnetWrapper(unet_wrapper_function))

    def set_model_patch(self, patch: Callable[..., Any], name: str) -> None:
        """Let a function act in the network's blocks, by the name of what it changes."""
        from graphengine.comfy.host.block_patches import PATCHES

        if name not in PATCHES:
            raise _not_here("MODEL", f"set_model_patch({name!r})")
        options = self.model_options["transformer_options"]
        patches = options.setdefault("patches", {})
        options["patches"] = {**patches, name: [*patches.get(name, ()), patch]}
        self._change_blocks(lambda blocks: blocks.patched(name, patch))

    def set_model_attn1_patch(self, patch: Callable[..., Any]) -> None:
        """Change q's, k's and v's inputs of self-attention: (x, context, value, options)."""
        self.set_model_patch(patch, "attn1_patch")

    def set_model_attn2_patch(self, patch: Callable[..., Any]) -> None:
        """Change q's, k's and v's inputs of cross-attention: (x, context, value, options)."""
        self.set_model_patch(patch, "attn2_patch")

    def set_model_attn1_output_patch(self, patch: Callable[..., Any]) -> None:
        """Change what self-attention gives: (x, options)."""
        self.set_model_patch(patch, "attn1_output_patch")

    def set_model_attn2_output_patch(self, patch: Callable[..., Any]) -> None:
        """Change what cross-attention gives: (x, options)."""
        self.set_model_patch(patch, "attn2_output_patch")

    def set_model_input_block_patch(self, patch: Callable[..., Any]) -> None:
        """Change what an input block gives: (h, options)."""
        self.set_model_patch(patch, "input_block_patch")

    def set_model_input_block_patch_after_skip(self, patch: Callable[..., Any]) -> None:
        """Change what an input block gives to the next one alone: (h, options)."""
        self.set_model_patch(patch, "input_block_patch_after_skip")

    def set_model_output_block_patch(self, patch: Callable[..., Any]) -> None:
        """Change what an output block gets: (h, skip, options)."""
        self.set_model_patch(patch, "output_block_patch")

    def set_model_patch_replace(
        self,
        patch: Callable[..., Any],
        name: str,
        block_name: str,
        number: int,
        transformer_index: int | None = None,
    ) -> None:
        """Attend by another function in one block, or in one layer of it: (q, k, v, options)."""
        if name not in ("attn1", "attn2"):
            raise _not_here("MODEL", f"set_model_patch_replace({name!r})")
        layer = () if transformer_index is None else (transformer_index,)
        where = (block_name, number, *layer)
        options = self.model_options["transformer_options"]
        replaced = options.get("patches_replace", {})
        there = {**replaced.get(name, {}), where: patch}
        options["patches_replace"] = {**replaced, name: there}
        self._change_blocks(lambda blocks: blocks.replaced(name, where, patch))

    def set_model_attn1_replace(
        self,
        patch: Callable[..., Any],
        block_name: str,
        number: int,
        transformer_index: int | None = None,
    ) -> None:
        """As `set_model_patch_replace`, for self-attention."""
        self.set_model_patch_replace(patch, "attn1", block_name, number, transformer_index)

    def set_model_attn2_replace(
        self,
        patch: Callable[..., Any],
        block_name: str,
        number: int,
        transformer_index: int | None = None,
    ) -> None:
        """As `set_model_patch_replace`, for cross-attention."""
        self.set_model_patch_replace(patch, "attn2", block_name, number, transformer_index)

    def model_dtype(self) -> Any:
        """The type in which it is computed."""
        from graphengine.comfy.modules.comfy.model_management import unet_dtype

        return unet_dtype()

    def model_size(self) -> int:
        """The bytes of its file."""
        return self.description.weights.file.size_bytes

    def is_clone(self, other: Any) -> bool:
        """Whether another one has the same weights."""
        return (
            isinstance(other, ModelPatcher)
            and other.description.weights == self.description.weights
        )

    @property
    def load_device(self) -> Any:
        """Where it is computed."""
        from graphengine.comfy.modules.comfy.model_management import get_torch_device

        return get_torch_device()

    @property
    def offload_device(self) -> Any:
        """Where it waits."""
        from graphengine.comfy.modules.comfy.model_management import intermediate_device

        return intermediate_device()

    def _add(self, option: sockets.ModelOption) -> None:
        self.description = replace(self.description, options=(*self.description.options, option))

    def _change_blocks(self, change: Callable[[BlockPatches], BlockPatches]) -> None:
        """Change the functions in the network's blocks, which are one option of the model."""
        from graphengine.comfy.host.block_patches import BlockPatches

        options = self.description.options
        there = next((each for each in options if isinstance(each, BlockPatches)), None)
        own = {
            name: value
            for name, value in self.model_options["transformer_options"].items()
            if name not in ("patches", "patches_replace")
        }
        changed = replace(change(there or BlockPatches()), options=own)
        others = tuple(each for each in options if each is not there)
        self.description = replace(self.description, options=(*others, changed))

    def __getattr__(self, name: str) -> Any:
        raise _not_here("MODEL", name)


class LevelsOf:
    """A model's noise levels."""

    def __init__(self, sampling: sockets.Sampling) -> None:
        self.sampling = sampling

    @property
    def levels(self) -> ModelSampling:
        """They themselves."""
        from graphengine.diffusion.model_sampling import model_sampling

        return model_sampling(self.sampling)

    @property
    def sigmas(self) -> Any:
        """All levels, ascending: [N] float32."""
        return self.levels.table

    @property
    def sigma_min(self) -> Any:
        """The lowest one."""
        return self.levels.table[0]

    @property
    def sigma_max(self) -> Any:
        """The highest one."""
        return self.levels.table[-1]

    def timestep(self, sigma: Any) -> Any:
        """What the network is told for a level."""
        return self.levels.timestep(sigma)

    def sigma(self, timestep: Any) -> Any:
        """The level of a timestep."""
        return self.levels.sigma(timestep)

    def percent_to_sigma(self, percent: float) -> float:
        """The level at which so much of the denoising is done."""
        return self.levels.percent_to_sigma(percent)


class LatentFormat:
    """How a family's latents are scaled."""

    def __init__(self, family: sockets.Family) -> None:
        self.family, self.scale_factor = family, family.latent_scale
        self.latent_channels = family.latent_channels

    def process_in(self, latent: Any) -> Any:
        """The latent as the network sees it."""
        from graphengine.diffusion.latent_space import into_model

        return into_model(latent, self.family)

    def process_out(self, latent: Any) -> Any:
        """The network's latent as the VAE knows it."""
        from graphengine.diffusion.latent_space import out_of_model

        return out_of_model(latent, self.family)


def _letter(kind: str) -> str:
    """An encoder's name among tokens: ``l``, ``g`` or ``h``."""
    return kind.removeprefix("clip_")


class Clip:
    """A text encoder."""

    def __init__(self, clip: sockets.Clip) -> None:
        self.description = clip

    def clone(self) -> Clip:
        """Another one that may be changed by itself."""
        return Clip(self.description)

    def clip_layer(self, layer_idx: int) -> None:
        """Stop at a layer: -1 is the last one."""
        self.description = replace(self.description, layer=layer_idx)

    def tokenize(
        self, text: str, return_word_ids: bool = False, **kwargs: Any
    ) -> dict[str, list[list[tuple[Any, ...]]]]:
        """A prompt as tokens: encoder (``l``, ``g``) → chunks of 77 of (id, weight[, word]).

        In the place of an id stands what an embedding brings, which only encoding looks into.
        Words are counted from 1; 0 is what is not of the prompt.
        """
        from graphengine.diffusion.clip import chunks_of
        from graphengine.diffusion.tokenizer import word_numbers

        del kwargs
        found = chunks_of(store(), self.description, text, resolve_embedding=_resolve())
        tokens: dict[str, list[list[tuple[Any, ...]]]] = {}
        for kind, chunks in found.items():
            pairs = [[(token.id, token.weight) for token in chunk] for chunk in chunks]
            if return_word_ids:
                numbers = iter(word_numbers([id for chunk in pairs for id, _ in chunk]))
                pairs = [[(*pair, next(numbers)) for pair in chunk] for chunk in pairs]  # type: ignore[misc]
            tokens[_letter(kind)] = pairs
        return tokens

    def encode_from_tokens(
        self, tokens: Mapping[str, Any], return_pooled: Any = False, return_dict: bool = False
    ) -> Any:
        """[1, T, D], and with ``return_pooled`` [1, P]."""
        condition = self._condition(tokens)
        if return_dict:
            return {"cond": condition.embedding, "pooled_output": condition.pooled}
        return (condition.embedding, condition.pooled) if return_pooled else condition.embedding

    def encode_from_tokens_scheduled(
        self,
        tokens: Mapping[str, Any],
        unprojected: bool = False,
        add_dict: Mapping[str, Any] | None = None,
    ) -> list[list[Any]]:
        """The conditioning."""
        del unprojected
        condition = self._condition(tokens)
        pooled = {} if condition.pooled is None else {"pooled_output": condition.pooled}
        return [[condition.embedding, {**pooled, **(add_dict or {})}]]

    def encode(self, text: str) -> Any:
        """[1, T, D] of a prompt."""
        return self.encode_from_tokens(self.tokenize(text))

    def load_model(self) -> Clip:
        """Itself: networks are loaded when they are used."""
        return self

    def _condition(self, tokens: Mapping[str, Any]) -> sockets.Condition:
        from graphengine.diffusion.clip import encode_chunks_by_kind

        return encode_chunks_by_kind(store(), self.description, self._chunks(tokens)).conditions[0]

    def _chunks(self, tokens: Mapping[str, Any]) -> Chunks:
        """Tokens in the form of `tokenize`, for each encoder; raises TypeError for another form."""
        from graphengine.diffusion.prompt import Token

        kinds = [encoder.kind for encoder in self.description.encoders]
        if not isinstance(tokens, Mapping) or {_letter(kind) for kind in kinds} - tokens.keys():
            wanted = ", ".join(_letter(kind) for kind in kinds)
            raise TypeError(f"tokens must be a dict with {wanted}, as this CLIP's tokenize() gives")
        return {
            kind: tuple(
                tuple(Token(pair[0], float(pair[1])) for pair in chunk)
                for chunk in tokens[_letter(kind)]
            )
            for kind in kinds
        }

    def __getattr__(self, name: str) -> Any:
        raise _not_here("CLIP", name)


class Vae:
    """What turns pictures into latents and back."""

    def __init__(self, vae: sockets.Vae) -> None:
        self.description = vae
        self.latent_channels = vae.family.latent_channels
        self.downscale_ratio = self.upscale_ratio = 1 if vae.weights is None else _PICTURE_PIXELS

    @property
    def first_stage_model(self) -> Any:
        """The network itself."""
        return store().vae(self.description)

    def encode(self, pixel_samples: Any) -> Any:
        """[B, C, H/8, W/8] of pictures [B, H, W, 3] with values 0..1."""
        from graphengine.diffusion.vae import encode

        return encode(store(), self.description, sockets.Image(pixel_samples)).samples

    def decode(self, samples_in: Any, vae_options: Any = None) -> Any:
        """[B, 8h, 8w, 3], 0..1, of latents [B, C, h, w]."""
        from graphengine.diffusion.vae import decode

        del vae_options
        return decode(store(), self.description, sockets.Latent(samples_in)).pixels

    def encode_tiled(
        self,
        pixel_samples: Any,
        tile_x: int = 512,
        tile_y: int = 512,
        overlap: int = 64,
        **kwargs: Any,
    ) -> Any:
        """As `encode`, tile by tile; sizes in pixels of the picture."""
        from graphengine.diffusion.tiles import Tiling
        from graphengine.diffusion.vae import encode

        del kwargs
        tiling = Tiling(max(tile_x or 512, tile_y or 512), overlap)
        picture = sockets.Image(pixel_samples)
        return encode(store(), self.description, picture, tiling=tiling).samples

    def decode_tiled(
        self, samples: Any, tile_x: int = 64, tile_y: int = 64, overlap: int = 16, **kwargs: Any
    ) -> Any:
        """As `decode`, tile by tile; sizes in pixels of the latent."""
        from graphengine.diffusion.tiles import Tiling
        from graphengine.diffusion.vae import decode

        del kwargs
        size = max(tile_x or 64, tile_y or 64) * self.downscale_ratio
        tiling = Tiling(size, (overlap or 0) * self.downscale_ratio)
        latent = sockets.Latent(samples)
        return decode(store(), self.description, latent, tiling=tiling).pixels

    def spacial_compression_decode(self) -> int:
        """Sides of a picture in those of its latent."""
        return self.downscale_ratio

    spacial_compression_encode = spacial_compression_decode

    def temporal_compression_decode(self) -> None:
        """Frames of a latent: it has none."""

    def throw_exception_if_invalid(self) -> None:
        """Nothing to do: a file without a VAE is refused when it is loaded."""

    def __getattr__(self, name: str) -> Any:
        raise _not_here("VAE", name)


class Noise:
    """Noise from a seed."""

    def __init__(self, noise: sockets.Noise) -> None:
        self.description = noise
        self.seed = noise.seed

    def generate_noise(self, input_latent: Mapping[str, Any]) -> Any:
        """Noise for a latent; zeros without a seed."""
        from graphengine.diffusion.noise import initial_noise

        samples = input_latent["samples"]
        if self.seed is None:
            return samples.new_zeros(samples.shape)
        return initial_noise(samples, self.seed, input_latent.get("batch_index"))


def _resolve() -> Callable[[str], sockets.FileRef | None] | None:
    """What finds the files of embeddings, in the call that is under way."""
    context = running_context()
    return None if context is None else context.embedding


def model_of(value: Any) -> sockets.Model:
    """The description in a hosted model; raises AttributeError for something else."""
    return value.description  # type: ignore[no-any-return]  # of the classes above


def clip_of(value: Any) -> sockets.Clip:
    """The description in a hosted text encoder; raises AttributeError for something else."""
    return value.description  # type: ignore[no-any-return]  # of the classes above


def vae_of(value: Any) -> sockets.Vae:
    """The description in a hosted VAE; raises AttributeError for something else."""
    return value.description  # type: ignore[no-any-return]  # of the classes above


def noise_of(value: Any) -> sockets.Noise:
    """The noise in a hosted object; raises AttributeError for something else."""
    return value.description  # type: ignore[no-any-return]  # of the classes above


def _not_here(kind: str, name: str) -> AttributeError:
    return AttributeError(
        f"graphengine's {kind} has no {name}; docs/en/coming-from-comfyui.md lists what is there"
    )
