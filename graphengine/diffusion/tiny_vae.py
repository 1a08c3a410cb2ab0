"""TAESD: autoencoders that are small and quick, and a little less exact.

Bohan 2023 (madebyollin/taesd, MIT). The network is diffusers' AutoencoderTiny (Apache-2.0); the
author's files hold its two halves apart, their layers numbered through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

from torch import Tensor, nn

from graphengine.diffusion.architectures import SD1, SDXL, refuse
from graphengine.diffusion.files import TensorFile, open_tensors
from graphengine.diffusion.networks import assign, without_tensors
from graphengine.errors import ModelFileError
from graphengine.sockets import Family, FileRef, Vae, Weights

TAESD_FAMILIES: Mapping[str, Family] = {"taesd": SD1, "taesdxl": SDXL}
"""What a pair of files is called → whose latents it knows."""

_LEVELS = (64, 64, 64, 64)
_MARKS = {"encoder": "1.conv.0.weight", "decoder": "3.conv.0.weight"}


def load_tiny_vae(name: str, encoder: Path, decoder: Path) -> Vae:
    """The VAE of a pair of files; ModelFileError if one is something else."""
    halves = {"encoder": open_tensors(encoder), "decoder": open_tensors(decoder)}
    for half, tensors in halves.items():
        if _MARKS[half] not in tensors:
            raise refuse(tensors, wanted="TAESD")
    encoding, decoding = (Weights(halves[half].ref, "vae", "") for half in halves)
    family = TAESD_FAMILIES[name]
    channels = halves["decoder"].shape("1.weight")[1]
    return Vae(decoding, replace(family, latent_channels=channels), encoder=encoding)


@dataclass(frozen=True)
class Posterior:
    """What encoding gives: a single latent, [B, C, h, w]."""

    mean: Tensor


class TinyVae(nn.Module):
    """An AutoencoderTiny that is called like an AutoencoderKL, with latents of the VAE's scale."""

    def __init__(self, inner: nn.Module, scale: float) -> None:
        super().__init__()
        self.inner, self.scale = inner, scale
        self.config = SimpleNamespace(block_out_channels=_LEVELS)

    def decode(self, z: Tensor, *, return_dict: bool) -> tuple[Tensor]:
        """Pictures, [B, 3, 8h, 8w] in -1..1."""
        (y,) = self._call("decode", z * self.scale, return_dict)
        return (y,)

    def encode(self, x: Tensor, *, return_dict: bool) -> tuple[Posterior]:
        """The latents of pictures, [B, 3, H, W] in -1..1."""
        (z,) = self._call("encode", x, return_dict)
        return (Posterior(z / self.scale),)

    def _call(self, half: str, x: Tensor, return_dict: bool) -> tuple[Tensor]:
        found: tuple[Tensor] = getattr(self.inner, half)(x, return_dict=return_dict)
        return found


def open_tiny_decoder(file: FileRef) -> nn.Module:
    """The decoder alone: [B, C, h, w] in the model's scale → [B, 3, 8h, 8w] in -1..1.

    Raises ModelFileError if the file is something else.
    """
    from diffusers.models.autoencoders.autoencoder_tiny import DecoderTiny

    tensors = open_tensors(file)
    if _MARKS["decoder"] not in tensors:
        raise refuse(tensors, wanted="TAESD")
    with without_tensors():
        network = DecoderTiny(
            in_channels=tensors.shape("1.weight")[1],
            out_channels=3,
            num_blocks=(3, 3, 3, 1),
            block_out_channels=_LEVELS,
            upsampling_scaling_factor=2,
            act_fn="relu",
            upsample_fn="nearest",
        )
    state = {key.removeprefix("decoder."): value for key, value in _decoder_state(tensors)}
    return _filled(network, state, lambda _: tensors.ref.path)


def open_tiny_vae(encoder: Weights, decoder: Weights, scale: float) -> TinyVae:
    """A TinyVae holding the files' own tensors (memory-mapped, stored dtype).

    ``scale``: of the latents that the network knows. Raises ModelFileError if a tensor is missing
    or of another shape.
    """
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

    halves = [open_tensors(weights.file) for weights in (encoder, decoder)]
    with without_tensors():
        network = AutoencoderTiny(latent_channels=halves[1].shape("1.weight")[1])
    state = dict(_encoder_state(halves[0])) | dict(_decoder_state(halves[1]))
    paths = [half.ref.path for half in halves]
    return TinyVae(_filled(network, state, lambda key: paths[key.startswith("decoder")]), scale)


def _filled(
    network: nn.Module, state: Mapping[str, Tensor], path_of: Callable[[str], str]
) -> nn.Module:
    """``network`` with its tensors; ModelFileError naming the file for one that does not fit."""
    for key, wanted in network.state_dict().items():
        if key not in state:
            raise ModelFileError("model_missing_key", path=path_of(key), key=key, count=1)
        shapes = {"expected": list(wanted.shape), "got": list(state[key].shape)}
        if state[key].shape != wanted.shape:
            raise ModelFileError("model_wrong_shape", path=path_of(key), key=key, **shapes)
    frozen = network.eval().requires_grad_(False)
    return assign(frozen, {key: state[key] for key in network.state_dict()})


def _encoder_state(tensors: TensorFile) -> Iterator[tuple[str, Tensor]]:
    for key in tensors:
        yield f"encoder.layers.{key}", tensors.tensor(key)


def _decoder_state(tensors: TensorFile) -> Iterator[tuple[str, Tensor]]:
    """The author's first layer only limits the latent and is not counted by diffusers."""
    for key in tensors:
        number, _, rest = key.partition(".")
        yield f"decoder.layers.{int(number) - 1}.{rest}", tensors.tensor(key)
