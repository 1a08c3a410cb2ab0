"""Weights, noise levels, pictures of control, CLIP vision and upscaling as plugins handle them."""

import comfy.clip_vision
import comfy.controlnet
import comfy.latent_formats
import comfy.lora
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.model_sampling
import comfy.ops
import comfy.sd
import comfy.utils
import folder_paths
import torch
from comfy_extras.nodes_model_advanced import rescale_zero_terminal_snr_sigmas


class Change:
    @classmethod
    def INPUT_TYPES(cls):
        how = [
            "merge", "lora", "lora blocks", "lora file", "sampling eps", "sampling v",
            "sampling zsnr", "sampling own", "look", "own network",
        ]  # fmt: skip
        return {
            "required": {"model": ("MODEL",), "clip": ("CLIP",), "how": (how,)},
            "optional": {"lora": (folder_paths.get_filename_list("loras"),)},
        }

    RETURN_TYPES = ("MODEL", "CLIP")
    FUNCTION = "run"

    def run(self, model, clip, how, lora=None):
        return getattr(self, how.replace(" ", "_"))(model, clip, lora)

    def merge(self, model, clip, lora):
        m = model.clone()
        for name, weight in model.get_key_patches("diffusion_model.").items():
            assert name.startswith("diffusion_model.")
            m.add_patches({name: weight}, 0.25, 0.75)
        c = clip.clone()
        patches = clip.get_key_patches()
        assert any(name.startswith("clip_l.transformer.text_model.encoder") for name in patches)
        c.add_patches(patches, 0.5, 0.5)
        return m, c

    def read(self, lora):
        return comfy.utils.load_torch_file(
            folder_paths.get_full_path_or_raise("loras", lora), safe_load=True
        )

    def lora_file(self, model, clip, lora):
        return comfy.sd.load_lora_for_models(model, clip, self.read(lora), 0.8, 0.8)

    def lora(self, model, clip, lora):
        only = {name: tensor for name, tensor in self.read(lora).items() if "." in name}
        return comfy.sd.load_lora_for_models(model, clip, only, 0.8, 0.8)

    def lora_blocks(self, model, clip, lora):
        """As LoRA block weight does it."""
        keys = comfy.lora.model_lora_keys_clip(
            clip.cond_stage_model, comfy.lora.model_lora_keys_unet(model.model, {})
        )
        loaded = comfy.lora.load_lora(self.read(lora), keys)
        m, c = model.clone(), clip.clone()
        for name, patch in loaded.items():
            blocks = ("input_blocks.", "middle_block.", "output_blocks.", "time_embed", "out.")
            if name.startswith("diffusion_model."):
                assert name.split(".", 1)[1].startswith(blocks), name
                m.add_patches({name: patch}, 0.8)
            else:
                c.add_patches({name: patch}, 0.8)
        return m, c

    def sampling_eps(self, model, clip, lora):
        class Mine(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS):
            pass

        return self.sampled(model, Mine(model.model.model_config)), clip

    def sampling_v(self, model, clip, lora):
        class Mine(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.V_PREDICTION):
            pass

        return self.sampled(model, Mine(model.model.model_config)), clip

    def sampling_zsnr(self, model, clip, lora):
        class Mine(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS):
            pass

        levels = Mine(model.model.model_config)
        levels.set_sigmas(rescale_zero_terminal_snr_sigmas(levels.sigmas))
        return self.sampled(model, levels), clip

    def sampling_own(self, model, clip, lora):
        class Reads(comfy.model_sampling.EPS):
            def calculate_denoised(self, sigma, model_output, model_input):
                sigma = sigma.view(sigma.shape[:1] + (1,) * (model_output.ndim - 1))
                return model_input - model_output * sigma

        class Mine(comfy.model_sampling.ModelSamplingDiscrete, Reads):
            def percent_to_sigma(self, percent):
                return super().percent_to_sigma(percent)

        return self.sampled(model, Mine(model.model.model_config)), clip

    def sampled(self, model, levels):
        m = model.clone()
        m.add_object_patch("model_sampling", levels)
        again = m.get_model_object("model_sampling")
        assert len(again.sigmas) == 1000 and again.percent_to_sigma(0.5) < again.sigma_max
        return m

    def look(self, model, clip, lora):
        inner = model.model
        assert isinstance(model, comfy.model_patcher.ModelPatcher)
        assert not isinstance(inner, comfy.model_base.SDXL | comfy.model_base.Flux)
        assert inner.model_config.unet_config["context_dim"] > 0
        latent = torch.ones(1, 4, 8, 8)
        ours = inner.latent_format
        there = ours.process_out(inner.process_latent_in(latent))
        assert torch.allclose(there, latent)
        assert isinstance(ours, comfy.latent_formats.LatentFormat)
        assert comfy.latent_formats.SDXL().scale_factor == 0.13025
        assert inner.get_dtype() is torch.float32 and inner.model_sampling.sigma_max > 10
        m = model.clone()
        m.set_attachments("mine", 1)
        assert m.clone().get_attachment("mine") == 1 and m.memory_required([1, 4, 8, 8]) > 0
        comfy.model_management.load_models_gpu([m, clip.patcher], memory_required=1)
        tokens = clip.tokenizer.tokenize_with_weights("a red circle")
        cond, pooled = clip.cond_stage_model.encode_token_weights(tokens)
        one, _ = clip.cond_stage_model.clip_l.encode_token_weights(tokens["l"])
        assert torch.equal(cond, one) and pooled.ndim == 2
        assert hasattr(clip.cond_stage_model, "clip_l")
        assert not hasattr(clip.cond_stage_model, "clip_g")
        return model, clip

    def own_network(self, model, clip, lora):
        """A plugin's own network, made of ComfyUI's layers and moved by a patcher."""
        network = torch.nn.Sequential(
            comfy.ops.manual_cast.Linear(4, 4), comfy.ops.disable_weight_init.LayerNorm(4)
        )
        with torch.no_grad():
            for parameter in network.parameters():
                comfy.utils.copy_to_param(parameter, "data", torch.ones_like(parameter))
        network[0].half()
        device = comfy.model_management.get_torch_device()
        patcher = comfy.model_patcher.ModelPatcher(
            network, load_device=device, offload_device=comfy.model_management.unet_offload_device()
        )
        comfy.model_management.load_model_gpu(patcher)
        out = patcher.model(torch.ones(1, 4, device=device))
        assert out.shape == (1, 4) and out.dtype is torch.float32 and patcher.model_size() > 0
        return model, clip


