"""Loops, switches, lists, blockers, slow nodes."""

import asyncio
import time

import comfy.model_management as mm
from comfy.utils import ProgressBar
from comfy_execution.graph import ExecutionBlocker
from comfy_execution.graph_utils import GraphBuilder, is_link

from .counting import any_type, called

SLOTS = 4


class WhileOpen:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"condition": ("BOOLEAN", {"default": True})},
            "optional": {f"value_{i}": (any_type,) for i in range(SLOTS)},
        }

    RETURN_TYPES = ("FLOW", *(any_type,) * SLOTS)
    RETURN_NAMES = ("flow", *(f"value_{i}" for i in range(SLOTS)))
    FUNCTION = "run"

    def run(self, condition, **kwargs):
        called("while open")
        values = [
            kwargs.get(f"value_{i}") if condition else ExecutionBlocker(None) for i in range(SLOTS)
        ]
        return ("stub", *values)


class WhileClose:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "flow": ("FLOW", {"rawLink": True}),
                "condition": ("BOOLEAN", {"forceInput": True}),
            },
            "optional": {f"value_{i}": (any_type,) for i in range(SLOTS)},
            "hidden": {"dynprompt": "DYNPROMPT", "unique_id": "UNIQUE_ID"},
        }

    RETURN_TYPES = (any_type,) * SLOTS
    FUNCTION = "run"

    def upstream(self, node_id, dynprompt, parents):
        for value in dynprompt.get_node(node_id)["inputs"].values():
            if is_link(value):
                if value[0] not in parents:
                    parents[value[0]] = []
                    self.upstream(value[0], dynprompt, parents)
                parents[value[0]].append(node_id)

    def collect(self, node_id, parents, contained):
        for child in parents.get(node_id, []):
            if child not in contained:
                contained[child] = True
                self.collect(child, parents, contained)

    def run(self, flow, condition, dynprompt=None, unique_id=None, **kwargs):
        called("while close")
        if not condition:
            return tuple(kwargs.get(f"value_{i}") for i in range(SLOTS))
        parents = {}
        self.upstream(unique_id, dynprompt, parents)
        contained = {}
        open_node = flow[0]
        self.collect(open_node, parents, contained)
        contained[unique_id] = contained[open_node] = True
        graph = GraphBuilder()
        for node_id in contained:
            original = dynprompt.get_node(node_id)
            node = graph.node(
                original["class_type"], "Recurse" if node_id == unique_id else node_id
            )
            node.set_override_display_id(node_id)
        for node_id in contained:
            original = dynprompt.get_node(node_id)
            node = graph.lookup_node("Recurse" if node_id == unique_id else node_id)
            for name, value in original["inputs"].items():
                if is_link(value) and value[0] in contained:
                    parent = graph.lookup_node(value[0])
                    node.set_input(name, parent.out(value[1]))
                else:
                    node.set_input(name, value)
        new_open = graph.lookup_node(open_node)
        for i in range(SLOTS):
            new_open.set_input(f"value_{i}", kwargs.get(f"value_{i}"))
        clone = graph.lookup_node("Recurse")
        return {"result": tuple(clone.out(i) for i in range(SLOTS)), "expand": graph.finalize()}


class ForOpen:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"remaining": ("INT", {"default": 1, "min": 0, "max": 1000})},
            "optional": {f"value_{i}": (any_type,) for i in range(1, SLOTS)},
            "hidden": {"value_0": (any_type,)},
        }

    RETURN_TYPES = ("FLOW", "INT", *(any_type,) * (SLOTS - 1))
    FUNCTION = "run"

    def run(self, remaining, **kwargs):
        called("for open")
        graph = GraphBuilder()
        if kwargs.get("value_0") is not None:
            remaining = kwargs["value_0"]
        values = {f"value_{i}": kwargs.get(f"value_{i}") for i in range(1, SLOTS)}
        graph.node("WildWhileOpen", "open", condition=remaining, value_0=remaining, **values)
        outs = [kwargs.get(f"value_{i}") for i in range(1, SLOTS)]
        return {"result": ("stub", remaining, *outs), "expand": graph.finalize()}


