"""Nodes in ComfyUI's third form."""

import asyncio

from comfy_api.latest import (
    ComfyAPI,
    ComfyAPISync,
    ComfyExtension,
    Input,
    InputImpl,
    Types,
    io,
    ui,
)
from comfy_execution.graph_utils import GraphBuilder

CALLS = {}


def called(name):
    CALLS[name] = CALLS.get(name, 0) + 1
    return CALLS[name]


class Value(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="NewValue",
            display_name="A new value",
            category="test/new",
            description="A number.",
            inputs=[
                io.Int.Input("value", default=3, min=0, max=100, tooltip="Which."),
                io.Combo.Input("choice", options=["a", "b"], default="a", optional=True),
            ],
            outputs=[io.Int.Output("number", display_name="Number", tooltip="It.")],
            is_experimental=True,
        )

    @classmethod
    def execute(cls, value, choice="a"):
        called("value")
        return io.NodeOutput(value)


class Grows(io.ComfyNode):
    """Inputs that stand for several."""

    @classmethod
    def define_schema(cls):
        numbered = io.Autogrow.TemplatePrefix(io.Int.Input("n"), prefix="n", min=1, max=4)
        named = io.Autogrow.TemplateNames(io.Int.Input("n"), names=["left", "right"], min=0)
        options = [
            io.DynamicCombo.Option("sum", []),
            io.DynamicCombo.Option(
                "power", [io.Int.Input("by", default=2), io.Int.Input("plus", default=0)]
            ),
        ]
        return io.Schema(
            node_id="NewGrows",
            search_aliases=["many"],
            inputs=[
                io.Autogrow.Input("numbers", template=numbered),
                io.Autogrow.Input("sides", template=named, optional=True),
                io.DynamicCombo.Input("mode", options=options),
            ],
            outputs=[io.Int.Output(), io.String.Output()],
        )

    @classmethod
    def execute(cls, numbers: io.Autogrow.Type, sides, mode):
        total = sum(numbers.values())
        if mode["mode"] == "power":
            total = total ** mode["by"] + mode["plus"]
        return io.NodeOutput(total, ",".join([*numbers, *sides]))


class OneType(io.ComfyNode):
    """One type, whichever it is."""

    @classmethod
    def define_schema(cls):
        kind = io.MatchType.Template("kind", allowed_types=[io.Int, io.String])
        return io.Schema(
            node_id="NewOneType",
            inputs=[
                io.Boolean.Input("first"),
                io.MatchType.Input("a", template=kind, lazy=True),
                io.MatchType.Input("b", template=kind, lazy=True),
            ],
            outputs=[io.MatchType.Output(template=kind, display_name="one")],
        )

    @classmethod
    def check_lazy_status(cls, first, a=None, b=None):
        return ["a" if first else "b"]

    @classmethod
    def execute(cls, first, a=None, b=None):
        return io.NodeOutput(a if first else b)


@io.comfytype(io_type="PAIR")
class Pair(io.ComfyTypeIO):
    Type = tuple[int, int]

    class Input(io.Input):
        """With an option of its own."""

        def __init__(self, id, *, swapped=False, **more):
            super().__init__(id, extra_dict={"swapped": swapped}, **more)


