"""Networks as ComfyUI's nodes know them: objects with methods around our descriptions.

A description says which weights, how patched, how called. The objects here hold one, change it
by making another, and ask for the network itself only when something is computed. torch and what
computes is imported in the methods, so that hosting a plugin does not import it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graphengine import sockets
from graphengine.comfy.host.running import running_context

if TYPE_CHECKING:
    from graphengine.diffusion.clip import Chunks
    from graphengine.diffusion.prompt import Chunk
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

    def load_model(self, *args: Any, **kwargs: Any) -> Clip:
        """Itself: networks are loaded when they are used."""
        del args, kwargs
        return self

    @property
    def patcher(self) -> Clip:
        """Itself: what plugins load and clone there is here."""
        return self

    @property
    def layer_idx(self) -> int | None:
        """The layer at which it stops; None: its family's."""
        return self.description.layer

    @property
    def tokenizer(self) -> Tokenizer:
        """What makes tokens of texts."""
        return Tokenizer(self)

    @property
    def cond_stage_model(self) -> TextEncoders:
        """What makes conditions of tokens; each encoder alone is there by its letter."""
        return TextEncoders(self)

    def add_patches(
        self, patches: Mapping[Any, Any], strength_patch: float = 1.0, strength_model: float = 1.0
    ) -> list[Any]:
        """Change weights, named ``clip_l.transformer…``; returns the names."""
        from graphengine.comfy.host.weight_patches import PluginPatch

        patch = PluginPatch.of(patches, strength_patch, strength_model)
        self.description = replace(self.description, patches=(*self.description.patches, patch))
        return list(patches)

    def get_sd(self) -> dict[str, Any]:
        """All weights, patched, named ``clip_l.transformer…``."""
        from graphengine.comfy.host.weight_patches import stored_tensors

        patches = self.description.patches
        return {
            name: tensor
            for encoder in self.description.encoders
            for name, tensor in stored_tensors(encoder.weights, encoder.kind, patches)
        }

    def get_key_patches(self) -> dict[str, Any]:
        """All weights as patches for another one's ``add_patches``."""
        return {name: [(tensor,)] for name, tensor in self.get_sd().items()}

    @property
    def load_device(self) -> Any:
        """Where it is computed."""
        from graphengine.comfy.modules.comfy.model_management import text_encoder_device

        return text_encoder_device()

    def _condition(self, tokens: Mapping[str, Any]) -> sockets.Condition:
        from graphengine.diffusion.clip import encode_chunks_by_kind

        return encode_chunks_by_kind(store(), self.description, self._chunks(tokens)).conditions[0]

    def _chunks(self, tokens: Mapping[str, Any]) -> Chunks:
        """Tokens in the form of `tokenize`, for each encoder; raises TypeError for another form."""
        kinds = [encoder.kind for encoder in self.description.encoders]
        if not isinstance(tokens, Mapping) or {_letter(kind) for kind in kinds} - tokens.keys():
            wanted = ", ".join(_letter(kind) for kind in kinds)
            raise TypeError(f"tokens must be a dict with {wanted}, as this CLIP's tokenize() gives")
        return {kind: _as_chunks(tokens[_letter(kind)]) for kind in kinds}

    def __getattr__(self, name: str) -> Any:
        raise not_here("CLIP", name)


def _as_chunks(chunks: Any) -> tuple[Chunk, ...]:
    """Chunks of (id, weight), and perhaps more, as ours."""
    from graphengine.diffusion.prompt import Token

    return tuple(tuple(Token(pair[0], float(pair[1])) for pair in chunk) for chunk in chunks)


class Tokenizer:
    """What makes tokens of texts, as plugins find it in a CLIP."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip

    def tokenize_with_weights(
        self, text: str, return_word_ids: bool = False, **kwargs: Any
    ) -> dict[str, list[list[tuple[Any, ...]]]]:
        """As the CLIP's ``tokenize``."""
        return self._clip.tokenize(text, return_word_ids, **kwargs)

    def __getattr__(self, name: str) -> Any:
        raise not_here("CLIP", f"tokenizer.{name}")


class TextEncoders:
    """What makes conditions of tokens: all encoders, or one of them by its name ``clip_l``."""

    def __init__(self, clip: Clip, kind: str | None = None) -> None:
        self._clip, self._kind = clip, kind

    @property
    def description(self) -> sockets.Clip:
        """The encoders, as ours."""
        return self._clip.description

    def encode_token_weights(self, tokens: Any) -> tuple[Any, Any]:
        """[1, T, D] and [1, P] of tokens; of one encoder's chunks if this is one."""
        if self._kind is None:
            cond, pooled = self._clip.encode_from_tokens(tokens, return_pooled=True)
            return cond, pooled
        from graphengine.diffusion.clip import encode_by_one

        chunks = tokens[_letter(self._kind)] if isinstance(tokens, Mapping) else tokens
        kind: Any = self._kind
        return encode_by_one(store(), self._clip.description, kind, _as_chunks(chunks))

    def clip_layer(self, layer_idx: int) -> None:
        """Stop at a layer: -1 is the last one."""
        self._clip.clip_layer(layer_idx)

    def set_clip_options(self, options: Mapping[str, Any]) -> None:
        """Stop at ``options["layer"]``."""
        if options.get("layer") is not None:
            self._clip.clip_layer(options["layer"])

    def reset_clip_options(self) -> None:
        """Nothing to do: what is set is set on this CLIP only."""

    def __getattr__(self, name: str) -> Any:
        description = self._clip.description
        if self._kind is None and any(each.kind == name for each in description.encoders):
            return TextEncoders(self._clip, name)
        raise not_here("CLIP", f"cond_stage_model.{name}")


