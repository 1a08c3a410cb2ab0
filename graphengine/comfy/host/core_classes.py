"""Our own nodes as ComfyUI's classes, for plugins that call them: ``nodes.VAEDecode().decode(…)``.

A class takes and gives values as ComfyUI's nodes know them. Any method name calls the node; the
table knows the order of positional arguments where it is not that of the inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from graphengine.comfy.host.crossing import to_hosted, to_ours
from graphengine.comfy.host.running import running_context
from graphengine.comfy.node_info import node_info
from graphengine.events import Artifacts
from graphengine.registry import Registry
from graphengine.spec import REQUIRED, NodeSpec

_SAMPLE = "model seed steps cfg sampler_name scheduler positive negative latent_image denoise"
_ADVANCED = (
    "model add_noise noise_seed steps cfg sampler_name scheduler positive negative latent_image "
    "start_at_step end_at_step return_with_leftover_noise denoise"
)
_METHODS: Mapping[str, tuple[str, str]] = {
    "KSampler": ("sample", _SAMPLE),
    "KSamplerAdvanced": ("sample", _ADVANCED),
    "VAEDecode": ("decode", "vae samples"),
    "VAEDecodeTiled": ("decode", "vae samples tile_size overlap"),
    "VAEEncode": ("encode", "vae pixels"),
    "VAEEncodeTiled": ("encode", "vae pixels tile_size overlap"),
    "VAEEncodeForInpaint": ("encode", "vae pixels mask grow_mask_by"),
    "InpaintModelConditioning": ("encode", "positive negative pixels vae mask noise_mask"),
    "CLIPTextEncode": ("encode", "clip text"),
    "CLIPSetLastLayer": ("set_last_layer", "clip stop_at_clip_layer"),
    "CheckpointLoaderSimple": ("load_checkpoint", "ckpt_name"),
    "VAELoader": ("load_vae", "vae_name"),
    "UNETLoader": ("load_unet", "unet_name weight_dtype"),
    "CLIPLoader": ("load_clip", "clip_name type device"),
    "LoraLoader": ("load_lora", "model clip lora_name strength_model strength_clip"),
    "LoraLoaderModelOnly": ("load_lora_model_only", "model lora_name strength_model"),
    "ControlNetLoader": ("load_controlnet", "control_net_name"),
    "ControlNetApply": ("apply_controlnet", "conditioning control_net image strength"),
    "ControlNetApplyAdvanced": (
        "apply_controlnet",
        "positive negative control_net image strength start_percent end_percent vae",
    ),
    "ConditioningCombine": ("combine", "conditioning_1 conditioning_2"),
    "ConditioningConcat": ("concat", "conditioning_to conditioning_from"),
    "ConditioningZeroOut": ("zero_out", "conditioning"),
    "ConditioningSetArea": ("append", "conditioning width height x y strength"),
    "ConditioningSetMask": ("append", "conditioning mask set_cond_area strength"),
    "EmptyLatentImage": ("generate", "width height batch_size"),
    "LatentUpscale": ("upscale", "samples upscale_method width height crop"),
    "LatentUpscaleBy": ("upscale", "samples upscale_method scale_by"),
    "SetLatentNoiseMask": ("set_mask", "samples mask"),
    "ImageScale": ("upscale", "image upscale_method width height crop"),
    "ImageScaleBy": ("upscale", "image upscale_method scale_by"),
    "LoadImage": ("load_image", "image"),
    "LoadImageMask": ("load_image", "image channel"),
    "ImageInvert": ("invert", "image"),
    "ImageBatch": ("batch", "image1 image2"),
    "ImagePadForOutpaint": ("expand_image", "image left top right bottom feathering"),
    "ImageUpscaleWithModel": ("upscale", "upscale_model image"),
    "UpscaleModelLoader": ("load_model", "model_name"),
    "ImageCompositeMasked": ("composite", "destination source x y resize_source mask"),
    "MaskComposite": ("combine", "destination source x y operation"),
    "GrowMask": ("expand_mask", "mask expand tapered_corners"),
    "FeatherMask": ("feather", "mask left top right bottom"),
    "MaskToImage": ("mask_to_image", "mask"),
    "ImageToMask": ("image_to_mask", "image channel"),
    "SolidMask": ("solid", "value width height"),
    "InvertMask": ("invert", "mask"),
    "ImageCrop": ("crop", "image width height x y"),
    "RepeatLatentBatch": ("repeat", "samples amount"),
    "LatentFromBatch": ("frombatch", "samples batch_index length"),
    "LatentComposite": ("composite", "samples_to samples_from x y feather"),
    "CLIPVisionLoader": ("load_clip", "clip_name"),
    "CLIPVisionEncode": ("encode", "clip_vision image crop"),
    "unCLIPConditioning": (
        "apply_adm",
        "conditioning clip_vision_output strength noise_augmentation",
    ),
    "ConditioningAverage": (
        "addWeighted",
        "conditioning_to conditioning_from conditioning_to_strength",
    ),
    "ConditioningSetTimestepRange": ("set_range", "conditioning start end"),
    "ConditioningSetAreaPercentage": ("append", "conditioning width height x y strength"),
    "CLIPTextEncodeSDXL": (
        "encode",
        "clip width height crop_w crop_h target_width target_height text_g text_l",
    ),
    "CLIPTextEncodeSDXLRefiner": ("encode", "clip ascore width height text"),
    "SamplerCustom": (
        "sample",
        "model add_noise noise_seed cfg positive negative sampler sigmas latent_image",
    ),
    "SamplerCustomAdvanced": ("sample", "noise guider sampler sigmas latent_image"),
    "KSamplerSelect": ("get_sampler", "sampler_name"),
    "BasicScheduler": ("get_sigmas", "model scheduler steps denoise"),
    "RandomNoise": ("get_noise", "noise_seed"),
    "BasicGuider": ("get_guider", "model conditioning"),
    "CFGGuider": ("get_guider", "model positive negative cfg"),
    "KarrasScheduler": ("get_sigmas", "steps sigma_max sigma_min rho"),
    "SplitSigmas": ("get_sigmas", "sigmas step"),
    "ModelSamplingDiscrete": ("patch", "model sampling zsnr"),
    "RescaleCFG": ("patch", "model multiplier"),
    "FreeU": ("patch", "model b1 b2 s1 s2"),
    "FreeU_V2": ("patch", "model b1 b2 s1 s2"),
    "DifferentialDiffusion": ("apply", "model"),
    "ImageBlend": ("blend_images", "image1 image2 blend_factor blend_mode"),
    "ImageBlur": ("blur", "image blur_radius sigma"),
    "ImageSharpen": ("sharpen", "image sharpen_radius sigma alpha"),
    "ImageScaleToTotalPixels": ("upscale", "image upscale_method megapixels"),
    "Canny": ("detect_edge", "image low_threshold high_threshold"),
    "ModelMergeSimple": ("merge", "model1 model2 ratio"),
    "AlignYourStepsScheduler": ("get_sigmas", "model_type steps denoise"),
    "TomePatchModel": ("patch", "model ratio"),
    "HyperTile": ("patch", "model tile_size swap_size max_depth scale_depth"),
    "PerturbedAttentionGuidance": ("patch", "model scale"),
    "SelfAttentionGuidance": ("patch", "model scale blur_sigma"),
    "SaveImage": ("save_images", "images filename_prefix prompt extra_pnginfo"),
    "PreviewImage": ("save_images", "images filename_prefix prompt extra_pnginfo"),
}
"""Node → its method's name and the order of its arguments."""


