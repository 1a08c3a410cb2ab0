"""Nodes as plugins in the wild write them: names of ComfyUI's modules imported at the top."""

import os
import sys
from pathlib import Path

from aiohttp import web
from nodes import MAX_RESOLUTION, KSampler, LoadImage, SaveImage, VAEDecode, common_ksampler
from server import PromptServer

sys.path.append(os.path.dirname(__file__))
import wild_absolute  # noqa: E402  # as many packs do

from . import counting, flow, inputs, third  # noqa: E402

here = Path(__file__).parent
PromptServer.instance.app.add_routes([web.static("/wild_static", (here / "static").as_posix())])


@PromptServer.instance.routes.get("/wild/echo/{name:.*}")
async def echo(request):
    return web.json_response(
        {"name": request.match_info["name"], "query": dict(request.query), "of": "first"}
    )


class MySampler(KSampler):
    """A core class with one more output."""

    RETURN_TYPES = ("LATENT", "INT")
    RETURN_NAMES = ("LATENT", "steps")
    CATEGORY = "wild"

    @classmethod
    def INPUT_TYPES(cls):
        types = super().INPUT_TYPES()
        types["required"]["note"] = ("STRING", {"default": ""})
        return types

    def sample(self, model, seed, steps, cfg, note, **rest):
        done = super().sample(model, seed, steps, cfg, **rest)
        return (*done, steps)


class MyPreview(SaveImage):
    """Saves among the temporary files, as ComfyUI's own preview does."""

    def __init__(self):
        import folder_paths

        self.output_dir = folder_paths.get_temp_directory()
        self.type = "temp"
        self.prefix_append = "_wild_temp"
        self.compress_level = 1

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"images": ("IMAGE",)},
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
        }


class MyLoader(LoadImage):
    RETURN_TYPES = ("IMAGE", "MASK", "STRING")
    CATEGORY = "wild"
    FUNCTION = "load_named"

    def load_named(self, image):
        picture, mask = self.load_image(image)
        return picture, mask, f"{tuple(picture.shape)} {tuple(mask.shape)}"


class Absolute:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"width": ("INT", {"default": 8, "max": MAX_RESOLUTION})}}

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    def run(self, width):
        assert VAEDecode().decode and common_ksampler
        return (wild_absolute.VALUE + width,)


NODE_CLASS_MAPPINGS = {
    "WildSampler": MySampler,
    "WildPreview": MyPreview,
    "WildLoader": MyLoader,
    "WildAbsolute": Absolute,
    **{f"Wild{c.__name__}": c for m in (counting, flow, inputs) for c in m.CLASSES},
    **third.MAPPINGS,
}
NODE_DISPLAY_NAME_MAPPINGS = {"WildSampler": "Sampler with steps 🎲", "NotThere": "x"}
WEB_DIRECTORY = "./web"
