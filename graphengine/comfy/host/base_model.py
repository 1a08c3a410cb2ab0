"""What plugins find in a MODEL's ``model``: noise levels, latent format, configuration, network."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from graphengine import sockets

if TYPE_CHECKING:
    from graphengine.diffusion.denoiser import Guided


class LatentFormat:
    """How a family's latents are scaled."""

    scale_factor: float = 1.0
    latent_channels = 4
    latent_dimensions = 2
    latent_rgb_factors: Any = None
    latent_rgb_factors_bias: Any = None
    taesd_decoder_name: str | None = None
    FAMILY: sockets.Family | None = None

    def __init__(self, scale_factor: float | None = None) -> None:
        if scale_factor is not None:
            self.scale_factor = scale_factor

    @classmethod
    def of(cls, family: sockets.Family) -> LatentFormat:
        """The format of a family."""
        made = cls(family.latent_scale)
        made.FAMILY, made.latent_channels = family, family.latent_channels
        return made

    def process_in(self, latent: Any) -> Any:
        """The latent as the network sees it."""
        if self.FAMILY is None:
            return latent * self.scale_factor
        from graphengine.diffusion.latent_space import into_model

        return into_model(latent, self.FAMILY)

    def process_out(self, latent: Any) -> Any:
        """The network's latent as the VAE knows it."""
        if self.FAMILY is None:
            return latent / self.scale_factor
        from graphengine.diffusion.latent_space import out_of_model

        return out_of_model(latent, self.FAMILY)


class BaseModel:
    """A denoising network with all that belongs to it; in the middle of a sampling it is that's."""

    def __init__(self, model: sockets.Model, guided: Guided | None = None) -> None:
        self.description = model
        self.guided = guided

    @staticmethod
    def of(model: sockets.Model) -> BaseModel:
        """The model as one of the classes that plugins tell families apart by."""
        return _CLASSES.get(model.family.vector, BaseModel)(model)

    def looking(self, guided: Guided | None) -> BaseModel:
        """The same in the middle of a sampling, so that it can be asked."""
        return type(self)(self.description, guided)

    @property
    def model_sampling(self) -> Any:
        """Its noise levels."""
        from graphengine.comfy.host.noise_levels import levels_of

        return levels_of(self.description.sampling)

    @property
    def latent_format(self) -> LatentFormat:
        """How its latents are scaled."""
        from graphengine.diffusion.previews import rgb_factors

        made = LatentFormat.of(self.description.family)
        *made.latent_rgb_factors, made.latent_rgb_factors_bias = rgb_factors(
            self.description
        ).tolist()
        return made

    @property
    def model_config(self) -> Any:
        """What is configured of it, as far as plugins look."""
        config = {"context_dim": self._sizes.cross_attention_dim, **self._adm}
        config |= {"in_channels": self.description.in_channels, "model_channels": self._channels}
        return SimpleNamespace(
            unet_config=config,
            latent_format=self.latent_format,
            sampling_settings={},
            unet_extra_config={},
            manual_cast_dtype=None,
            scaled_fp8=None,
            description=self.description,
        )

    @property
    def diffusion_model(self) -> Any:
        """The network itself: diffusers' UNet2DConditionModel."""
        if self.guided is not None:
            return self.guided.network.unet
        from graphengine.comfy.host.networks import store

        return store().unet(self.description)

    @property
    def adm_channels(self) -> int:
        """How wide the vector condition is; 0 without one."""
        return int(self._sizes.projection_class_embeddings_input_dim or 0)

    @property
    def device(self) -> Any:
        """Where it is computed."""
        return next(self.diffusion_model.parameters()).device

    @property
    def manual_cast_dtype(self) -> None:
        """The type to which weights are cast while it is computed: they are of it already."""

    def get_dtype(self) -> Any:
        """The type in which it is computed."""
        return next(self.diffusion_model.parameters()).dtype

    get_dtype_inference = get_dtype

    def process_latent_in(self, latent: Any) -> Any:
        """As the latent format's ``process_in``."""
        return self.latent_format.process_in(latent)

    def process_latent_out(self, latent: Any) -> Any:
        """As the latent format's ``process_out``."""
        return self.latent_format.process_out(latent)

    def is_adm(self) -> bool:
        """Whether it has a vector condition."""
        return self.adm_channels > 0

    def memory_required(self, input_shape: Any, cond_shapes: Any = None) -> float:
        """About how many bytes a call of the network takes beside its weights."""
        del cond_shapes
        return float(input_shape[0] * input_shape[-1] * input_shape[-2]) * 2 * 2**14

    def apply_model(
        self,
        x: Any,
        t: Any,
        c_concat: Any = None,
        c_crossattn: Any = None,
        control: Any = None,
        transformer_options: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Any:
        """The denoised latent at level ``t`` under words: [B, C, h, w] float32."""
        from graphengine.comfy.host import block_patches
        from graphengine.diffusion.guidance import PRESENT_CALL, NetworkCall
        from graphengine.diffusion.model_sampling import model_sampling
        from graphengine.diffusion.unet import predict

        del control
        unet, levels = self.diffusion_model, model_sampling(self.description.sampling)
        like = next(unet.parameters())
        sigma = t.detach().flatten()[0].cpu().float()
        inputs = levels.network_input(x.float(), sigma)
        if c_concat is not None:
            inputs = _joined(inputs, c_concat)
        times = levels.timestep(sigma).to(like.device).expand(len(inputs))
        y = more.get("y")
        call = NetworkCall(x, sigma, (0,), c_crossattn.to(like), None if y is None else y.to(like))
        token = PRESENT_CALL.set(call)
        try:
            with block_patches.present(transformer_options):
                output = predict(unet, inputs.to(like), times, call.context, y=call.y).float()
        finally:
            PRESENT_CALL.reset(token)
        return levels.denoised(x.float(), output, sigma)

    @property
    def _sizes(self) -> Any:
        return self.diffusion_model.config

    @property
    def _channels(self) -> int:
        return int(self._sizes.block_out_channels[0])

    @property
    def _adm(self) -> dict[str, Any]:
        wide = self.adm_channels
        return {"adm_in_channels": wide or None, **({"num_classes": "sequential"} if wide else {})}

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"graphengine's MODEL has no model.{name}; "
            "docs/en/coming-from-comfyui.md lists what is there"
        )


class SDXL(BaseModel):
    """A model of SDXL's family."""


class SDXLRefiner(BaseModel):
    """SDXL's refiner."""


class SD21UNCLIP(BaseModel):
    """A model that is conditioned on pictures."""


_CLASSES: Mapping[str, type[BaseModel]] = {
    "sdxl": SDXL,
    "refiner": SDXLRefiner,
    "unclip": SD21UNCLIP,
}


def _joined(inputs: Any, more: Any) -> Any:
    import torch

    return torch.cat([inputs, more.to(inputs)], dim=1)
