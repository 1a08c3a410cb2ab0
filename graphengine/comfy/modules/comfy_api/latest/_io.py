"""ComfyUI's ``comfy_api.latest.io``: schemas of nodes, and their base class.

A class answers the older form too (INPUT_TYPES, RETURN_TYPES, …), made from its schema, so that one
adapter serves both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

from graphengine.comfy.host.node_output import NodeOutput
from graphengine.comfy.host.stand_ins import missing
from graphengine.comfy.modules.comfy_api.latest._dynamic import (
    Autogrow,
    DynamicCombo,
    DynamicInput,
    declared_sections,
    gather,
)

__all__ = [
    "Autogrow",
    "ComfyNode",
    "DynamicCombo",
    "Hidden",
    "HiddenHolder",
    "NodeOutput",
    "Schema",
]


class FolderType(StrEnum):
    """Folders that files lie in."""

    input = "input"
    output = "output"
    temp = "temp"


class UploadType(StrEnum):
    """What a combo lets a person upload."""

    image = "image_upload"
    audio = "audio_upload"
    video = "video_upload"
    model = "file_upload"


class NumberDisplay(StrEnum):
    """How a number is shown."""

    number = "number"
    slider = "slider"
    gradient_slider = "gradientslider"


class ControlAfterGenerate(StrEnum):
    """What becomes of a number after each run."""

    fixed = "fixed"
    increment = "increment"
    decrement = "decrement"
    randomize = "randomize"


@dataclass
class RemoteOptions:
    """Where a combo's choices come from."""

    route: str
    refresh_button: bool
    control_after_refresh: str = "first"
    timeout: int | None = None
    max_retries: int | None = None
    refresh: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """What is given, by name."""
        return _given(vars(self))


class Hidden(StrEnum):
    """What a node may ask for beside its inputs."""

    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"
    extra_pnginfo = "EXTRA_PNGINFO"
    dynprompt = "DYNPROMPT"
    auth_token_comfy_org = "AUTH_TOKEN_COMFY_ORG"
    api_key_comfy_org = "API_KEY_COMFY_ORG"


class HiddenHolder:
    """The hidden values of one call; None for those that the schema does not ask for."""

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        for kind in Hidden:
            setattr(self, kind.name, (values or {}).get(kind.value))

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


class _Input:
    """One input of a schema: its id, whether it may be left out, and its options."""

    io_type = "*"

    def __init__(
        self,
        id: str,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        extra_dict: dict[str, Any] | None = None,
        raw_link: bool | None = None,
        advanced: bool | None = None,
        io_type: str | None = None,
        **options: Any,
    ) -> None:
        self.id = id
        self.display_name = display_name
        self.optional = optional
        self.tooltip = tooltip
        self.lazy = lazy
        self.extra_dict = extra_dict or {}
        self.raw_link = raw_link
        self.advanced = advanced
        self.io_type = io_type or self.io_type
        self.options = options

    def get_io_type(self) -> str:
        """The type that the input declares."""
        return self.io_type

    def declared(self) -> tuple[Any, dict[str, Any]]:
        """``(type, options)``."""
        own = {
            "display_name": self.display_name,
            "tooltip": self.tooltip,
            "lazy": self.lazy,
            "rawLink": self.raw_link,
            "advanced": self.advanced,
        }
        named = {_OPTION_NAMES.get(name, name): value for name, value in self.options.items()}
        both = _given({**own, **named})
        return self.get_io_type(), {**{n: _plain(v) for n, v in both.items()}, **self.extra_dict}


class _Output:
    """One output of a schema."""

    io_type = "*"

    def __init__(
        self,
        id: str | None = None,
        display_name: str | None = None,
        tooltip: str | None = None,
        is_output_list: bool = False,
        io_type: str | None = None,
        **more: Any,
    ) -> None:
        del more
        self.id = id
        self.display_name = display_name
        self.tooltip = tooltip
        self.is_output_list = is_output_list
        self.io_type = io_type or self.io_type

    def get_io_type(self) -> str:
        """The type that the output declares."""
        return self.io_type


_OPTION_NAMES = {
    "force_input": "forceInput",
    "dynamic_prompts": "dynamicPrompts",
    "display_mode": "display",
    "upload": "upload",
}


class ComfyType:
    """A type of links with its ``Input`` and ``Output``."""

    io_type = "*"
    Type: Any = Any
    Input: type[_Input] = _Input
    Output: type[_Output] = _Output


Input = WidgetInput = _Input
Output = _Output
ComfyTypeIO = ComfyTypeI = ComfyType


