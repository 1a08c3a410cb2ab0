"""Control networks, CLIP vision and upscale models as ComfyUI's nodes know them."""

from __future__ import annotations

from typing import Any

from graphengine import sockets
from graphengine.comfy.host.networks import not_here, store
from graphengine.errors import InputError

_PENULTIMATE = -2


class _Waits:
    """What plugins ask of a network before they load it: there is nothing to do."""

    @property
    def patcher(self) -> Any:
        """Itself."""
        return self

    @property
    def load_device(self) -> Any:
        """Where it is computed."""
        from graphengine.comfy.modules.comfy.model_management import get_torch_device

        return get_torch_device()


class ControlNet(_Waits):
    """A control network; in a condition also its picture, strength, time, and who acts before."""

    def __init__(self, net: sockets.ControlNet) -> None:
        self.description = net
        self.cond_hint_original: Any = None
        self.strength = 1.0
        self.timestep_percent_range = (0.0, 1.0)
        self.previous_controlnet: ControlNet | None = None

    def copy(self) -> ControlNet:
        """Another one that may be changed by itself."""
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def set_cond_hint(
        self,
        cond_hint: Any,
        strength: float = 1.0,
        timestep_percent_range: Any = (0.0, 1.0),
        vae: Any = None,
        extra_concat: Any = (),
    ) -> ControlNet:
        """Steer by a picture [B, C, H, W] with values 0..1."""
        del vae, extra_concat
        self.cond_hint_original, self.strength = cond_hint, strength
        self.timestep_percent_range = tuple(timestep_percent_range)
        return self

    def set_previous_controlnet(self, controlnet: ControlNet | None) -> ControlNet:
        """Add what another one gives."""
        self.previous_controlnet = controlnet
        return self

    def get_models(self) -> list[Any]:
        """Nothing that a plugin would have to load."""
        return []

    def cleanup(self) -> None:
        """Nothing to do."""

    def __getattr__(self, name: str) -> Any:
        raise not_here("CONTROL_NET", name)


def chain_of(applications: tuple[sockets.ControlApplication, ...]) -> ControlNet | None:
    """The controls of a condition, each with the one before it; the last one holds all."""
    last: ControlNet | None = None
    for application in applications:
        net = ControlNet(application.net)
        hint = application.hint.movedim(-1, 1)
        net.set_cond_hint(hint, application.strength, (application.start, application.end))
        last = net.set_previous_controlnet(last)
    return last


def applications_of(control: Any) -> tuple[sockets.ControlApplication, ...]:
    """The controls of a chain, first to last; InputError for a plugin's own kind of control."""
    found: list[sockets.ControlApplication] = []
    while control is not None:
        if type(control) is not ControlNet:
            kind = f"{type(control).__module__}.{type(control).__qualname__}"
            raise InputError("hosted_absent", name=f"sampling with a control of the class {kind}")
        start, end = control.timestep_percent_range
        hint = control.cond_hint_original.movedim(1, -1)
        net = control.description
        found.append(sockets.ControlApplication(net, hint, control.strength, start, end))
        control = control.previous_controlnet
    return tuple(reversed(found))


class ClipVisionOutput:
    """What a CLIP sees in pictures, by attribute or by name."""

    def __init__(self, **found: Any) -> None:
        self.__dict__.update(found)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)


class ClipVisionModel(_Waits):
    """The picture half of a CLIP."""

    image_mean = (0.48145466, 0.4578275, 0.40821073)
    image_std = (0.26862954, 0.26130258, 0.27577711)

    def __init__(self, vision: sockets.ClipVision) -> None:
        self.description = vision

    @property
    def image_size(self) -> int:
        """The side of the square pictures that it looks at."""
        from graphengine.diffusion.clip_vision import vision_network

        return int(vision_network(store(), self.description).config.image_size)

    def encode_image(self, image: Any, crop: Any = True) -> ClipVisionOutput:
        """What it sees in [B, H, W, C] with values 0..1."""
        from graphengine.diffusion.clip_vision import encode_image

        how: Any = "center" if crop in (True, "center") else "none"
        found = encode_image(store(), self.description, sockets.Image(image), crop=how)
        return vision_output(found)

    def model(self, pixel_values: Any, intermediate_output: int = -2) -> tuple[Any, ...]:
        """Last states, those before, and vectors of pictures that `clip_preprocess` has made."""
        from graphengine.diffusion.clip_vision import encode_pixels

        if intermediate_output != _PENULTIMATE:
            raise not_here("CLIP_VISION", f"model(intermediate_output={intermediate_output})")
        found = encode_pixels(store(), self.description, pixel_values)
        return found.last_hidden_state, found.penultimate_hidden_states, found.image_embeds

    def __getattr__(self, name: str) -> Any:
        raise not_here("CLIP_VISION", name)


def vision_output(found: sockets.ClipVisionOutput) -> ClipVisionOutput:
    """What was seen, as plugins know it."""
    return ClipVisionOutput(
        image_embeds=found.image_embeds,
        last_hidden_state=found.last_hidden_state,
        penultimate_hidden_states=found.penultimate_hidden_states,
    )


def vision_output_of(value: Any) -> sockets.ClipVisionOutput:
    """What was seen, from a plugin's object."""
    return sockets.ClipVisionOutput(
        value.image_embeds, value.last_hidden_state, value.penultimate_hidden_states
    )


class UpscaleModel(_Waits):
    """A network that enlarges pictures; called with [B, 3, H, W], values 0..1."""

    def __init__(self, model: sockets.UpscaleModel) -> None:
        self.description = model
        self.scale = model.scale
        self.input_channels = self.output_channels = 3

    @property
    def model(self) -> Any:
        """The network itself."""
        from functools import partial

        from graphengine.diffusion.residency import Recipe
        from graphengine.diffusion.upscale_networks import open_upscaler

        weights = self.description.weights
        return store().network(Recipe(weights, "upscale_model", partial(open_upscaler, weights)))

    def __call__(self, image: Any) -> Any:
        network = self.model
        like = next(network.parameters())
        return network(image.to(like)).to(image)

    def to(self, *args: Any, **kwargs: Any) -> UpscaleModel:
        """Itself: it is moved when it is used."""
        del args, kwargs
        return self

    cpu = cuda = eval = float = half = to

    def __getattr__(self, name: str) -> Any:
        raise not_here("UPSCALE_MODEL", name)


def description_of(value: Any) -> Any:
    """The description in one of the objects above; AttributeError for something else."""
    return value.description
