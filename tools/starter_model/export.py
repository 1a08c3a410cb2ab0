"""Write the networks as one ordinary Stable-Diffusion-1 file: `python export.py [--state DIR]`.

The averaged weights go out in float16. Words that no caption uses get zero rows in CLIP's table,
which costs nothing when the file is compressed.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import captions
import networks
import torch
from safetensors.torch import save_file
from torch import Tensor

from graphengine.diffusion import keys
from graphengine.diffusion.layouts import UNetLayout, VaeLayout

STARTER_FOLDER = Path(__file__).parents[2] / "graphengine/starter"
DEFAULT_OUT = STARTER_FOLDER / "checkpoints/graphengine-starter.safetensors"
VOCABULARY = 49408
POSTERIOR_DEVIATION = 0.02  # of latents of unit variance; the encoder is trained on the mean only
METADATA = {
    "modelspec.sai_model_spec": "1.0.0",
    "modelspec.architecture": "stable-diffusion-v1",
    "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
    "modelspec.title": "graphengine starter model",
    "modelspec.author": "The graphengine authors",
    "modelspec.description": "Coloured shapes on plain backgrounds, trained from drawn scenes.",
    "modelspec.license": "Apache-2.0",
    "modelspec.prediction_type": "v",
    "modelspec.resolution": "128x128",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    parser.add_argument("--state")
    options = parser.parse_args()
    tensors = checkpoint(networks.state_folder(options.state))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, options.out, METADATA)
    size = options.out.stat().st_size / 1e6
    print(f"wrote {options.out}: {len(tensors)} tensors, {size:.1f} MB")


def checkpoint(folder: Path) -> dict[str, Tensor]:
    """All tensors of the single file, float16, under Stable Diffusion 1's keys."""
    unet = keys.as_file_tensors(keys.unet_table(_unet_layout()), _average(folder / "unet.pt"))
    vae = keys.as_file_tensors(keys.vae_table(vae_layout()), _autoencoder(folder))
    text = _full_table(networks.load_state(folder / "text.pt")["encoder"])
    parts = {
        "model.diffusion_model.": unet,
        "first_stage_model.": vae,
        "cond_stage_model.transformer.": text,
    }
    tensors = {prefix + key: t for prefix, part in parts.items() for key, t in part.items()}
    tensors["v_pred"] = torch.zeros(1)  # tells loaders that the network predicts v
    return {key: tensor.half().contiguous() for key, tensor in tensors.items()}


def _average(path: Path) -> dict[str, Tensor]:
    average: dict[str, Tensor] = networks.load_state(path)["average"]
    return average


def _autoencoder(folder: Path) -> dict[str, Tensor]:
    """Both halves, with Stable Diffusion's scale of latents folded into the 1×1 convolutions."""
    tensors = _average(folder / "encoder.pt") | _average(folder / "decoder.pt")
    scale = networks.SCALE_FACTOR
    for name in ("weight", "bias"):
        mean, logvar = tensors[f"quant_conv.{name}"].chunk(2)
        logvar = torch.zeros_like(logvar)
        if name == "bias":
            logvar += 2 * math.log(POSTERIOR_DEVIATION / scale)
        tensors[f"quant_conv.{name}"] = torch.cat([mean / scale, logvar])
    tensors["post_quant_conv.weight"] = tensors["post_quant_conv.weight"] * scale
    return tensors


def _full_table(encoder: dict[str, Tensor]) -> dict[str, Tensor]:
    """The text encoder with CLIP's whole word table.

    What training put into the row of unknown words moves into the position table, so that
    unknown words have rows of zeros and every sum of word and position stays what it was.
    """
    words, places = (_key_of(encoder, f"{name}_embedding.weight") for name in ("token", "position"))
    small = encoder[words]
    unknown = small[captions.UNKNOWN]
    table = torch.zeros(VOCABULARY, small.shape[1])
    table[torch.tensor(captions.known_ids())] = small[1:] - unknown
    changed = {words: table, places: encoder[places] + unknown}
    full = {key: tensor for key, tensor in (encoder | changed).items() if "position_ids" not in key}
    return {f"text_model.{key.removeprefix('text_model.')}": full[key] for key in full}


def _key_of(tensors: dict[str, Tensor], ending: str) -> str:
    return next(key for key in tensors if key.endswith(ending))


def _unet_layout() -> UNetLayout:
    depths = tuple(int(attends) for attends in networks.UNET_ATTENDS)
    return UNetLayout(
        style="ldm",
        in_channels=4,
        out_channels=4,
        channels=networks.UNET_WIDTHS,
        blocks=(1,) * len(depths),
        down_depths=depths,
        middle_depth=1,
        up_depths=depths[::-1],
        context_width=networks.TEXT_WIDTH,
        linear_projection=False,
    )


def vae_layout() -> VaeLayout:
    return VaeLayout(
        style="ldm",
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        channels=networks.VAE_WIDTHS,
        blocks=1,
        quant_conv=True,
        post_quant_conv=True,
        attention=True,
    )


if __name__ == "__main__":
    main()
