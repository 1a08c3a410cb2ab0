"""Nodes that count their calls, for what is run again and what is not."""

import hashlib

from aiohttp import web
from server import PromptServer

CALLS = {}


def called(name):
    CALLS[name] = CALLS.get(name, 0) + 1
    return CALLS[name]


@PromptServer.instance.routes.get("/wild/calls")
async def get_calls(request):
    return web.json_response(CALLS)


@PromptServer.instance.routes.post("/wild/reset")
async def reset(request):
    CALLS.clear()
    return web.Response(status=204)


class Anything(str):
    def __ne__(self, other):
        return False


any_type = Anything("*")


class Number:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {"value": ("FLOAT", {"default": 1.0, "step": 0.1, "round": False})},
            "optional": {"name": ("STRING", {"default": "number"})},
        }

    RETURN_TYPES = ("FLOAT", "INT", "STRING")
    FUNCTION = "run"
    CATEGORY = "wild"

    def run(self, value, name="number"):
        called(name)
        return (value, int(value), str(value))


class Out:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"value": (any_type,)}}

    RETURN_TYPES = (any_type,)
    INPUT_IS_LIST = True
    OUTPUT_IS_LIST = (True,)
    OUTPUT_NODE = True
    FUNCTION = "run"

    def run(self, value):
        called("out")
        return {"ui": {"shown": [repr(v) for v in value]}, "result": (value,)}


class OnlyUi:
    """Has outputs and gives none of them."""

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"value": (any_type,)}}

    RETURN_TYPES = ("STRING", "INT")
    OUTPUT_NODE = True
    FUNCTION = "run"

    def run(self, value):
        return {"ui": {"shown": (repr(value),)}}


class Nothing:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"value": (any_type,)}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    def run(self, value):
        called("nothing")


class Fingerprint:
    """IS_CHANGED in the ways in which people write it."""

    @classmethod
    def INPUT_TYPES(s):
        kinds = ["constant", "bytes", "hash", "dict", "object", "counter", "true"]
        return {
            "required": {"kind": (kinds,), "seed": ("INT", {"default": 0})},
            "optional": {"extra": (any_type,)},
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    @classmethod
    def IS_CHANGED(s, kind, seed, extra=None, **kwargs):
        called(f"changed {kind}")
        return {
            "constant": "same",
            "bytes": b"same",
            "hash": hashlib.sha256(b"x").hexdigest(),
            "dict": {"a": [1, 2], "b": None},
            "object": object(),
            "counter": CALLS.get("bump", 0),
            "true": True,
        }[kind]

    def run(self, kind, seed, extra=None, unique_id=None):
        called(f"ran {kind}")
        return (seed,)


class WrongIsChanged:
    """Not a class method: the call fails, so that it always runs."""

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"value": ("INT", {"default": 1})}}

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    def IS_CHANGED(self, value):
        return "same"

    def run(self, value):
        called("wrong is_changed")
        return (value,)


class NarrowIsChanged(WrongIsChanged):
    """Names only some of its inputs."""

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {"value": ("INT", {"default": 1}), "other": ("INT", {"default": 1})},
        }

    @staticmethod
    def IS_CHANGED(value, other):
        called(f"seen {value} {other}")
        return f"{value} {other}"

    def run(self, value, other):
        called("narrow")
        return (value,)


CLASSES = [Number, Out, OnlyUi, Nothing, Fingerprint, WrongIsChanged, NarrowIsChanged]
