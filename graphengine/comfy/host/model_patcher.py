"""A MODEL as ComfyUI's nodes know it: an object with methods around our description of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graphengine import sockets
from graphengine.comfy.host.base_model import BaseModel
from graphengine.comfy.host.networks import not_here

if TYPE_CHECKING:
    from graphengine.comfy.host.noise_levels import Levels

Options = dict[str, Any]
_REPLACEABLE = ("attn1", "attn2")
_AROUND_CALLS = "apply_model"


class ModelPatcher:
    """A model; what it is asked to change it changes in its own description only.

    Plugins also put networks of their own into one, to have them moved to the device.
    """

    def __init__(
        self,
        model: Any,
        load_device: Any = None,
        offload_device: Any = None,
        size: int = 0,
        **more: Any,
    ) -> None:
        del more
        self._described: sockets.Model | None = None
        self.network: Any = None
        self.model_options: Options = {"transformer_options": {}}
        self.attachments: dict[str, Any] = {}
        self._devices = (load_device, offload_device)
        self._size = size
        if isinstance(model, sockets.Model):
            self._described, there = _without_plugin_options(model)
            self.model_options = clone_options(there) if there else self.model_options
        else:
            self.network = model

    @property
    def description(self) -> sockets.Model:
        """The model with all that was asked for; AttributeError for a plugin's own network."""
        if self._described is None:
            raise AttributeError("a plugin's own network is not a MODEL that can be sampled")
        if not _says_anything(self.model_options):
            return self._described
        from graphengine.comfy.host.plugin_options import PluginOptions

        hung = PluginOptions(clone_options(self.model_options), BaseModel.of(self._described))
        return replace(self._described, options=(*self._described.options, hung))

    def clone(self, *args: Any, **kwargs: Any) -> ModelPatcher:
        """Another one that may be changed by itself."""
        del args, kwargs
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.model_options = clone_options(self.model_options)
        made.attachments = dict(self.attachments)
        return made

    @property
    def model(self) -> Any:
        """What plugins look into: ``model_sampling``, ``latent_format``, ``diffusion_model``, …"""
        return self.network if self._described is None else BaseModel.of(self._described)

    def get_model_object(self, name: str) -> Any:
        """Something of the model by a path with dots."""
        found = self.model
        for part in name.split("."):
            found = getattr(found, part)
        return found

    def add_object_patch(self, name: str, obj: Any) -> None:
        """Sample by other noise levels (``model_sampling``)."""
        if name != "model_sampling" or not hasattr(obj, "sampling"):
            raise not_here("MODEL", f"add_object_patch({name!r})")
        levels: Levels = obj
        self._described = replace(self._model, sampling=levels.sampling)

    # --- weights ---

    def add_patches(
        self, patches: Mapping[Any, Any], strength_patch: float = 1.0, strength_model: float = 1.0
    ) -> list[Any]:
        """Change weights, named as in a checkpoint; returns the names."""
        from graphengine.comfy.host.weight_patches import PluginPatch

        patch = PluginPatch.of(patches, strength_patch, strength_model)
        self._described = replace(self._model, patches=(*self._model.patches, patch))
        return list(patches)

    def get_key_patches(self, filter_prefix: str | None = None) -> dict[str, Any]:
        """All weights as patches for another model's ``add_patches``."""
        return {name: [(tensor,)] for name, tensor in self.model_state_dict(filter_prefix).items()}

    def model_state_dict(self, filter_prefix: str | None = None) -> dict[str, Any]:
        """All weights, patched, named as in a checkpoint."""
        from graphengine.comfy.host.weight_patches import stored_tensors

        model = self._model
        return dict(stored_tensors(model.weights, "unet", model.patches, filter_prefix))

    @property
    def patches(self) -> dict[str, Any]:
        """Nothing: what was changed is asked for with `model_state_dict`."""
        return {}

    # --- guidance ---

    def set_model_sampler_cfg_function(
        self, sampler_cfg_function: Callable[..., Any], disable_cfg1_optimization: bool = False
    ) -> None:
        """Combine the two predictions by another rule."""
        self.model_options["sampler_cfg_function"] = sampler_cfg_function
        self._want_both(disable_cfg1_optimization)

    def set_model_sampler_post_cfg_function(
        self, post_cfg_function: Callable[..., Any], disable_cfg1_optimization: bool = False
    ) -> None:
        """Change the guided prediction further."""
        self._append("sampler_post_cfg_function", post_cfg_function)
        self._want_both(disable_cfg1_optimization)

    def set_model_sampler_pre_cfg_function(
        self, pre_cfg_function: Callable[..., Any], disable_cfg1_optimization: bool = False
    ) -> None:
        """Change both predictions before they are combined."""
        self._append("sampler_pre_cfg_function", pre_cfg_function)
        self._want_both(disable_cfg1_optimization)

    def set_model_sampler_calc_cond_batch_function(self, function: Callable[..., Any]) -> None:
        """Predict under all conditions by another function."""
        self.model_options["sampler_calc_cond_batch_function"] = function

    def set_model_unet_function_wrapper(self, unet_wrapper_function: Callable[..., Any]) -> None:
        """Stand around each call of the network."""
        self.model_options["model_function_wrapper"] = unet_wrapper_function

    def set_model_denoise_mask_function(self, denoise_mask_function: Callable[..., Any]) -> None:
        """Change the inpaint mask from step to step."""
        self.model_options["denoise_mask_function"] = denoise_mask_function

    def disable_model_cfg1_optimization(self) -> None:
        """Predict the negative side also where CFG 1 does not need it."""
        self._want_both(True)

    # --- blocks ---

    def set_model_patch(self, patch: Callable[..., Any], name: str) -> None:
        """Let a function act in the network's blocks, by the name of what it changes."""
        from graphengine.comfy.host.block_patches import PATCHES

        if name not in PATCHES:
            raise not_here("MODEL", f"set_model_patch({name!r})")
        patches = self.model_options["transformer_options"].setdefault("patches", {})
        patches[name] = [*patches.get(name, ()), patch]

    def set_model_attn1_patch(self, patch: Callable[..., Any]) -> None:
        """Change q's, k's and v's inputs of self-attention: (x, context, value, options)."""
        self.set_model_patch(patch, "attn1_patch")

    def set_model_attn2_patch(self, patch: Callable[..., Any]) -> None:
        """Change q's, k's and v's inputs of cross-attention: (x, context, value, options)."""
        self.set_model_patch(patch, "attn2_patch")

    def set_model_attn1_output_patch(self, patch: Callable[..., Any]) -> None:
        """Change what self-attention gives: (x, options)."""
        self.set_model_patch(patch, "attn1_output_patch")

    def set_model_attn2_output_patch(self, patch: Callable[..., Any]) -> None:
        """Change what cross-attention gives: (x, options)."""
        self.set_model_patch(patch, "attn2_output_patch")

    def set_model_input_block_patch(self, patch: Callable[..., Any]) -> None:
        """Change what an input block gives: (h, options)."""
        self.set_model_patch(patch, "input_block_patch")

    def set_model_input_block_patch_after_skip(self, patch: Callable[..., Any]) -> None:
        """Change what an input block gives to the next one alone: (h, options)."""
        self.set_model_patch(patch, "input_block_patch_after_skip")

    def set_model_output_block_patch(self, patch: Callable[..., Any]) -> None:
        """Change what an output block gets: (h, skip, options)."""
        self.set_model_patch(patch, "output_block_patch")

    def set_model_patch_replace(
        self,
        patch: Callable[..., Any],
        name: str,
        block_name: str,
        number: int,
        transformer_index: int | None = None,
    ) -> None:
        """Attend by another function in one block, or in one layer of it: (q, k, v, options)."""
        self.model_options = replace_attention(
            self.model_options, patch, name, block_name, number, transformer_index
        )

    def set_model_attn1_replace(
        self,
        patch: Callable[..., Any],
        block_name: str,
        number: int,
        transformer_index: int | None = None,
    ) -> None:
        """As `set_model_patch_replace`, for self-attention."""
        self.set_model_patch_replace(patch, "attn1", block_name, number, transformer_index)

    def set_model_attn2_replace(
        self,
        patch: Callable[..., Any],
        block_name: str,
        number: int,
        transformer_index: int | None = None,
    ) -> None:
        """As `set_model_patch_replace`, for cross-attention."""
        self.set_model_patch_replace(patch, "attn2", block_name, number, transformer_index)

    def add_wrapper(self, wrapper_type: str, wrapper: Callable[..., Any]) -> None:
        """Stand around each call of the network: (executor, x, sigma, …)."""
        self.add_wrapper_with_key(wrapper_type, "", wrapper)

    def add_wrapper_with_key(
        self, wrapper_type: str, key: str, wrapper: Callable[..., Any]
    ) -> None:
        """The same, so that it can be taken away by its key."""
        if wrapper_type != _AROUND_CALLS:
            raise not_here("MODEL", f"add_wrapper({wrapper_type!r})")
        wrappers = self.model_options.setdefault("wrappers", {}).setdefault(_AROUND_CALLS, {})
        wrappers[key] = [*wrappers.get(key, ()), wrapper]

    def remove_wrappers_with_key(self, wrapper_type: str, key: str) -> None:
        """Take those of a key away."""
        self.model_options.get("wrappers", {}).get(wrapper_type, {}).pop(key, None)

    # --- what plugins keep with a model ---

    def set_attachments(self, key: str, attachment: Any) -> None:
        """Keep something with the model and its clones."""
        self.attachments[key] = attachment

    def get_attachment(self, key: str) -> Any:
        """What is kept under a name; None if nothing is."""
        return self.attachments.get(key)

    def remove_attachments(self, key: str) -> None:
        """Forget what is kept under a name."""
        self.attachments.pop(key, None)

    # --- devices ---

    def model_dtype(self) -> Any:
        """The type in which it is computed."""
        if self.network is not None:
            return next(self.network.parameters()).dtype
        from graphengine.comfy.modules.comfy.model_management import unet_dtype

        return unet_dtype()

    def model_size(self) -> int:
        """The bytes of its weights."""
        if self.network is None:
            return self._model.weights.file.size_bytes
        return self._size or sum(t.nbytes for t in self.network.state_dict().values())

    @property
    def size(self) -> int:
        """The bytes of its weights."""
        return self.model_size()

    def memory_required(self, input_shape: Any) -> float:
        """About how many bytes a call takes beside the weights."""
        return float(self.model.memory_required(input_shape))

    def is_clone(self, other: Any) -> bool:
        """Whether another one has the same weights."""
        if not isinstance(other, ModelPatcher) or self.network is not other.network:
            return False
        return self.network is not None or other._model.weights == self._model.weights

    @property
    def load_device(self) -> Any:
        """Where it is computed."""
        from graphengine.comfy.modules.comfy.model_management import get_torch_device

        return get_torch_device() if self._devices[0] is None else self._devices[0]

    @property
    def offload_device(self) -> Any:
        """Where it waits."""
        from graphengine.comfy.modules.comfy.model_management import intermediate_device

        return intermediate_device() if self._devices[1] is None else self._devices[1]

    @property
    def current_device(self) -> Any:
        """Where it is."""
        return self.load_device if self.network is None else next(self.network.parameters()).device

    def current_loaded_device(self) -> Any:
        """Where it is."""
        return self.current_device

    def patch_model(self, device_to: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Its network, on its device; one of ours is patched when it is sampled."""
        del args, kwargs
        if self.network is not None:
            self.network.to(self.load_device if device_to is None else device_to)
        return self.model

    def unpatch_model(self, device_to: Any = None, *args: Any, **kwargs: Any) -> None:
        """Let a plugin's own network wait elsewhere; one of ours is never changed."""
        del args, kwargs
        if self.network is not None and device_to is not None:
            self.network.to(device_to)

    def model_patches_to(self, device: Any) -> None:
        """Move those functions that are modules."""
        for functions in self._functions():
            for index, function in enumerate(functions):
                if hasattr(function, "to"):
                    functions[index] = function.to(device)

    @property
    def _model(self) -> sockets.Model:
        if self._described is None:
            raise not_here("MODEL", "this method for a plugin's own network")
        return self._described

    def _functions(self) -> list[Any]:
        return list(self.model_options["transformer_options"].get("patches", {}).values())

    def _append(self, name: str, function: Callable[..., Any]) -> None:
        self.model_options[name] = [*self.model_options.get(name, ()), function]

    def _want_both(self, both: bool) -> None:
        if both:
            self.model_options["disable_cfg1_optimization"] = True

    def __getattr__(self, name: str) -> Any:
        raise not_here("MODEL", name)


def clone_options(options: Mapping[str, Any]) -> Options:
    """``model_options`` whose dicts and lists are new; what they hold is the same."""
    return {name: _copied(value) for name, value in options.items()}


def replace_attention(
    options: Mapping[str, Any],
    patch: Callable[..., Any],
    name: str,
    block_name: str,
    number: int,
    transformer_index: int | None = None,
) -> Options:
    """``model_options`` with another attention at one place."""
    if name not in _REPLACEABLE:
        raise not_here("MODEL", f"set_model_patch_replace({name!r})")
    layer = () if transformer_index is None else (transformer_index,)
    made = clone_options(options)
    replaced = made.setdefault("transformer_options", {}).setdefault("patches_replace", {})
    replaced.setdefault(name, {})[block_name, number, *layer] = patch
    return made


def appended(options: Mapping[str, Any], name: str, function: Any, both: bool) -> Options:
    """``model_options`` with one more function under a name."""
    made = clone_options(options)
    made[name] = [*made.get(name, ()), function]
    return {**made, "disable_cfg1_optimization": True} if both else made


def _copied(value: Any) -> Any:
    if type(value) is dict:
        return {name: _copied(each) for name, each in value.items()}
    return list(value) if type(value) is list else value


def _says_anything(options: Mapping[str, Any]) -> bool:
    return any(value or name != "transformer_options" for name, value in options.items())


def _without_plugin_options(model: sockets.Model) -> tuple[sockets.Model, Options | None]:
    """The model without what plugins hung onto it, and that."""
    hung = next((o for o in reversed(model.options) if hasattr(o, "model_options")), None)
    if hung is None:
        return model, None
    others = tuple(option for option in model.options if not hasattr(option, "model_options"))
    return replace(model, options=others), dict(hung.model_options)


def model_of(value: Any) -> sockets.Model:
    """The description in a hosted model; raises AttributeError for something else."""
    return value.description  # type: ignore[no-any-return]  # of the class above
