"""The nodes."""

import asyncio
import sys
import time

import folder_paths
from aiohttp import web
from comfy.comfy_types import IO, ComfyNodeABC
from comfy.utils import ProgressBar
from comfy_execution.graph import ExecutionBlocker
from comfy_execution.graph_utils import GraphBuilder, is_link
from server import PromptServer


class AnyType(str):
    """Differs from no type."""

    def __ne__(self, other):
        return False

    __hash__ = str.__hash__


ANY = AnyType("*")
CALLS = {}


def called(name):
    CALLS[name] = CALLS.get(name, 0) + 1
    return CALLS[name]


@PromptServer.instance.routes.get("/old_style/calls")
async def get_calls(request):
    return web.json_response(CALLS)


@PromptServer.instance.routes.post("/old_style/forget")
async def forget_calls(request):
    CALLS.clear()
    return web.json_response({})


class Value:
    """A number, counted when it runs."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "value": ("INT", {"default": 3, "min": 0, "max": 100, "tooltip": "Which."})
            },
            "optional": {"name": ("STRING", {"default": "value"})},
        }

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "test/old"

    def run(self, value, name="value"):
        called(name)
        return (value,)


class Show:
    """Shows what comes in, all of it."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY, {})}}

    INPUT_IS_LIST = True
    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"
    CATEGORY = "test/old"

    def run(self, value):
        called("show")
        return {"ui": {"shown": [str(item) for item in value]}}


class ShowEach:
    """Shows one item a call."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY, {})}, "optional": {"other": (ANY, {})}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    def run(self, value, other=None):
        return {"ui": {"shown": [f"{value}/{other}"]}}


class Spread:
    """A list of numbers; each goes on by itself."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"count": ("INT", {"default": 3})}}

    RETURN_TYPES = ("INT", "INT")
    RETURN_NAMES = ("each", "all")
    OUTPUT_IS_LIST = (True, False)
    FUNCTION = "run"

    def run(self, count):
        return (list(range(count)), count)


class Gather:
    """All items in one call; widgets come as lists too."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"items": ("INT", {"forceInput": True}), "scale": ("INT", {"default": 2})}
        }

    INPUT_IS_LIST = True
    RETURN_TYPES = ("INT", "STRING")
    OUTPUT_IS_LIST = (True, False)
    FUNCTION = "run"

    def run(self, items, scale):
        called("gather")
        return ([item * scale[0] for item in items], f"{items}*{scale}")


class Mix:
    """Takes one of two numbers, and asks only for what it needs, in several rounds."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "first": ("INT", {"lazy": True}),
                "second": ("INT", {"lazy": True}),
                "which": ("INT", {"default": 0}),
            }
        }

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    def check_lazy_status(self, first, second, which):
        called("asked")
        if which == 0:
            return ["first"] if first is None else []
        if which == 1:
            return ["second"] if second is None else []
        if first is None:
            return ["first"]
        return ["second"] if second is None else []

    def run(self, first, second, which):
        called("mixed")
        return ((first or 0) + (second or 0),)


class Gate:
    """Lets a value pass, or blocks what is behind."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "value": (ANY, {}),
                "open": ("BOOLEAN", {"default": True}),
                "reason": ("STRING", {"default": ""}),
            }
        }

    RETURN_TYPES = (ANY,)
    FUNCTION = "run"

    def run(self, value, open, reason):
        if open:
            return (value,)
        return (ExecutionBlocker(reason or None),)


class GateOdd:
    """Blocks every odd number of a list."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"forceInput": True})}}

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    def run(self, value):
        return (ExecutionBlocker(None) if value % 2 else value,)


