"""Inputs of unusual kinds, and checks of them."""

import asyncio
import json

import folder_paths

from .counting import any_type


class FlexibleOptional(dict):
    """Any further input, as lists of LoRAs and the like use it."""

    def __init__(self, type):
        self.type = type

    def __getitem__(self, key):
        return (self.type,)

    def __contains__(self, key):
        return True


class Flexible:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {},
            "optional": FlexibleOptional(any_type),
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"

    def run(self, unique_id=None, **kwargs):
        return (json.dumps(kwargs, sort_keys=True),)


class Plain:
    """All kinds of widgets; gives what it got as text."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "whole": ("INT", {"default": 1, "min": 0, "max": 10, "display": "slider"}),
                "number": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 2.0, "step": 0.01}),
                "text": ("STRING", {"default": "", "dynamicPrompts": True}),
                "yes": ("BOOLEAN", {"default": True, "label_on": "on", "label_off": "off"}),
                "choice": (["a", "b", 3, True],),
                "combo": ("COMBO", {"options": ["x", "y"], "multiselect": False}),
            },
            "optional": {"more": ("DICT",), "maybe": ("INT", {"forceInput": True})},
        }

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"

    def run(self, **kwargs):
        return (repr(kwargs),)


class Choices:
    """Choices that depend on files."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"name": (folder_paths.get_filename_list("loras"),)}}

    RETURN_TYPES = (folder_paths.get_filename_list("loras"),)
    FUNCTION = "run"

    def run(self, name):
        return (name,)


class ValidateNamed:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"a": ("INT", {"default": 0, "max": 5}), "b": ("INT", {"max": 5})},
            "optional": {"c": ("INT", {"max": 5})},
        }

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"

    @classmethod
    def VALIDATE_INPUTS(cls, a, c=1):
        if a is not None and a > 100:
            return f"a={a} c={c}"
        return True

    def run(self, **kwargs):
        return (repr(kwargs),)


class ValidateAll(ValidateNamed):
    @staticmethod
    async def VALIDATE_INPUTS(**kwargs):
        await asyncio.sleep(0)
        return "sum" if sum(v for v in kwargs.values() if v is not None) > 50 else True


class ValidateTypes:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": ("INT,FLOAT",), "b": ("STRING", {"default": "x"})}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"

    @classmethod
    def VALIDATE_INPUTS(cls, input_types, b):
        if input_types.get("a") == "IMAGE":
            return "no pictures"
        return True if b != "bad" else "bad b"

    def run(self, a, b):
        return (f"{a} {b}",)


class ValidateHidden(ValidateNamed):
    @classmethod
    def INPUT_TYPES(cls):
        return {**super().INPUT_TYPES(), "hidden": {"unique_id": "UNIQUE_ID", "prompt": "PROMPT"}}

    @classmethod
    def VALIDATE_INPUTS(cls, a, unique_id, prompt):
        return True if a < 9 else f"node {unique_id}, {prompt}"

    def run(self, unique_id, prompt, **kwargs):
        return (f"{unique_id} {prompt[unique_id]['class_type']}",)


class NoInputs:
    @classmethod
    def INPUT_TYPES(cls):
        return {}

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    def run(self):
        return (42,)


class Untyped:
    """No category, a type's name without a comma behind it, names as a list."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ["INT", {"default": 2}]}}

    RETURN_TYPES = ["INT"]
    RETURN_NAMES = ["only"]
    FUNCTION = "run"

    def run(self, value):
        return [value]


CLASSES = [
    Flexible, Plain, Choices, ValidateNamed, ValidateAll, ValidateTypes, ValidateHidden, NoInputs,
    Untyped,
]  # fmt: skip
