"""TAESD's pairs of files, against diffusers' own use of the same network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from safetensors.torch import save_file

from graphengine.diffusion.residency import ModelStore
from graphengine.diffusion.tiny_vae import load_tiny_vae
from graphengine.diffusion.vae import decode, encode
from graphengine.errors import ModelFileError
from graphengine.sockets import Image, Latent


@pytest.fixture
def network() -> AutoencoderTiny:
    torch.manual_seed(3)
    return AutoencoderTiny().eval().requires_grad_(False)


def saved(network: AutoencoderTiny, folder: Path) -> tuple[Path, Path]:
    """Both halves as their author saves them: the decoder's first layer, a limit, counts too."""
    halves: dict[str, dict[str, torch.Tensor]] = {"encoder": {}, "decoder": {}}
    for key, tensor in network.state_dict().items():
        half, _, number, rest = key.split(".", 3)
        halves[half][f"{int(number) + (half == 'decoder')}.{rest}"] = tensor
    paths = folder / "taesd_encoder.safetensors", folder / "taesd_decoder.safetensors"
    for path, tensors in zip(paths, halves.values(), strict=True):
        save_file(tensors, path)
    return paths


@pytest.mark.parametrize(("name", "scale"), [("taesd", 0.18215), ("taesdxl", 0.13025)])
def test_it_decodes_and_encodes_as_diffusers_does_at_its_familys_scale(
    tmp_path: Path, tiny_store: ModelStore, network: AutoencoderTiny, name: str, scale: float
) -> None:
    vae = load_tiny_vae(name, *saved(network, tmp_path))
    z = torch.randn(1, 4, 4, 6, generator=torch.Generator().manual_seed(1))
    expected = ((network.decode(z * scale).sample + 1) / 2).clamp(0, 1).movedim(1, -1)
    torch.testing.assert_close(decode(tiny_store, vae, Latent(z)).pixels, expected)
    picture = torch.rand(1, 34, 48, 3, generator=torch.Generator().manual_seed(2))
    seen = picture[:, 1:33].movedim(-1, 1) * 2 - 1
    torch.testing.assert_close(
        encode(tiny_store, vae, Image(picture)).samples, network.encode(seen).latents / scale
    )


def test_a_half_in_the_others_place_is_refused(tmp_path: Path, network: AutoencoderTiny) -> None:
    encoder, decoder = saved(network, tmp_path)
    with pytest.raises(ModelFileError):
        load_tiny_vae("taesd", decoder, encoder)
