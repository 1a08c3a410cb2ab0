"""The command line of ComfyUI's ``main.py``, in the words of ``graphengine serve``.

Scripts, containers and test suites start their server with these flags. Each is taken over, has
another name here, or is understood and changes nothing, which is then said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Values = Literal["none", "optional", "one", "many"]


@dataclass(frozen=True)
class Ignored:
    """A flag that changes nothing here. ``why``: ends the code of the text that says so."""

    flag: str
    why: str


@dataclass(frozen=True)
class Translation:
    """Arguments for ``graphengine serve``, and what of the original ones changes nothing."""

    arguments: tuple[str, ...]
    ignored: tuple[Ignored, ...] = ()


@dataclass(frozen=True)
class _Flag:
    """``ours``: our option; empty if there is none. ``fixed``: given instead of its values.

    ``more``: further arguments that are given with it.
    """

    values: Values
    ours: str = ""
    fixed: str | None = None
    without_value: str | None = None
    more: tuple[str, ...] = ()
    why: str = ""


def translate(arguments: Sequence[str]) -> Translation:
    """The same wishes in our options; what is no flag of ComfyUI's is left as it is."""
    out: list[str] = []
    ignored: list[Ignored] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        name, equals, value = argument.partition("=")
        flag = _FLAGS.get(name)
        if flag is None:
            out.append(argument)
            continue
        values = [value] if equals else list(_values(flag.values, waiting))
        if flag.ours:
            out += _ours(flag, values)
        else:
            ignored.append(Ignored(name, flag.why))
    return Translation(tuple(out), tuple(ignored))


def _values(kind: Values, waiting: list[str]) -> Iterator[str]:
    """Take a flag's values off the arguments that follow it."""
    most = {"none": 0, "optional": 1, "one": 1, "many": len(waiting)}[kind]
    while most and waiting and (kind == "one" or not waiting[0].startswith("--")):
        most -= 1
        yield waiting.pop(0)


def _ours(flag: _Flag, values: list[str]) -> Iterator[str]:
    if flag.fixed is not None:
        values = [flag.fixed]
    elif flag.values == "none":
        yield flag.ours
        return
    elif not values and flag.without_value is not None:
        values = [flag.without_value]
    for value in values:
        yield from (flag.ours, value, *flag.more)


def _ignored(why: str, values: Values, *names: str) -> dict[str, _Flag]:
    return {f"--{name}": _Flag(values, why=why) for name in names}


_FLAGS = {
    "--listen": _Flag("optional", "--host", without_value="0.0.0.0"),
    "--tls-keyfile": _Flag("one", "--tls-key"),
    "--tls-certfile": _Flag("one", "--tls-cert"),
    "--enable-cors-header": _Flag("optional", "--enable-cors-header", without_value="*"),
    "--extra-model-paths-config": _Flag("many", "--extra-model-paths-config"),
    "--whitelist-custom-nodes": _Flag("many", "--whitelist-custom-nodes"),
    "--database-url": _Flag("one", "--database"),
    "--verbose": _Flag("optional", "--verbose", without_value="debug"),
    "--cache-none": _Flag("none", "--cache-ram", fixed="0", more=("--cache-disk", "0")),
    "--cache-ram": _Flag("optional", "--cache-ram", without_value="4GiB"),
    "--cuda-device": _Flag("one", "--cuda-device"),
    "--default-device": _Flag("one", "--cuda-device"),
    **_ignored(
        "memory",
        "none",
        *("gpu-only", "highvram", "normalvram", "lowvram", "novram", "cpu-vae"),
        *("disable-smart-memory", "async-offload", "disable-async-offload", "force-non-blocking"),
        *("cuda-malloc", "disable-cuda-malloc", "disable-pinned-memory"),
        *("mmap-torch-files", "disable-mmap"),
    ),
    **_ignored("memory", "one", "reserve-vram"),
    **_ignored(
        "precision",
        "none",
        *("force-fp32", "force-fp16", "fp32-unet", "fp64-unet", "bf16-unet", "fp16-unet"),
        *("fp8_e4m3fn-unet", "fp8_e5m2-unet", "fp8_e8m0fnu-unet", "fp16-vae", "fp32-vae"),
        *("bf16-vae", "fp8_e4m3fn-text-enc", "fp8_e5m2-text-enc", "fp16-text-enc"),
        *("fp32-text-enc", "bf16-text-enc", "supports-fp8-compute", "force-channels-last"),
        *("force-upcast-attention", "dont-upcast-attention", "deterministic"),
    ),
    **_ignored("precision", "many", "fast"),
    **_ignored(
        "attention",
        "none",
        *("use-split-cross-attention", "use-quad-cross-attention", "use-pytorch-cross-attention"),
        *("use-sage-attention", "use-flash-attention", "disable-xformers"),
    ),
    **_ignored("frontend", "one", "front-end-version", "comfy-api-base"),
    **_ignored(
        "start",
        "none",
        *("auto-launch", "disable-auto-launch", "windows-standalone-build", "dont-print-server"),
        *("log-stdout", "disable-api-nodes", "enable-manager", "disable-ipex-optimize"),
    ),
    **_ignored("start", "one", "default-hashing-function", "oneapi-device-selector"),
    **_ignored("start", "optional", "directml"),
    **_ignored("preview", "one", "preview-size"),
}