class Vae:
    """What turns pictures into latents and back."""

    latent_dim = 2
    output_channels = 3
    working_dtypes: tuple[Any, ...] = ()

    def __init__(self, vae: Any = None, *, sd: Any = None, **more: Any) -> None:
        del more
        if not isinstance(vae, sockets.Vae):
            from graphengine.diffusion.checkpoint import load_vae_file

            vae = load_vae_file(file_of(vae if sd is None else sd))
        self.description: sockets.Vae = vae
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

    @property
    def device(self) -> Any:
        """Where it is computed."""
        from graphengine.comfy.modules.comfy.model_management import vae_device

        return vae_device()

    @property
    def output_device(self) -> Any:
        """Where its results lie."""
        from graphengine.comfy.modules.comfy.model_management import intermediate_device

        return intermediate_device()

    @property
    def vae_dtype(self) -> Any:
        """The type in which it is computed."""
        import torch

        network = None if self.description.weights is None else self.first_stage_model
        return torch.float32 if network is None else next(network.parameters()).dtype

    @property
    def patcher(self) -> Vae:
        """Itself: what plugins load there is here."""
        return self

    load_device = device

    def process_input(self, image: Any) -> Any:
        """Values 0..1 as the network sees them: -1..1."""
        return image * 2.0 - 1.0

    def process_output(self, image: Any) -> Any:
        """What the network gives, -1..1, as values 0..1."""
        return ((image + 1.0) / 2.0).clamp(0.0, 1.0)

    def memory_used_encode(self, shape: Sequence[int], dtype: Any) -> float:
        """About how many bytes encoding takes beside the weights."""
        return float(shape[-2] * shape[-1]) * 1767 * float(dtype.itemsize)

    def memory_used_decode(self, shape: Sequence[int], dtype: Any) -> float:
        """About how many bytes decoding takes beside the weights."""
        return float(shape[-2] * shape[-1]) * 2178 * 64 * float(dtype.itemsize)

    def get_sd(self) -> dict[str, Any]:
        """All weights by the network's own names."""
        return dict(self.first_stage_model.state_dict())

    def spacial_compression_decode(self) -> int:
        """Sides of a picture in those of its latent."""
        return self.downscale_ratio

    spacial_compression_encode = spacial_compression_decode

    def temporal_compression_decode(self) -> None:
        """Frames of a latent: it has none."""

    def throw_exception_if_invalid(self) -> None:
        """Nothing to do: a file without a VAE is refused when it is loaded."""

    def __getattr__(self, name: str) -> Any:
        raise not_here("VAE", name)


class Noise:
    """Noise, from a seed or as a plugin makes it."""

    def __init__(self, noise: sockets.Noise) -> None:
        self.description = noise
        self.seed = noise.seed or 0

    def generate_noise(self, input_latent: Mapping[str, Any]) -> Any:
        """Noise for a latent; zeros without a seed."""
        from graphengine.comfy.host.crossing import to_ours
        from graphengine.diffusion.noise import noise_for

        return noise_for(to_ours("LATENT", input_latent), self.description)


def _resolve() -> Callable[[str], sockets.FileRef | None] | None:
    """What finds the files of embeddings, in the call that is under way."""
    context = running_context()
    return None if context is None else context.embedding


def clip_of(value: Any) -> sockets.Clip:
    """The description in a hosted text encoder; raises AttributeError for something else."""
    return value.description  # type: ignore[no-any-return]  # of the classes above


def file_of(tensors: Any) -> str:
    """Where the tensors lie that ``comfy.utils.load_torch_file`` has read; TypeError for others."""
    path = getattr(tensors, "path", "")
    if not path:
        raise TypeError(
            "graphengine makes networks of what comfy.utils.load_torch_file() returned, "
            f"not of a {type(tensors).__name__} that a plugin has put together"
        )
    return str(path)


def vae_of(value: Any) -> sockets.Vae:
    """The description in a hosted VAE; raises AttributeError for something else."""
    return value.description  # type: ignore[no-any-return]  # of the classes above


def noise_of(value: Any) -> sockets.Noise:
    """The noise in a hosted object, or an object of a plugin's own class that makes noise."""
    if isinstance(value, Noise):
        return value.description
    make = value.generate_noise

    def own(latent: sockets.Latent) -> Any:
        from graphengine.comfy.host.crossing import to_hosted

        return make(to_hosted(latent))

    return sockets.Noise(getattr(value, "seed", 0), own)


def not_here(kind: str, name: str) -> AttributeError:
    """What an object raises for what ComfyUI's has and it has not."""
    return AttributeError(
        f"graphengine's {kind} has no {name}; docs/en/coming-from-comfyui.md lists what is there"
    )
