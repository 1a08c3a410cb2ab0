"""Nodes that use networks as plugins do."""

import comfy.sample
import comfy.samplers
import comfy.sd
import comfy.utils
import folder_paths
import latent_preview
import node_helpers
import nodes
import torch


class Sample:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "model": ("MODEL",),
                "positive": ("CONDITIONING",),
                "negative": ("CONDITIONING",),
                "latent_image": ("LATENT",),
                "seed": ("INT", {"default": 0}),
                "sampler_name": (comfy.samplers.KSampler.SAMPLERS,),
                "scheduler": (comfy.samplers.KSampler.SCHEDULERS,),
                "how": (["common", "class", "own", "prepared", "ksampler", "custom", "levels"],),
            }
        }

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "run"

    def run(self, model, positive, negative, latent_image, seed, sampler_name, scheduler, how):
        assert isinstance(latent_image, dict) and isinstance(positive[0][1], dict)
        same = (sampler_name, scheduler, positive, negative)
        if how == "common":
            return nodes.common_ksampler(model, seed, 2, 4.0, *same, latent_image)
        if how == "class":
            return nodes.NODE_CLASS_MAPPINGS["KSampler"]().sample(
                model, seed, 2, 4.0, *same, latent_image, 1.0
            )
        samples = latent_image["samples"]
        noise = comfy.sample.prepare_noise(samples, seed)
        if how == "own":
            noise = noise * 0.5
        callback = latent_preview.prepare_callback(model, 2)
        if how == "ksampler":
            sampler = comfy.samplers.KSampler(model, 2, "cpu", sampler_name, scheduler, 1.0)
            assert len(sampler.sigmas) == 3
            done = sampler.sample(
                noise, positive, negative, 4.0, samples, callback=callback, seed=seed
            )
        elif how == "custom":
            levels = comfy.samplers.calculate_sigmas(model.model.model_sampling, scheduler, 2)
            previewer = latent_preview.get_previewer("cpu", model.model.latent_format)

            def seen(step, x0, x, steps):
                form, picture, side = previewer.decode_latent_to_preview_image("JPEG", x0)
                assert (form, picture.size, side) == ("JPEG", (8, 8), 512)

            done = comfy.sample.sample_custom(
                model,
                noise,
                4.0,
                comfy.samplers.sampler_object(sampler_name),
                levels,
                positive,
                negative,
                samples,
                callback=seen,
                seed=seed,
            )
        else:
            levels = None
            if how == "levels":
                levels = comfy.samplers.calculate_sigmas(model.model.model_sampling, scheduler, 2)
            done = comfy.sample.sample(
                model, noise, 2, 4.0, *same, samples, sigmas=levels, callback=callback, seed=seed
            )
        return ({"samples": done},)


class Words:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "clip": ("CLIP",),
                "text": ("STRING", {"multiline": True}),
                "how": (["tokens", "scheduled", "class", "weights"],),
            }
        }

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "run"

    def run(self, clip, text, how):
        if how == "class":
            return nodes.CLIPTextEncode().encode(clip, text)
        tokens = clip.tokenize(text)
        (chunk,) = tokens["l"]
        assert len(chunk) == 77 and chunk[0] == (49406, 1.0) and chunk[-1] == (49407, 1.0)
        words = clip.tokenize(text, return_word_ids=True)["l"][0]
        assert [word for _, _, word in words][:6] == [0, 1, 2, 3, 0, 0], words
        if how == "weights":
            tokens = {"l": [[(id, weight * 1.1) for id, weight in chunk]]}
        if how == "scheduled":
            return (clip.encode_from_tokens_scheduled(tokens),)
        cond, pooled = clip.encode_from_tokens(tokens, return_pooled=True)
        words = [[cond, {"pooled_output": pooled}]]
        return (node_helpers.conditioning_set_values(words, {"start_percent": 0.0}),)


def attend(q, k, v, options):
    """What a network does itself, from what a function is told."""
    shape = (*q.shape[:2], options["n_heads"], options["dim_head"])
    q, k, v = (t.reshape(t.shape[0], -1, *shape[2:]).transpose(1, 2) for t in (q, k, v))
    weights = (q @ k.transpose(-1, -2) * options["dim_head"] ** -0.5).softmax(-1)
    return (weights @ v).transpose(1, 2).reshape(*shape[:2], -1)


PLACES = []


def look(model):
    """Note which blocks there are, and change nothing."""

    def seen(kind):
        def patch(*tensors):
            *tensors, options = tensors
            assert options["cond_or_uncond"] and options["original_shape"][1] == 4
            assert len(options["sigmas"]) == len(tensors[0])
            PLACES.append((kind, *options["block"]))
            return tensors[0] if len(tensors) == 1 else tuple(tensors)

        return patch

    PLACES.clear()
    model.set_model_attn1_patch(seen("attn1"))
    model.set_model_attn2_patch(seen("attn2"))
    model.set_model_attn1_output_patch(seen("attn1 out"))
    model.set_model_attn2_output_patch(seen("attn2 out"))
    model.set_model_input_block_patch(seen("in"))
    model.set_model_input_block_patch_after_skip(seen("in after"))
    model.set_model_output_block_patch(seen("out"))