def comfytype(io_type: str, **more: Any) -> Callable[[type], type]:
    """Make a class a type of links by this name; it and its parts may be a plugin's own."""
    del more

    def named(cls: Any) -> Any:
        cls.io_type = io_type
        for part, base in (("Input", _Input), ("Output", _Output)):
            own = getattr(cls, part, base)
            setattr(cls, part, type(part, (own,), {"io_type": io_type}))
        return cls

    return named


class _AnyType(str):
    """A type that differs from none."""

    def __ne__(self, other: object) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def Custom(io_type: str) -> type[ComfyType]:  # ComfyUI's name
    """A type of links by its name."""
    kind = _AnyType("*") if io_type == "*" else io_type
    return type(
        str(io_type),
        (ComfyType,),
        {
            "io_type": kind,
            "Input": type("Input", (_Input,), {"io_type": kind}),
            "Output": type("Output", (_Output,), {"io_type": kind}),
        },
    )


AnyType = Custom("*")
Boolean = Custom("BOOLEAN")
Int = Custom("INT")
Float = Custom("FLOAT")
String = Custom("STRING")
Image = Custom("IMAGE")
Mask = Custom("MASK")
Latent = Custom("LATENT")
Conditioning = Custom("CONDITIONING")
Sampler = Custom("SAMPLER")
Sigmas = Custom("SIGMAS")
Noise = Custom("NOISE")
Guider = Custom("GUIDER")
Clip = Custom("CLIP")
ControlNet = Custom("CONTROL_NET")
Vae = Custom("VAE")
Model = Custom("MODEL")
ClipVision = Custom("CLIP_VISION")
ClipVisionOutput = Custom("CLIP_VISION_OUTPUT")
StyleModel = Custom("STYLE_MODEL")
Gligen = Custom("GLIGEN")
UpscaleModel = Custom("UPSCALE_MODEL")
Audio = Custom("AUDIO")
Video = Custom("VIDEO")
SVG = Custom("SVG")
LoraModel = Custom("LORA_MODEL")
LossMap = Custom("LOSS_MAP")
Voxel = Custom("VOXEL")
Mesh = Custom("MESH")
Hooks = Custom("HOOKS")
HookKeyframes = Custom("HOOK_KEYFRAMES")
TimestepsRange = Custom("TIMESTEPS_RANGE")
LatentOperation = Custom("LATENT_OPERATION")
FlowControl = Custom("FLOW_CONTROL")
Accumulation = Custom("ACCUMULATION")
Point = Custom("POINT")
BBOX = Custom("BBOX")
SEGS = Custom("SEGS")
FaceAnalysis = Custom("FACE_ANALYSIS")
Photomaker = Custom("PHOTOMAKER")
WanCameraEmbedding = Custom("WAN_CAMERA_EMBEDDING")
Webcam = Custom("WEBCAM")
Load3D = Custom("LOAD_3D")
Load3DAnimation = Custom("LOAD_3D_ANIMATION")
Load3DCamera = Custom("LOAD3D_CAMERA")
AudioEncoder = Custom("AUDIO_ENCODER")
AudioEncoderOutput = Custom("AUDIO_ENCODER_OUTPUT")
ModelPatch = Custom("MODEL_PATCH")
Color = Custom("COLOR")
BoundingBox = Custom("BOUNDING_BOX")
Tracks = Custom("TRACKS")


class _ComboInput(_Input):
    """One of several choices."""

    io_type = "COMBO"
    multiselect = False

    def __init__(self, id: str, options: Any = None, **more: Any) -> None:
        upload = more.pop("upload", None)
        extra = dict(more.pop("extra_dict", None) or {})
        if upload is not None:
            extra[_plain(upload)] = True
        if isinstance(options, type) and issubclass(options, Enum):
            options = [choice.value for choice in options]
        choices = None if options is None else [_plain(choice) for choice in options]
        default = more.get("default")
        if isinstance(default, Enum):
            more["default"] = default.value
        super().__init__(id, extra_dict=extra, **more)
        self.options = {"multiselect": self.multiselect, "options": choices, **self.options}


