"""Nodes in ComfyUI's third form."""

import asyncio

from comfy_api.latest import ComfyAPI, ComfyAPISync, ComfyExtension, io, ui
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
        return [Value, Show, Spread, Either, Grow, Checked, Progress, ProgressSync, Picture]


async def comfy_entrypoint():
    return Extension()
