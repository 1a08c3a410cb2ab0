"""What the configuration files (``.yaml``) that old checkpoints came with say of a model.

The names that programs of the field ship are known here; a file in ``models/configs`` goes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import yaml

from graphengine.diffusion.clip import set_last_layer
from graphengine.errors import ModelFileError
from graphengine.sockets import Clip, Model, Sampling


@dataclass(frozen=True)
class ModelConfig:
    """``prediction``: what the network was trained for; ``layer``: of the text encoder, or None."""

    prediction: Literal["eps", "v"] = "eps"
    layer: int | None = None


_EPS, _V, _SKIP = ModelConfig(), ModelConfig("v"), ModelConfig(layer=-2)
KNOWN: Mapping[str, ModelConfig] = MappingProxyType(
    {
        "anything_v3.yaml": _SKIP,
        "v1-inference.yaml": _EPS,
        "v1-inference_clip_skip_2.yaml": _SKIP,
        "v1-inference_clip_skip_2_fp16.yaml": _SKIP,
        "v1-inference_fp16.yaml": _EPS,
        "v1-inpainting-inference.yaml": _EPS,
        "v2-inference-v.yaml": _V,
        "v2-inference-v_fp32.yaml": _V,
        "v2-inference.yaml": _EPS,
        "v2-inference_fp32.yaml": _EPS,
        "v2-inpainting-inference.yaml": _EPS,
    }
)


def model_config(name: str, path: Path | None) -> ModelConfig:
    """The configuration in a file, or the known one of that name; raises ModelFileError."""
    if path is None:
        return KNOWN[name]
    try:
        stored = yaml.safe_load(path.read_text(encoding="utf-8"))
        params: dict[str, Any] = stored["model"]["params"]
        text: dict[str, Any] = params["cond_stage_config"].get("params") or {}
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError, AttributeError) as error:
        raise ModelFileError("model_config_unreadable", path=str(path), cause=error) from error
    prediction: Literal["eps", "v"] = "v" if params.get("parameterization") == "v" else "eps"
    layer = text.get("layer_idx")
    return ModelConfig(prediction, layer if isinstance(layer, int) else None)


def configured(model: Model, clip: Clip | None, config: ModelConfig) -> tuple[Model, Clip | None]:
    """A model and its text encoder, used as a configuration says."""
    if clip is not None and config.layer is not None:
        clip = set_last_layer(clip, config.layer)
    return replace(model, sampling=Sampling(config.prediction)), clip