def replace_all(model):
    for number in range(12):
        for kind in ("set_model_attn1_replace", "set_model_attn2_replace"):
            getattr(model, kind)(attend, "input", number)
            getattr(model, kind)(attend, "output", number, 0)
            getattr(model, kind)(attend, "middle", number)


def filtered(x, scale):
    frequencies = torch.fft.fftshift(torch.fft.fftn(x.float(), dim=(-2, -1)), dim=(-2, -1))
    rows, columns = x.shape[-2] // 2, x.shape[-1] // 2
    frequencies[..., rows - 1 : rows + 1, columns - 1 : columns + 1] *= scale
    back = torch.fft.ifftshift(frequencies, dim=(-2, -1))
    return torch.fft.ifftn(back, dim=(-2, -1)).real.to(x.dtype)


def freeu(model):
    base = model.get_model_object("diffusion_model").conv_in.out_channels
    scales = {base * 4: (1.3, 0.9), base * 2: (1.4, 0.2)}

    def patch(h, hsp, options):
        if h.shape[1] in scales:
            backbone, skip = scales[h.shape[1]]
            h[:, : h.shape[1] // 2] = h[:, : h.shape[1] // 2] * backbone
            hsp = filtered(hsp, skip)
        return h, hsp

    model.set_model_output_block_patch(patch)


BLOCKS = {
    "look": look,
    "replace": replace_all,
    "freeu": freeu,
    "blind": lambda model: model.set_model_attn2_patch(lambda n, k, v, o: (n, k, v * 0)),
    "values": lambda model: model.set_model_attn1_replace(lambda q, k, v, o: v, "middle", 0),
    "louder": lambda model: model.set_model_attn2_output_patch(lambda n, o: n * 2),
    "bright": lambda model: model.set_model_input_block_patch(lambda h, o: h * 1.1),
    "after": lambda model: model.set_model_input_block_patch_after_skip(lambda h, o: h * 1.1),
}


class Places:
    """Which blocks were patched."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"after": ("LATENT",)}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    def run(self, after):
        return {"ui": {"shown": [" ".join(map(str, place)) for place in dict.fromkeys(PLACES)]}}


class Change:
    @classmethod
    def INPUT_TYPES(cls):
        how = ["nothing", "cfg", "pre", "post", "wrapper", "zero", "weights", "unknown"]
        how += list(BLOCKS)
        return {"required": {"model": ("MODEL",), "how": (how,)}}

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "run"

    def run(self, model, how):
        changed = model.clone()
        if how == "cfg":
            changed.set_model_sampler_cfg_function(
                lambda args: args["uncond"] + args["cond_scale"] * (args["cond"] - args["uncond"])
            )
        if how == "pre":
            changed.set_model_sampler_pre_cfg_function(lambda args: args["conds_out"])
        if how == "post":
            changed.set_model_sampler_post_cfg_function(lambda args: args["denoised"])
        if how == "wrapper":
            changed.set_model_unet_function_wrapper(
                lambda apply, args: apply(args["input"], args["timestep"], **args["c"])
            )
        if how == "zero":
            changed.set_model_sampler_post_cfg_function(
                lambda args: torch.zeros_like(args["denoised"])
            )
        if how == "weights":
            network = model.get_model_object("diffusion_model")
            bias = next(iter(network.conv_out.parameters())).new_zeros(4) + 1
            changed.add_patches({"diffusion_model.out.2.bias": ("diff", (bias,))}, 0.5)
        if how == "unknown":
            changed.set_model_patch(lambda *args: args, "emb_patch")
        if how in BLOCKS:
            BLOCKS[how](changed)
        assert changed.is_clone(model) and model.get_model_object("model_sampling").sigma_max > 1
        return (changed,)


class Pictures:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "vae": ("VAE",),
                "samples": ("LATENT",),
                "how": (["method", "class", "tiled"],),
            }
        }

    RETURN_TYPES = ("IMAGE", "MASK")
    FUNCTION = "run"

    def run(self, vae, samples, how):
        if how == "class":
            image = nodes.VAEDecode().decode(vae, samples)[0]
        elif how == "tiled":
            image = vae.decode_tiled(samples["samples"], tile_x=64, tile_y=64)
        else:
            image = vae.decode(samples["samples"])
        assert image.ndim == 4 and vae.encode(image).shape == samples["samples"].shape
        smaller = comfy.utils.common_upscale(image.movedim(-1, 1), 8, 8, "bilinear", "center")
        return (image, smaller[:, 0])


class Load:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"name": (folder_paths.get_filename_list("checkpoints"),)}}

    RETURN_TYPES = ("MODEL", "CLIP", "VAE")
    FUNCTION = "run"

    def run(self, name):
        path = folder_paths.get_full_path_or_raise("checkpoints", name)
        return comfy.sd.load_checkpoint_guess_config(path)[:3]


class Same:
    """How far two values are apart."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"a": ("IMAGE,LATENT,CONDITIONING",), "b": ("IMAGE,LATENT,CONDITIONING",)}
        }

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    def run(self, a, b):
        def tensor(value):
            if isinstance(value, dict):
                return value["samples"]
            return value[0][0] if isinstance(value, list) else value

        return {"ui": {"shown": [str(float((tensor(a) - tensor(b)).abs().max()))]}}


NODE_CLASS_MAPPINGS = {
    f"Net{cls.__name__}": cls for cls in (Sample, Words, Change, Pictures, Load, Same, Places)
}
