"""Guidance and attention as popular plugins change them; each way has a plain answer to compare."""

import math

import comfy.model_patcher
import comfy.samplers
import torch
from comfy.ldm.modules.attention import CrossAttention, optimized_attention
from comfy.model_base import SDXL, BaseModel, Flux


def perturbed(model):
    """Perturbed attention: asks the model again with the middle block's attention skipped."""

    def skip(q, k, v, options):
        return v

    def post_cfg(args):
        options = comfy.model_patcher.set_model_options_patch_replace(
            args["model_options"].copy(), skip, "attn1", "middle", 0
        )
        (weak,) = comfy.samplers.calc_cond_batch(
            args["model"], [args["cond"]], args["input"], args["sigma"], options
        )
        return args["denoised"] + (args["cond_denoised"] - weak) * 3.0

    model.set_model_sampler_post_cfg_function(post_cfg)


def asked_again(model):
    """Asks for both predictions anew, by each function that there is, and combines them itself."""

    def post_cfg(args):
        inner, x, sigma, options = (args[n] for n in ("model", "input", "sigma", "model_options"))
        plain = {**options, "sampler_post_cfg_function": []}
        assert isinstance(inner, BaseModel) and not isinstance(inner, SDXL | Flux)
        whole = comfy.samplers.sampling_function(
            inner, x, sigma, args["uncond"], args["cond"], args["cond_scale"], model_options=plain
        )
        cond, uncond = comfy.samplers.calc_cond_batch(
            inner, [args["cond"], args["uncond"]], x, sigma, plain
        )
        both = uncond + (cond - uncond) * args["cond_scale"]
        assert torch.allclose(whole, both, atol=1e-5)
        words = args["cond"][0]["cross_attn"]
        direct = inner.apply_model(x, sigma, c_crossattn=words, transformer_options={})
        assert torch.allclose(direct, cond, atol=1e-4)
        return whole

    model.set_model_sampler_post_cfg_function(post_cfg)


def thresholded(model):
    """Dynamic thresholding that limits nothing: plain guidance by differences."""

    def cfg(args):
        inner, sigma = args["model"], args["sigma"]
        step = inner.model_sampling.timestep(sigma)
        assert step.shape == sigma.shape and float(step[0]) <= 999
        return args["uncond"] + args["cond_scale"] * (args["cond"] - args["uncond"])

    model.set_model_sampler_cfg_function(cfg, disable_cfg1_optimization=True)


def one_by_one(model):
    """A wrapper that calls the network once for each condition, as tiled diffusion does."""

    def wrapper(apply, args):
        x, t, c = args["input"], args["timestep"], args["c"]
        parts = len(args["cond_or_uncond"])
        if parts == 1:
            return apply(x, t, **c)
        tensors = {n: v.chunk(parts) for n, v in c.items() if isinstance(v, torch.Tensor)}
        done = [
            apply(a, b, **{**c, **{name: pieces[i] for name, pieces in tensors.items()}})
            for i, (a, b) in enumerate(zip(x.chunk(parts), t.chunk(parts), strict=True))
        ]
        return torch.cat(done)

    model.set_model_unet_function_wrapper(wrapper)


def by_hand(model):
    """``model_options`` written to directly, and passed on by a wrapper."""
    attend = lambda q, k, v, options: optimized_attention(q, k, v, options["n_heads"])  # noqa: E731
    options = model.model_options["transformer_options"]
    options.setdefault("patches_replace", {}).setdefault("attn2", {})["middle", 0, 0] = attend
    options["mine"] = "here"

    def wrapper(apply, args):
        assert args["c"]["transformer_options"]["mine"] == "here"
        return apply(args["input"], args["timestep"], **args["c"])

    model.model_options["model_function_wrapper"] = wrapper


def couple(model):
    """Regional prompts: rows of the batch are repeated for attention and put together again."""

    def before(q, k, v, options):
        assert len(options["cond_or_uncond"]) in (1, 2) and len(q) == len(k)
        return torch.cat([q, q]), torch.cat([k, k]), torch.cat([v, v])

    def behind(out, options):
        first, second = out.chunk(2)
        height, width = options["original_shape"][-2:]
        level = int(math.sqrt(height * width / first.shape[1]))
        mask = torch.zeros(1, height // level, width // level)
        mask[..., : width // level // 2] = 1
        mask = mask.reshape(1, -1, 1)
        return first * mask + second * (1 - mask)

    model.set_model_attn2_patch(before)
    model.set_model_attn2_output_patch(behind)


def replaced(model):
    """All predictions by a function of the plugin's own."""

    def both(args):
        return comfy.samplers.calc_cond_batch(
            args["model"], args["conds"], args["input"], args["sigma"], args["model_options"]
        )

    model.set_model_sampler_calc_cond_batch_function(both)


def around(model):
    """Functions around each call of the network, the one added first outermost."""
    from comfy.patcher_extension import WrappersMP

    seen = []

    def outer(executor, x, t, *args, **kwargs):
        seen.append("outer")
        return executor(x * 2, t, *args, **kwargs)

    def inner(executor, x, t, c_concat, c_crossattn, control, transformer_options, **kwargs):
        assert seen.pop() == "outer" and transformer_options["cond_or_uncond"]
        return executor(x / 2, t, c_concat, c_crossattn, control, transformer_options, **kwargs)

    model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "mine", outer)
    model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "other", inner)


def derived_attention(model):
    """A class of ComfyUI's that is not here: nothing is an instance of it, using it fails."""

    class Mine(CrossAttention):
        pass

    assert not any(isinstance(m, CrossAttention) for m in model.model.diffusion_model.modules())
    Mine(320)


WAYS = {
    f.__name__: f
    for f in (
        perturbed, asked_again, thresholded, one_by_one, by_hand, couple, replaced, around,
        derived_attention,
    )
}  # fmt: skip


class Guide:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "how": (list(WAYS),)}}

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "run"

    def run(self, model, how):
        before = repr(model.model_options)
        changed = model.clone()
        WAYS[how](changed)
        assert repr(model.model_options) == before
        return (changed,)


NODE_CLASS_MAPPINGS = {"PopGuide": Guide}