class ForClose:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"flow": ("FLOW", {"rawLink": True})},
            "optional": {f"value_{i}": (any_type, {"rawLink": True}) for i in range(1, SLOTS)},
        }

    RETURN_TYPES = (any_type,) * (SLOTS - 1)
    FUNCTION = "run"

    def run(self, flow, **kwargs):
        called("for close")
        graph = GraphBuilder()
        open_id = flow[0]
        left = graph.node("WildMath", operation="subtract", a=[open_id, 1], b=1)
        go_on = graph.node("WildToBool", value=left.out(0))
        given = {f"value_{i}": kwargs.get(f"value_{i}") for i in range(1, SLOTS)}
        close = graph.node(
            "WildWhileClose", flow=flow, condition=go_on.out(0), value_0=left.out(0), **given
        )
        return {
            "result": tuple(close.out(i) for i in range(1, SLOTS)),
            "expand": graph.finalize(),
        }


class Math:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "a": ("INT", {"default": 0, "min": -(2**63), "max": 2**63}),
                "b": ("INT", {"default": 0, "min": -(2**63), "max": 2**63}),
                "operation": (["add", "subtract", "multiply"],),
            }
        }

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    def run(self, a, b, operation):
        called(f"math {operation}")
        return ({"add": a + b, "subtract": a - b, "multiply": a * b}[operation],)


class ToBool:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 0})}}

    RETURN_TYPES = ("BOOLEAN",)
    FUNCTION = "run"

    def run(self, value):
        return (value > 0,)


class Switch:
    """Lazy, all optional: only the chosen side is run."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"which": ("INT", {"default": 0})},
            "optional": {
                "a": (any_type, {"lazy": True}),
                "b": (any_type, {"lazy": True}),
                "c": ("INT", {"lazy": True, "default": 7}),
            },
        }

    RETURN_TYPES = (any_type,)
    FUNCTION = "run"

    def check_lazy_status(self, which, **kwargs):
        called("lazy " + ",".join(sorted(kwargs)))
        name = "abc"[which]
        if name in kwargs and kwargs[name] is None:
            return [name]

    def run(self, which, a="no a", b="no b", c="no c"):
        called("switch")
        return ((a, b, c)[which],)


class LazyList:
    """Lists, lazily: what is not there is (None,)."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "first": (any_type, {"lazy": True}),
                "second": (any_type, {"lazy": True}),
                "enough": ("INT", {"default": 3}),
            }
        }

    RETURN_TYPES = (any_type,)
    INPUT_IS_LIST = True
    OUTPUT_IS_LIST = (True,)
    FUNCTION = "run"

    def check_lazy_status(self, first, second, enough):
        called(f"lazy list {first} {second} {enough}")
        if first == (None,):
            return ["first"]
        if len(first) < enough[0] and second == (None,):
            return ["second"]
        return []

    def run(self, first, second, enough):
        both = first + (list(second) if second != (None,) else [])
        return (both[: enough[0]],)