class OwnControl(comfy.controlnet.ControlNet):
    """Does more than graphengine knows."""


class Control:
    """Puts a control network into a conditioning by hand, as many plugins do."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "positive": ("CONDITIONING",),
                "control_net": ("CONTROL_NET",),
                "image": ("IMAGE",),
                "strength": ("FLOAT", {"default": 1.0}),
            },
            "optional": {"own": ("BOOLEAN", {"default": False})},
        }

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "run"

    def run(self, positive, control_net, image, strength, own=False):
        assert isinstance(control_net, comfy.controlnet.ControlBase)
        hint = image.movedim(-1, 1)
        out = []
        for words, options in positive:
            options = options.copy()
            net = control_net.copy().set_cond_hint(hint, strength, (0.0, 0.8), vae=None)
            if own:
                net.__class__ = OwnControl
            net.set_previous_controlnet(options.get("control"))
            options["control"], options["control_apply_to_uncond"] = net, True
            out.append([words, options])
        return (out,)


class Looks:
    """CLIP vision and upscale models in plugins' hands."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"image": ("IMAGE",)},
            "optional": {"clip_vision": ("CLIP_VISION",), "upscale_model": ("UPSCALE_MODEL",)},
        }

    RETURN_TYPES = ("IMAGE", "CLIP_VISION_OUTPUT")
    FUNCTION = "run"

    def run(self, image, clip_vision=None, upscale_model=None):
        seen = None
        if clip_vision is not None:
            comfy.model_management.load_model_gpu(clip_vision.patcher)
            seen = clip_vision.encode_image(image)
            assert seen["image_embeds"] is seen.image_embeds
            pixels = comfy.clip_vision.clip_preprocess(image, size=clip_vision.image_size)
            out = clip_vision.model(pixel_values=pixels, intermediate_output=-2)
            assert torch.equal(out[2], seen.image_embeds)
            assert torch.equal(out[1], seen.penultimate_hidden_states)
        if upscale_model is not None:
            upscale_model.to(comfy.model_management.get_torch_device())
            x = image.movedim(-1, -3)
            size = (x.shape[3], x.shape[2], 32, 32, 8)
            bar = comfy.utils.ProgressBar(x.shape[0] * comfy.utils.get_tiled_scale_steps(*size))
            y = comfy.utils.tiled_scale(
                x, lambda a: upscale_model(a), tile_x=32, tile_y=32, overlap=8,
                upscale_amount=upscale_model.scale, pbar=bar,
            )  # fmt: skip
            image = torch.clamp(y.movedim(-3, -1), 0, 1)
        return image, seen


class Seen:
    """How far apart is what a CLIP saw."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": ("CLIP_VISION_OUTPUT",), "b": ("CLIP_VISION_OUTPUT",)}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    def run(self, a, b):
        apart = (a.image_embeds - b["image_embeds"]).abs().max()
        return {"ui": {"shown": [str(float(apart))]}}


class Two:
    """SDXL as plugins tell it apart."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "clip": ("CLIP",)}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    def run(self, model, clip):
        assert isinstance(model.model, comfy.model_base.SDXL)
        assert model.model.is_adm() and model.model.adm_channels > 0
        tokens = clip.tokenize("a (red:1.2) circle")
        cond, pooled = clip.encode_from_tokens(tokens, return_pooled=True)
        first, _ = clip.cond_stage_model.clip_l.encode_token_weights(tokens["l"])
        second, own = clip.cond_stage_model.clip_g.encode_token_weights(tokens["g"])
        assert torch.allclose(torch.cat([first, second], -1), cond, atol=1e-5)
        assert torch.equal(own, pooled)
        return {"ui": {"shown": ["yes"]}}


NODE_CLASS_MAPPINGS = {f"Pop{c.__name__}": c for c in (Change, Control, Looks, Seen, Two)}