class CountDown:
    """Loops by growing: one node for each step, and a copy of itself for the rest."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"total": ("INT", {"default": 0}), "left": ("INT", {"default": 3})},
            "hidden": {"unique_id": "UNIQUE_ID", "dynprompt": "DYNPROMPT"},
        }

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    def run(self, total, left, unique_id, dynprompt):
        assert dynprompt.get_node(unique_id)["class_type"] == "OldCountDown"
        assert dynprompt.has_node(unique_id) and unique_id in dynprompt.all_node_ids()
        called(f"count {dynprompt.get_display_node_id(unique_id)}")
        if left == 0:
            return (total,)
        graph = GraphBuilder()
        step = graph.node("OldValue", value=left, name=f"step {left}")
        added = graph.node("OldAdd", a=total, b=step.out(0))
        rest = graph.node("OldCountDown", "rest", total=added.out(0), left=left - 1)
        rest.set_override_display_id(dynprompt.get_display_node_id(unique_id))
        return {"result": (rest.out(0),), "expand": graph.finalize()}


class Add:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": ("INT", {}), "b": ("INT", {"forceInput": True})}}

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    def run(self, a, b):
        return (a + b,)


class Expander:
    """Grows in the ways that a test asks for."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "how": (["tensor", "mixed", "twice", "circle", "sink"],),
                "value": ("INT", {"default": 1}),
            },
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    RETURN_TYPES = (ANY,)
    FUNCTION = "run"

    def run(self, how, value, unique_id):
        graph = GraphBuilder()
        if how == "tensor":
            import torch

            mask = graph.node("OldPass", value=torch.full((1, 2, 2), 0.5))
            return {"result": (mask.out(0),), "expand": graph.finalize()}
        if how == "mixed" and value % 2:
            return (f"plain {value}",)
        if how == "mixed":
            node = graph.node("OldPass", value=f"grown {value}")
            return {"result": (node.out(0),), "expand": graph.finalize()}
        if how == "twice":
            return {"result": (["1", 0],), "expand": {"1": {"class_type": "OldPass", "inputs": {}}}}
        if how == "circle":
            first = graph.node("OldPass", "first")
            second = graph.node("OldPass", "second", value=first.out(0))
            first.set_input("value", second.out(0))
            return {"result": (second.out(0),), "expand": graph.finalize()}
        graph.node("OldShow", "show", value=f"inner {value}")
        return {"result": (value,), "expand": graph.finalize()}


class Pass:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY, {})}}

    RETURN_TYPES = (ANY,)
    FUNCTION = "run"

    def run(self, value):
        return (value,)


class Sleep:
    """Waits without keeping others from running."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY, {}), "seconds": ("FLOAT", {"default": 0.3})}}

    RETURN_TYPES = (ANY,)
    FUNCTION = "run"

    async def run(self, value, seconds):
        began = time.monotonic()
        await asyncio.sleep(seconds)
        return ((began, time.monotonic()),)


class FailLater:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY, {})}}

    RETURN_TYPES = (ANY,)
    FUNCTION = "run"

    async def run(self, value):
        await asyncio.sleep(0.01)
        raise ValueError("failed later")


class Clock:
    """Runs anew as its IS_CHANGED says."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"how": (["same", "nan", "raise", "list", "async"],)},
            "optional": {"extra": ("INT", {})},
        }

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    @classmethod
    def IS_CHANGED(cls, how, extra=None):
        called(f"is_changed {how}")
        if how == "raise":
            raise RuntimeError("no idea")
        return {"same": 1, "nan": float("nan"), "list": [1, "two"]}.get(how, 1)

    def run(self, how, extra=None):
        return (called(f"clock {how}"),)


class PerNode:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {})}}

    NOT_IDEMPOTENT = True
    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    def run(self, value):
        called("per node")
        return (value,)


class Checked:
    """Checks its own inputs."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "number": ("INT", {"min": 0, "max": 10}),
                "choice": (["a", "b"],),
                "free": ("INT", {"min": 0, "max": 10}),
            },
        }

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    @classmethod
    def VALIDATE_INPUTS(cls, number, choice):
        if number is None:
            return True
        if number == 13:
            return "13 brings no luck"
        if number == 14:
            return False
        if number == 15:
            raise RuntimeError("cannot check 15")
        return True

    def run(self, number, choice, free):
        return {"ui": {"shown": [f"{number} {choice} {free}"]}}


class CheckedTypes:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("STRING", {"forceInput": True})}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    @classmethod
    def VALIDATE_INPUTS(cls, input_types):
        if input_types["value"] not in ("INT", "FLOAT"):
            return f"{input_types['value']} is no number"
        return True

    def run(self, value):
        return {"ui": {"shown": [str(value)]}}


class CheckedLater:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"number": ("INT", {"min": 0, "max": 1})}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    @classmethod
    async def VALIDATE_INPUTS(cls, **kwargs):
        await asyncio.sleep(0)
        return True if kwargs["number"] < 7 else "too large"

    def run(self, number):
        return {"ui": {"shown": [str(number)]}}


class Links:
    """Gets links instead of values, and names that it did not declare."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"raw": (ANY, {"rawLink": True})},
            "hidden": {"prompt": "PROMPT", "info": "EXTRA_PNGINFO", "unique_id": "UNIQUE_ID"},
        }

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    def run(self, raw, prompt, info, unique_id, **kwargs):
        assert is_link(raw), raw
        shown = [str(raw), prompt[unique_id]["class_type"], str(info), str(sorted(kwargs.items()))]
        return {"ui": {"shown": shown}}


