"""Nodes of the third form beside older ones in one mapping."""

from comfy_api.latest import ComfyAPISync, io, ui
from comfy_execution.graph import ExecutionBlocker
from comfy_execution.graph_utils import GraphBuilder

from .counting import called


class Third(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="WildThird",
            display_name="Third",
            category="wild",
            inputs=[
                io.Int.Input("value", default=1, min=0, max=10, control_after_generate=True),
                io.Combo.Input(
                    "how",
                    options=[
                        "value",
                        "tuple",
                        "block",
                        "quiet",
                        "expand",
                        "none",
                        "lock",
                        "ui",
                        "list",
                        "fail",
                        "text",
                    ],
                ),
                io.MultiCombo.Input("tags", options=["a", "b", "c"], default=["a"], optional=True),
                io.Custom("WILD_THING").Input("thing", optional=True),
                io.MultiType.Input(io.Int.Input("either", default=3), [io.Float], optional=True),
            ],
            outputs=[
                io.AnyType.Output("out", display_name="Out"),
                io.Custom("WILD_THING").Output(),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt, io.Hidden.extra_pnginfo],
            enable_expand=True,
        )

    @classmethod
    def execute(cls, value, how, tags=None, thing=None, either=None):
        called(f"third {how}")
        if how == "tuple":
            return (value, "thing")
        if how == "block":
            return io.NodeOutput(block_execution="third says no")
        if how == "quiet":
            return ExecutionBlocker(None)
        if how == "expand":
            graph = GraphBuilder()
            inner = graph.node("WildNumber", value=value)
            return io.NodeOutput(inner.out(1), "thing", expand=graph.finalize())
        if how == "none":
            return None
        if how == "lock":
            cls.kept = value
        if how == "ui":
            return io.NodeOutput(value, "thing", ui=ui.PreviewText(f"{tags} {thing} {either}"))
        if how == "list":
            return io.NodeOutput(cls.hidden.unique_id, cls.hidden.dynprompt.has_node("1"))
        if how == "fail":
            raise RuntimeError("third fails")
        return io.NodeOutput(value, "thing")


class ThirdShow(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="WildThirdShow",
            inputs=[
                io.AnyType.Input("value"),
                io.Custom("WILD_THING").Input("thing", optional=True),
            ],
            is_output_node=True,
        )

    @classmethod
    async def execute(cls, value, thing=None):
        assert cls.hidden.unique_id is None
        return io.NodeOutput(
            ui={"shown": [repr(value), repr(thing), str(cls.hidden.prompt is None)]}
        )


class ThirdLazy(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="WildThirdLazy",
            inputs=[
                io.Float.Input(
                    "mix", default=0.5, min=0, max=1, display_mode=io.NumberDisplay.slider
                ),
                io.Float.Input("a", lazy=True, force_input=True),
                io.Float.Input("b", lazy=True, force_input=True),
            ],
            outputs=[io.Float.Output()],
        )

    @classmethod
    async def check_lazy_status(cls, mix, a, b):
        need = []
        if mix < 1 and a is None:
            need.append("a")
        if mix > 0 and b is None:
            need.append("b")
        return need

    @classmethod
    def execute(cls, mix, a, b):
        return io.NodeOutput((a or 0) * (1 - mix) + (b or 0) * mix)


class ThirdChecks(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="WildThirdChecks",
            inputs=[io.Int.Input("value", max=5), io.String.Input("text", default="x")],
            outputs=[io.Int.Output()],
        )

    @classmethod
    def validate_inputs(cls, value, **kwargs):
        return True if value < 10 else f"too large: {value} {sorted(kwargs)}"

    @classmethod
    def fingerprint_inputs(cls, value, **kwargs):
        called("third fingerprint")
        return value

    @classmethod
    def execute(cls, value, text):
        called("third checks")
        ComfyAPISync().execution.set_progress(value=1, max_value=2)
        return io.NodeOutput(value)


MAPPINGS = {
    "WildThird": Third,
    "WildThirdShow": ThirdShow,
    "WildThirdLazy": ThirdLazy,
    "WildThirdChecks": ThirdChecks,
}