class CoreNode:
    """One of our nodes as a class of ComfyUI's; derived for each by `core_class`."""

    SPEC: NodeSpec
    FUNCTION = "execute"
    RETURN_TYPES: tuple[str, ...] = ()
    RETURN_NAMES: tuple[str, ...] = ()
    CATEGORY = ""
    OUTPUT_NODE = False
    HIDDEN: Mapping[str, str] = {}

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """The inputs."""
        from graphengine.comfy.modules import the_host

        declared = node_info(cls.SPEC, the_host().folders)["input"]
        sections: dict[str, Any] = {
            section: {name: tuple(config) for name, config in entries.items()}
            for section, entries in declared.items()
            if section != "hidden"
        }
        return {**sections, "hidden": dict(cls.HIDDEN)} if cls.HIDDEN else sections

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._call

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the node; also its method's name, so that derived classes find it by ``super()``."""
        spec = self.SPEC
        order = _METHODS[spec.id][1].split() if spec.id in _METHODS else list(spec.input)
        given = {**dict(zip(order, args, strict=False)), **kwargs}
        return _as_returned(spec, spec.function(**_arguments(spec, given)))


class SavesPictures(CoreNode):
    """SaveImage, whose derived classes say by attributes where and how pictures are written."""

    def __init__(self) -> None:
        from graphengine.comfy.modules import folder_paths

        self.output_dir = folder_paths.get_output_directory()
        self.type = "output"
        self.prefix_append = ""
        self.compress_level = 4

    def save_images(
        self,
        images: Any,
        filename_prefix: str = "ComfyUI",
        prompt: Any = None,
        extra_pnginfo: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Write [B, H, W, C] with values 0..1; where the files lie, for clients."""
        from graphengine.comfy.host.saving import save_pictures

        saved = save_pictures(
            images,
            filename_prefix + self.prefix_append,
            self.output_dir,
            self.type,
            prompt=prompt,
            extra_pnginfo=extra_pnginfo,
            compress_level=self.compress_level,
        )
        return {"ui": {"images": saved}}


class ShowsPictures(SavesPictures):
    """PreviewImage: the same among the temporary files."""

    def __init__(self) -> None:
        from graphengine.comfy.host.saving import temporary_suffix
        from graphengine.comfy.modules import folder_paths

        self.output_dir = folder_paths.get_temp_directory()
        self.type = "temp"
        self.prefix_append = temporary_suffix()
        self.compress_level = 1


class LoadsPictures(CoreNode):
    """LoadImage, whose derived classes take names of files that no list holds."""

    @classmethod
    def IS_CHANGED(cls, image: str, **_: Any) -> str:  # noqa: N802
        """The sha256 of the file."""
        import hashlib

        from graphengine.comfy.modules import folder_paths

        return hashlib.sha256(
            Path(folder_paths.get_annotated_filepath(image)).read_bytes()
        ).hexdigest()

    @classmethod
    def VALIDATE_INPUTS(cls, image: str) -> bool | str:  # noqa: N802
        """Whether there is the file."""
        from graphengine.comfy.modules import folder_paths

        found = image is None or folder_paths.exists_annotated_filepath(image)
        return found or f"Invalid image file: {image}"


_BASES: Mapping[str, type[CoreNode]] = {
    "SaveImage": SavesPictures,
    "PreviewImage": ShowsPictures,
    "LoadImage": LoadsPictures,
    "LoadImageMask": LoadsPictures,
}


_EXTRA_NAMES: Mapping[str, str] = {
    "Blend": "ImageBlend",
    "Blur": "ImageBlur",
    "Quantize": "ImageQuantize",
    "Sharpen": "ImageSharpen",
}
"""What ComfyUI calls the classes of some nodes."""


def extra_name(module: str, name: str) -> Any:
    """What ``comfy_extras`` has under a name: the class of one of our nodes, or see `missing`."""
    from graphengine.comfy.host.stand_ins import missing
    from graphengine.comfy.modules import the_host

    spec = None
    if not name.startswith("_"):
        spec = the_host().registry.get(_EXTRA_NAMES.get(name, name))
    return missing(module, name) if spec is None or spec.hosted else core_class(spec)


class CoreClasses(Mapping[str, Any]):
    """All nodes by id: ours as classes of ComfyUI's, plugins' as they are."""

    def __init__(
        self,
        registry: Callable[[], Registry],
        hosted: Callable[[], Mapping[str, Any]],
        adding: Callable[[], dict[str, Any]],
    ):
        self._registry = registry
        self._hosted = hosted
        self._adding = adding
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        known = self._adding().get(name) or self._hosted().get(name)
        if known is not None:
            return known
        spec = self._registry().get(name)
        if spec is None:
            raise KeyError(name)
        if name not in self._made or self._made[name].SPEC is not spec:
            self._made[name] = core_class(spec)
        return self._made[name]

    def __setitem__(self, name: str, cls: Any) -> None:
        self._adding()[name] = cls

    def update(self, more: Mapping[str, Any]) -> None:
        """Add classes, which become nodes of the plugin that is being imported."""
        self._adding().update(more)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._registry().ids(), *self._hosted(), *self._adding())))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def core_class(spec: NodeSpec) -> type[CoreNode]:
    """One of our nodes as a class."""
    outputs = {
        "RETURN_TYPES": tuple(str(output.type) for output in spec.outputs),
        "RETURN_NAMES": tuple(output.name for output in spec.outputs),
    }
    base = _BASES.get(spec.id, CoreNode)
    function = _METHODS.get(spec.id, ("execute", ""))[0]
    method = {} if hasattr(base, function) else {function: CoreNode._call}
    more = {
        "SPEC": spec,
        "FUNCTION": function,
        "CATEGORY": spec.category,
        "OUTPUT_NODE": spec.sink,
        "__doc__": spec.description,
    }
    if spec.sink:
        more["HIDDEN"] = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}
    return type(spec.id, (base,), {**outputs, **method, **more})


def _arguments(spec: NodeSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    arguments: dict[str, Any] = dict(spec.absent)
    for slot in spec.inputs:
        if slot.name in given:
            value = to_ours(slot.type, given[slot.name], input_name=slot.name)
            arguments[slot.name] = [value] if slot.many and not isinstance(value, list) else value
        elif slot.default is not REQUIRED and slot.default is not None:
            arguments[slot.name] = slot.default
    if spec.context_name is not None:
        arguments[spec.context_name] = running_context()
    return arguments


def _as_returned(spec: NodeSpec, result: Any) -> Any:
    if isinstance(result, Artifacts):
        return {"ui": result.as_ui()}
    values = result if isinstance(result, tuple) and len(spec.outputs) != 1 else (result,)
    shown = next((value for value in values if isinstance(value, Artifacts)), None)
    hosted = tuple(to_hosted(value) for value in values if not isinstance(value, Artifacts))
    return hosted if shown is None else {"ui": shown.as_ui(), "result": hosted}
