"""Samplers, schedules, noise and guiders of plugins' own."""

import comfy.k_diffusion.sampling as k_diffusion_sampling
import comfy.model_patcher
import comfy.samplers
import torch
from comfy.k_diffusion.sampling import default_noise_sampler, get_ancestral_step, to_d
from comfy_extras.nodes_custom_sampler import Noise_EmptyNoise, Noise_RandomNoise
from tqdm.auto import trange


@torch.no_grad()
def sample_own_euler(model, x, sigmas, extra_args=None, callback=None, disable=None, scale=1.0):
    extra_args = {} if extra_args is None else extra_args
    s_in = x.new_ones([x.shape[0]])
    for i in trange(len(sigmas) - 1, disable=True):
        denoised = model(x, sigmas[i] * s_in, **extra_args) * scale
        if callback is not None:
            callback(
                {"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": denoised}
            )
        x = x + to_d(x, sigmas[i], denoised) * (sigmas[i + 1] - sigmas[i])
    return x


@torch.no_grad()
def sample_own_ancestral(model, x, sigmas, extra_args=None, callback=None, disable=None, eta=1.0):
    seed = extra_args.get("seed", None)
    noise_sampler = default_noise_sampler(x, seed=seed)
    s_in = x.new_ones([x.shape[0]])
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i] * s_in, **extra_args)
        down, up = get_ancestral_step(sigmas[i], sigmas[i + 1], eta=eta)
        callback({"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": denoised})
        if down == 0:
            x = denoised
        else:
            x = x + to_d(x, sigmas[i], denoised) * (down - sigmas[i])
            x = x + noise_sampler(sigmas[i], sigmas[i + 1]) * up
    return x


@torch.no_grad()
def sample_own_cfg_pp(model, x, sigmas, extra_args=None, callback=None, disable=None):
    """Catches the unconditional prediction on its way, as CFG++ methods do."""
    caught = [None]

    def post_cfg(args):
        caught[0] = args["uncond_denoised"]
        return args["denoised"]

    options = extra_args.get("model_options", {}).copy()
    extra_args["model_options"] = comfy.model_patcher.set_model_options_post_cfg_function(
        options, post_cfg, disable_cfg1_optimization=True
    )
    s_in = x.new_ones([x.shape[0]])
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i] * s_in, **extra_args)
        d = to_d(x, sigmas[i], caught[0])
        x = denoised + d * sigmas[i + 1]
    return x


def sample_brownian(model, x, sigmas, **kwargs):
    """One of ComfyUI's methods with noise of the plugin's choice, as the Impact pack has it."""
    seed = kwargs["extra_args"].get("seed")
    low, high = sigmas[sigmas > 0].min(), sigmas.max()
    kwargs["noise_sampler"] = k_diffusion_sampling.BrownianTreeNoiseSampler(
        x, low, high, seed=seed, cpu=True
    )
    return k_diffusion_sampling.sample_dpmpp_sde(model, x, sigmas, **kwargs)


def sample_daemon(model, x, sigmas, *, dds_wrapped_sampler, amount, **kwargs):
    """Stands around another method and shows its model other levels, as Detail Daemon does."""

    def model_wrapper(x, sigma, **extra_args):
        return model(x, sigma * (1 - amount), **extra_args)

    for name in ("inner_model", "sigmas"):
        if hasattr(model, name):
            setattr(model_wrapper, name, getattr(model, name))
    return dds_wrapped_sampler.sampler_function(
        model_wrapper, x, sigmas, **kwargs, **dds_wrapped_sampler.extra_options
    )


k_diffusion_sampling.sample_own_named = sample_own_euler
comfy.samplers.KSampler.SAMPLERS.append("own_named")
comfy.samplers.SCHEDULER_HANDLERS["own_levels"] = comfy.samplers.SchedulerHandler(
    lambda model_sampling, steps: comfy.samplers.normal_scheduler(model_sampling, steps)
)
comfy.samplers.SCHEDULER_NAMES.append("own_levels")