class Kept:
    """Counts its calls in its object, which lives as long as its node."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"value": ("INT", {})},
            "optional": {"fail": ("BOOLEAN", {"default": False})},
        }

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    def __init__(self):
        self.calls = 0

    def run(self, value, fail=False):
        self.calls += 1
        return {"ui": {"shown": [str(self.calls)]}}


class Progress:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"steps": ("INT", {"default": 3})}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    def run(self, steps):
        bar = ProgressBar(steps)
        for _ in range(steps):
            bar.update(1)
        PromptServer.instance.send_sync(
            "old_style", {"steps": steps}, PromptServer.instance.client_id
        )
        return {"ui": {"shown": [PromptServer.instance.last_node_id]}}


class Wrong:
    """Does what a node must not."""

    @classmethod
    def INPUT_TYPES(cls):
        how = ["few", "none", "text", "exit", "raise", "base", "ui", "print", "mutate"]
        return {"required": {"how": (how,)}, "optional": {"image": ("MASK",)}}

    RETURN_TYPES = ("INT", "INT")
    FUNCTION = "run"
    DEPRECATED = True

    def run(self, how, image=None):
        if how == "few":
            return (1,)
        if how == "none":
            return None
        if how == "text":
            return "text"
        if how == "exit":
            sys.exit(3)
        if how == "raise":
            raise KeyError("missing thing")
        if how == "base":
            raise BaseException("worse than an exception")
        if how == "ui":
            return {"ui": {"shown": [object()]}, "result": (1, 2)}
        if how == "print":
            print("x" * 3_000_000)
        if how == "mutate":
            image.mul_(0)
        return (1, 2)


class Typed(ComfyNodeABC):
    """Types of several kinds."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "plain": ("*", {}),
                "any": (IO.ANY, {}),
                "set": ("INT,FLOAT", {}),
                "file": (
                    ["none", *folder_paths.get_filename_list("checkpoints")],
                    {"image_upload": True},
                ),
            }
        }

    RETURN_TYPES = ("INT", ["a", "b"])
    RETURN_NAMES = ("number", "choice")
    OUTPUT_TOOLTIPS = ("A number.", "A choice.")
    FUNCTION = "run"
    DESCRIPTION = "Shows types."
    EXPERIMENTAL = True

    def run(self, **kwargs):
        return (1, "a")


class TakesChoice:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"choice": (["a", "b"],)}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    def run(self, choice):
        return {"ui": {"shown": [choice]}}


class Broken:
    """Cannot describe itself."""

    broken = False

    @classmethod
    def INPUT_TYPES(cls):
        if cls.broken:
            raise RuntimeError("the folder has gone")
        return {"required": {"value": ("INT", {})}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    def run(self, value):
        return ()


CLASSES = [
    Value, Show, ShowEach, Spread, Gather, Mix, Gate, GateOdd, CountDown, Add, Expander, Pass,
    Sleep, FailLater, Clock, PerNode, Checked, CheckedTypes, CheckedLater, Links, Kept, Progress,
    Wrong, Typed, TakesChoice, Broken,
]  # fmt: skip
NODE_CLASS_MAPPINGS = {f"Old{cls.__name__}": cls for cls in CLASSES}
NODE_DISPLAY_NAME_MAPPINGS = {"OldValue": "An old value"}