class NeverLazy:
    """Lazy inputs without check_lazy_status stay as they are."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (any_type, {"lazy": True})}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"

    def run(self, value):
        return (repr(value),)


class AsyncSwitch(Switch):
    async def check_lazy_status(self, which, **kwargs):
        await asyncio.sleep(0.01)
        return super().check_lazy_status(which, **kwargs)

    async def run(self, which, **kwargs):
        await asyncio.sleep(0.01)
        return super().run(which, **kwargs)


class ListOf:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"multiline": True, "default": "a\nb"})}}

    RETURN_TYPES = ("STRING", "INT", "STRING")
    RETURN_NAMES = ("line", "count", "lines")
    OUTPUT_IS_LIST = (True, False, False)
    FUNCTION = "run"

    def run(self, text):
        lines = [line for line in text.split("\n") if line]
        return (lines, len(lines), lines)


class Join:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"a": ("STRING", {"forceInput": True}), "b": ("STRING", {"default": "-"})},
            "optional": {"c": ("STRING", {"forceInput": True})},
        }

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"

    def run(self, a, b, c=""):
        called("join")
        return (f"{a}{b}{c}",)


class JoinAll:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "a": ("STRING", {"forceInput": True}),
                "sep": ("STRING", {"default": "+"}),
            },
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    RETURN_TYPES = ("STRING",)
    INPUT_IS_LIST = True
    FUNCTION = "run"

    def run(self, a, sep, unique_id):
        assert isinstance(unique_id, list)
        return (f"{sep[0].join(a)}@{unique_id[0]}",)


class Block:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"value": (any_type,), "block": ("BOOLEAN", {"default": True})},
            "optional": {"verbose": ("BOOLEAN", {"default": False})},
        }

    RETURN_TYPES = (any_type, any_type)
    FUNCTION = "run"

    def run(self, value, block, verbose=False):
        if block:
            return ExecutionBlocker("Blocked by the test" if verbose else None)
        return (value, value)


class Sleep:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (any_type,), "seconds": ("FLOAT", {"default": 0.2})}}

    RETURN_TYPES = (any_type, "FLOAT", "FLOAT")
    FUNCTION = "run"

    async def run(self, value, seconds):
        began = time.monotonic()
        await asyncio.sleep(seconds)
        return (value, began, time.monotonic())


class Sleeps:
    """Grows into several sleeping nodes, which overlap."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"count": ("INT", {"default": 3})}}

    RETURN_TYPES = (any_type,)
    FUNCTION = "run"

    async def run(self, count):
        graph = GraphBuilder()
        slept = [graph.node("WildSleep", value=i, seconds=0.3) for i in range(count)]
        spans = graph.node(
            "WildSpans", **{f"span_{i}": s.out(1 + i % 2) for i, s in enumerate(slept)}
        )
        return {"result": (spans.out(0),), "expand": graph.finalize()}


class Spans:
    """Takes whatever is linked, named or not."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}, "optional": {}}

    RETURN_TYPES = (any_type,)
    FUNCTION = "run"

    def run(self, **kwargs):
        values = [kwargs[name] for name in sorted(kwargs)]
        return (max(values) - min(values),)


class Timeout:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"seconds": ("FLOAT", {"default": 0.05})}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"

    async def run(self, seconds):
        await asyncio.wait_for(asyncio.sleep(5), seconds)
        return ("never",)


class Interruptible:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"how": (["bar", "throw", "loop", "catch"],)},
            "optional": {"steps": ("INT", {"default": 100000})},
        }

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    def run(self, how, steps=100000):
        if how == "bar":
            bar = ProgressBar(steps)
            for _ in range(steps):
                bar.update(1)
                time.sleep(0.001)
        if how == "throw":
            while True:
                mm.throw_exception_if_processing_interrupted()
                time.sleep(0.01)
        if how == "loop":
            while True:
                pass
        if how == "catch":
            while True:
                try:
                    while True:
                        pass
                except Exception:
                    pass
        return (1,)


class InterruptibleLater:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    async def run(self):
        await asyncio.sleep(0.01)
        while True:
            pass


class EndlessIsChanged:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    @classmethod
    def IS_CHANGED(cls):
        called("endless is_changed")
        while True:
            pass

    def run(self):
        return (1,)


class Fails:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (any_type,)}}

    RETURN_TYPES = (any_type,)
    FUNCTION = "run"

    def run(self, value):
        raise RuntimeError("it went wrong")


class CannotBegin(Fails):
    def __init__(self):
        raise ValueError("no object of me")


CLASSES = [
    WhileOpen, WhileClose, ForOpen, ForClose, Math, ToBool, Switch, LazyList, NeverLazy,
    AsyncSwitch, ListOf, Join, JoinAll, Block, Sleep, Sleeps, Spans, Timeout, Interruptible, InterruptibleLater, EndlessIsChanged, Fails,
    CannotBegin,
]  # fmt: skip