class Method:
    @classmethod
    def INPUT_TYPES(cls):
        how = [
            "own euler",
            "own ancestral",
            "own cfg++",
            "daemon",
            "named",
            "twice",
            "wrong",
            "brownian",
        ]
        return {"required": {"how": (how,)}, "optional": {"sampler": ("SAMPLER",)}}

    RETURN_TYPES = ("SAMPLER",)
    FUNCTION = "run"

    def run(self, how, sampler=None):
        if how == "own euler":
            return (comfy.samplers.KSAMPLER(sample_own_euler),)
        if how == "own ancestral":
            return (comfy.samplers.KSAMPLER(sample_own_ancestral, extra_options={"eta": 1.0}),)
        if how == "own cfg++":
            return (comfy.samplers.KSAMPLER(sample_own_cfg_pp),)
        if how == "twice":
            return (comfy.samplers.KSAMPLER(sample_own_euler, extra_options={"scale": 2.0}),)
        if how == "brownian":
            return (comfy.samplers.KSAMPLER(sample_brownian, {"eta": 1.0, "s_noise": 1.0}),)
        if how == "wrong":
            return (comfy.samplers.Sampler(),)
        if how == "named":
            return (comfy.samplers.sampler_object("euler"),)
        extra = {"dds_wrapped_sampler": sampler, "amount": 0.0}
        return (comfy.samplers.KSAMPLER(sample_daemon, extra_options=extra),)


class DoubledGuider(comfy.samplers.CFGGuider):
    """Combines by itself."""

    def predict_noise(self, x, timestep, model_options={}, seed=None):  # noqa: B006
        cond, uncond = comfy.samplers.calc_cond_batch(
            self.inner_model,
            [self.conds.get("positive"), self.conds.get("negative")],
            x, timestep, model_options,
        )  # fmt: skip
        return comfy.samplers.cfg_function(
            self.inner_model, cond, uncond, self.cfg, x, timestep, model_options=model_options
        )


class ThreeGuider(comfy.samplers.CFGGuider):
    """Has three conditionings by names of its own."""

    def set_conds(self, positive, negative, third):
        self.inner_set_conds({"positive": positive, "third": third, "negative": negative})

    def predict_noise(self, x, timestep, model_options=None, seed=None):
        p, t, n = comfy.samplers.calc_cond_batch(
            self.inner_model, [self.conds[k] for k in ("positive", "third", "negative")],
            x, timestep, model_options,
        )  # fmt: skip
        return n + (p - n) * self.cfg + (t - t)


class MakeGuider:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "model": ("MODEL",),
                "positive": ("CONDITIONING",),
                "negative": ("CONDITIONING",),
                "how": (["plain", "doubled", "three"],),
            }
        }

    RETURN_TYPES = ("GUIDER",)
    FUNCTION = "run"

    def run(self, model, positive, negative, how):
        kinds = {"plain": comfy.samplers.CFGGuider, "doubled": DoubledGuider, "three": ThreeGuider}
        guider = kinds[how](model)
        guider.set_conds(*(positive, negative, negative)[: 3 if how == "three" else 2])
        guider.set_cfg(4.0)
        return (guider,)


class OwnNoise:
    def __init__(self, seed):
        self.seed = seed

    def generate_noise(self, input_latent):
        return Noise_RandomNoise(self.seed).generate_noise(input_latent)


class MakeNoise:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"seed": ("INT", {"default": 0}), "how": (["own", "none"],)}}

    RETURN_TYPES = ("NOISE",)
    FUNCTION = "run"

    def run(self, seed, how):
        return (OwnNoise(seed) if how == "own" else Noise_EmptyNoise(),)


class SampleWith:
    """SamplerCustomAdvanced as plugins copy it."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "noise": ("NOISE",),
                "guider": ("GUIDER",),
                "sampler": ("SAMPLER",),
                "sigmas": ("SIGMAS",),
                "latent_image": ("LATENT",),
            }
        }

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "run"

    def run(self, noise, guider, sampler, sigmas, latent_image):
        import comfy.sample
        import latent_preview

        samples = comfy.sample.fix_empty_latent_channels(
            guider.model_patcher, latent_image["samples"]
        )
        seen = {}
        callback = latent_preview.prepare_callback(guider.model_patcher, sigmas.shape[-1] - 1, seen)
        done = guider.sample(
            noise.generate_noise(latent_image), samples, sampler, sigmas,
            denoise_mask=latent_image.get("noise_mask"), callback=callback,
            disable_pbar=True, seed=noise.seed,
        )  # fmt: skip
        inner = guider.model_patcher.model
        denoised = inner.process_latent_out(seen["x0"].cpu())
        assert denoised.shape == done.shape
        return ({"samples": done},)


NODE_CLASS_MAPPINGS = {f"Pop{c.__name__}": c for c in (Method, MakeGuider, MakeNoise, SampleWith)}