class MakePair(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        number = {"control_after_generate": io.ControlAfterGenerate.increment}
        return io.Schema(
            node_id="NewMakePair",
            inputs=[io.Int.Input("a", **number), io.Int.Input("b", default=2)],
            outputs=[Pair.Output()],
        )

    @classmethod
    def execute(cls, a, b) -> Pair.Type:
        return io.NodeOutput((a, b))


class TakePair(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="NewTakePair",
            inputs=[Pair.Input("pair", swapped=True)],
            outputs=[io.String.Output()],
        )

    @classmethod
    def execute(cls, pair: Pair.Type, video: Input.Video = None) -> io.NodeOutput:
        assert Types.VideoCodec.AUTO and not isinstance(pair, InputImpl.VideoFromFile)
        return io.NodeOutput(str(pair))


class Sound(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(node_id="NewSound", inputs=[], outputs=[], is_output_node=True)

    @classmethod
    def execute(cls):
        import torch

        sound = {"waveform": torch.zeros(1, 2, 800), "sample_rate": 8000}
        return io.NodeOutput(ui=ui.PreviewAudio(sound, cls=cls))


class Show(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="NewShow",
            inputs=[io.AnyType.Input("value")],
            outputs=[],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
            is_input_list=True,
        )

    @classmethod
    def execute(cls, value):
        assert cls.hidden.prompt[cls.hidden.unique_id]["class_type"] == "NewShow"
        return io.NodeOutput(ui={"shown": [str(item) for item in value]})


class Spread(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="NewSpread",
            inputs=[io.Int.Input("count")],
            outputs=[io.Int.Output(is_output_list=True)],
        )

    @classmethod
    def execute(cls, count):
        return io.NodeOutput(list(range(count)))


class Either(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="NewEither",
            inputs=[
                io.AnyType.Input("first", lazy=True),
                io.AnyType.Input("second", lazy=True),
                io.Boolean.Input("use_first", default=True),
            ],
            outputs=[io.AnyType.Output()],
        )

    @classmethod
    def check_lazy_status(cls, first, second, use_first):
        wanted, value = ("first", first) if use_first else ("second", second)
        return [wanted] if value is None else []

    @classmethod
    def execute(cls, first, second, use_first):
        return io.NodeOutput(first if use_first else second)


class Grow(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="NewGrow",
            inputs=[io.Int.Input("value"), io.String.Input("block", default="")],
            outputs=[io.Int.Output()],
            enable_expand=True,
        )

    @classmethod
    def execute(cls, value, block):
        if block:
            return io.NodeOutput(block_execution=block)
        graph = GraphBuilder()
        inner = graph.node("NewValue", value=value)
        return io.NodeOutput(inner.out(0), expand=graph.finalize())


class Checked(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="NewChecked",
            inputs=[
                io.Int.Input("value", min=0, max=5),
                io.MultiType.Input("many", [io.Int, io.Float], optional=True),
            ],
            outputs=[io.Int.Output()],
            not_idempotent=True,
        )

    @classmethod
    def validate_inputs(cls, value):
        return True if value < 50 else "far too large"

    @classmethod
    def fingerprint_inputs(cls, value, **kwargs):
        return float("nan")

    @classmethod
    def execute(cls, value, many=None):
        return io.NodeOutput(called("checked"))


class Progress(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="NewProgress",
            inputs=[io.Int.Input("steps", default=4)],
            outputs=[io.Int.Output()],
        )

    @classmethod
    async def execute(cls, steps):
        api = ComfyAPI()
        for step in range(steps):
            await api.execution.set_progress(step + 1, steps)
            await asyncio.sleep(0.005)
        return io.NodeOutput(steps)


class ProgressSync(Progress):
    @classmethod
    def define_schema(cls):
        schema = super().define_schema()
        schema.node_id = "NewProgressSync"
        return schema

    @classmethod
    def execute(cls, steps):
        ComfyAPISync().execution.set_progress(steps, steps)
        return (steps,)


class Picture(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="NewPicture",
            inputs=[io.Image.Input("image"), io.Boolean.Input("save", default=False)],
            outputs=[io.Image.Output()],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, image, save):
        if save:
            shown = ui.ImageSaveHelper.get_save_images_ui(image, "new/picture", cls=cls)
        else:
            shown = ui.PreviewImage(image, cls=cls)
        return io.NodeOutput(1 - image, ui=shown)


class Extension(ComfyExtension):
    async def get_node_list(self):
        return [
            Value,
            Show,
            Spread,
            Either,
            Grow,
            Checked,
            Progress,
            ProgressSync,
            Picture,
            Grows,
            OneType,
            MakePair,
            TakePair,
            Sound,
        ]


async def comfy_entrypoint():
    return Extension()