class _MultiComboInput(_ComboInput):
    """Some of several choices."""

    multiselect = True

    def __init__(
        self,
        id: str,
        options: Any = None,
        placeholder: str | None = None,
        chip: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(id, options, **more)
        self.options["multi_select"] = _given({"placeholder": placeholder, "chip": chip or None})


class Combo(ComfyType):
    """A type whose values are choices."""

    io_type = "COMBO"
    Input = _ComboInput
    Output = type("Output", (_Output,), {"io_type": "COMBO"})


class MultiCombo(ComfyType):
    """A type whose values are lists of choices."""

    io_type = "COMBO"
    Input = _MultiComboInput
    Output = Combo.Output


class _MultiTypeInput(_Input):
    """An input that takes several types; a given ``Input`` also lends its widget and options."""

    def __init__(self, id: Any, types: Iterable[Any], **more: Any) -> None:
        names = [_io_type(kind) for kind in types]
        widget = id if isinstance(id, _Input) else None
        if widget is not None:
            for name in ("display_name", "optional", "tooltip", "lazy", "extra_dict"):
                more.setdefault(name, getattr(widget, name))
            more = {**widget.options, **more}
            names.insert(0, widget.get_io_type())
        super().__init__(
            widget.id if widget is not None else id,
            io_type=",".join(dict.fromkeys(names)),
            **more,
        )
        if widget is not None:
            self.options["widgetType"] = widget.get_io_type()


class MultiType(ComfyType):
    """A set of types."""

    Input = _MultiTypeInput


class _MatchTemplate:
    """Inputs and outputs that have one type, whichever of some it is."""

    def __init__(self, template_id: str, allowed_types: Any = None) -> None:
        self.template_id = template_id
        several = allowed_types if isinstance(allowed_types, list | tuple) else [allowed_types]
        names = [_io_type(kind) for kind in several if kind is not None]
        self.io_type: str = ",".join(dict.fromkeys(names))
        if not names or "*" in names:
            self.io_type = _AnyType("*")


class _MatchTypeInput(_Input):
    """An input of a template's type."""

    def __init__(self, id: str, template: _MatchTemplate, **more: Any) -> None:
        super().__init__(id, io_type=template.io_type, **more)


class _MatchTypeOutput(_Output):
    """An output of a template's type."""

    def __init__(self, template: _MatchTemplate, id: str | None = None, **more: Any) -> None:
        super().__init__(id, io_type=template.io_type, **more)


class MatchType(ComfyType):
    """Types that are the same wherever a template is used."""

    Template = _MatchTemplate
    Input = _MatchTypeInput
    Output = _MatchTypeOutput


@dataclass
class Schema:
    """What a node is: its id, texts, inputs, outputs, and how it is to be run."""

    node_id: str
    display_name: str | None = None
    category: str = "sd"
    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    hidden: list[Hidden] = field(default_factory=list)
    description: str = ""
    is_input_list: bool = False
    is_output_node: bool = False
    is_deprecated: bool = False
    is_experimental: bool = False
    is_api_node: bool = False
    not_idempotent: bool = False
    enable_expand: bool = False
    accept_all_inputs: bool = False
    search_aliases: list[str] = field(default_factory=list)
    essentials_category: str | None = None
    has_intermediate_output: bool = False
    is_dev_only: bool = False
    price_badge: Any = None

    def validate(self) -> None:
        """Raise ValueError if two inputs or two outputs share an id."""
        for kind, entries in (("input", self.inputs), ("output", self.outputs)):
            ids = [entry.id for entry in entries if entry.id is not None]
            twice = sorted({each for each in ids if ids.count(each) > 1})
            if twice:
                raise ValueError(f"{self.node_id} has {kind} ids twice: {', '.join(twice)}")

    @property
    def hidden_kinds(self) -> list[Hidden]:
        """All that is asked for; what an output node writes into files comes with it."""
        extra = [Hidden.prompt, Hidden.extra_pnginfo] if self.is_output_node else []
        return list(dict.fromkeys((*self.hidden, *extra)))


class _NodeClass(type):
    """Gives node classes the older form's attributes, made from the schema."""

    def __setattr__(cls, name: str, value: Any) -> None:
        if cls.__dict__.get("_locked"):
            raise AttributeError(
                f"{cls.__name__}.{name} cannot be set while the node is called; "
                "give the value to other nodes as an output instead"
            )
        super().__setattr__(name, value)

    @property
    def schema(cls) -> Schema:
        """The schema of the class."""
        return cls.GET_SCHEMA()  # type: ignore[attr-defined,no-any-return]  # of ComfyNode

    @property
    def RETURN_TYPES(cls) -> tuple[Any, ...]:
        return tuple(output.get_io_type() for output in cls.schema.outputs)

    @property
    def RETURN_NAMES(cls) -> tuple[str, ...]:
        return tuple(
            output.display_name or output.id or str(output.get_io_type())
            for output in cls.schema.outputs
        )

    @property
    def OUTPUT_IS_LIST(cls) -> tuple[bool, ...]:
        return tuple(output.is_output_list for output in cls.schema.outputs)

    @property
    def OUTPUT_TOOLTIPS(cls) -> tuple[str | None, ...]:
        return tuple(output.tooltip for output in cls.schema.outputs)

    @property
    def INPUT_IS_LIST(cls) -> bool:
        return cls.schema.is_input_list

    @property
    def OUTPUT_NODE(cls) -> bool:
        return cls.schema.is_output_node

    @property
    def NOT_IDEMPOTENT(cls) -> bool:
        return cls.schema.not_idempotent

    @property
    def CATEGORY(cls) -> str:
        return cls.schema.category

    @property
    def DESCRIPTION(cls) -> str:
        return cls.schema.description

    @property
    def DEPRECATED(cls) -> bool:
        return cls.schema.is_deprecated

    @property
    def EXPERIMENTAL(cls) -> bool:
        return cls.schema.is_experimental

    @property
    def SEARCH_ALIASES(cls) -> list[str]:
        return cls.schema.search_aliases

    @property
    def API_NODE(cls) -> bool:
        return cls.schema.is_api_node

    @property
    def VALIDATE_INPUTS(cls) -> Callable[..., Any] | None:
        return _overridden(cls, "validate_inputs")

    @property
    def IS_CHANGED(cls) -> Callable[..., Any] | None:
        return _overridden(cls, "fingerprint_inputs")


class ComfyNode(metaclass=_NodeClass):
    """The base of nodes. Derive ``define_schema`` and ``execute`` as class methods."""

    FUNCTION = "execute"
    RELATIVE_PYTHON_MODULE: Any = None
    SCHEMA: Schema | None = None
    hidden = HiddenHolder()

    @classmethod
    def define_schema(cls) -> Schema:
        """What the node is."""
        raise NotImplementedError(f"{cls.__name__} has no define_schema()")

    @classmethod
    def validate_inputs(cls, **kwargs: Any) -> bool | str:
        """True, or what is wrong with the inputs."""
        raise NotImplementedError

    @classmethod
    def fingerprint_inputs(cls, **kwargs: Any) -> Any:
        """What else than the inputs decides the result."""
        raise NotImplementedError

    @classmethod
    def GET_SCHEMA(cls) -> Schema:
        """The schema, checked."""
        schema = cls.define_schema()
        schema.validate()
        return schema

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:
        """The inputs in the older form."""
        schema = cls.GET_SCHEMA()
        sections = declared_sections(schema.inputs)
        if schema.hidden_kinds:
            sections["hidden"] = {kind.name: (kind.value,) for kind in schema.hidden_kinds}
        return sections

    @classmethod
    def GET_NODE_INFO_V1(cls) -> dict[str, Any]:
        """The node as /object_info tells it, all keys there."""
        schema, inputs = cls.GET_SCHEMA(), cls.INPUT_TYPES()
        return {
            "input": inputs,
            "input_order": {section: list(entries) for section, entries in inputs.items()},
            "output": list(cls.RETURN_TYPES),
            "output_is_list": list(cls.OUTPUT_IS_LIST),
            "output_name": list(cls.RETURN_NAMES),
            "output_tooltips": list(cls.OUTPUT_TOOLTIPS),
            "name": schema.node_id,
            "display_name": schema.display_name,
            "description": schema.description,
            "category": schema.category,
            "output_node": schema.is_output_node,
            "deprecated": schema.is_deprecated,
            "experimental": schema.is_experimental,
            "api_node": schema.is_api_node,
        }

    @classmethod
    def HOSTED_TARGET(cls, hidden: dict[str, Any]) -> Any:
        """What is called: a class for this call alone that knows the hidden values.

        Nothing can be kept in it, as no call may depend on an earlier one.
        """
        made: Any = type(cls)  # its metaclass, which makes classes
        own = {"hidden": HiddenHolder(hidden), "_locked": True, **_gathering(cls)}
        return made(cls.__name__, (cls,), own)


def _gathering(cls: Any) -> dict[str, Any]:
    """Methods that get inputs which stand for several as one; none where there are none."""
    inputs = cls.GET_SCHEMA().inputs
    if not any(isinstance(entry, DynamicInput) for entry in inputs):
        return {}

    def around(function: Any) -> Any:
        return classmethod(lambda own, **values: function.__func__(own, **gather(inputs, values)))

    names = [name for name in ("execute", "check_lazy_status") if hasattr(cls, name)]
    return {name: around(getattr(cls, name)) for name in names}


def _overridden(cls: type, name: str) -> Callable[..., Any] | None:
    function = getattr(cls, name)
    original = getattr(ComfyNode, name)
    return None if function.__func__ is original.__func__ else function


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return value.as_dict() if hasattr(value, "as_dict") else value


def _io_type(kind: Any) -> str:
    return str(kind.io_type if hasattr(kind, "io_type") else kind)


def __getattr__(name: str) -> Any:
    return missing("comfy_api.latest.io", name)
