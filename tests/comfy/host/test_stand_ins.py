"""ComfyUI's modules by name: all documented, found only while plugins are hosted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from graphengine.comfy.host import stand_ins
from graphengine.comfy.host.host import Host
from graphengine.comfy.host.packs import open_host
from graphengine.comfy.pack_paths import state_of
from graphengine.folders import Folders
from graphengine.registry import Registry, load_registry

ROOT = Path(__file__).parents[3]
MODULES = ROOT / "graphengine" / "comfy" / "modules"


def names() -> list[str]:
    """All modules that can be imported, those with a leading underscore left out."""
    files = [path.relative_to(MODULES) for path in MODULES.rglob("*.py")]
    dotted = (".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in files)
    return sorted(name for name in dotted if name != "__init__" and "._" not in name)


def host_of(base: Path, *, registry: Registry | None = None, **packs: str) -> Host:
    """A host with one-file plugins of these contents."""
    paths = []
    for name, content in packs.items():
        path = base / f"{name}.py"
        path.write_text(content, encoding="utf-8")
        paths.append(path)
    models = {"checkpoints": (base / "models" / "checkpoints",)}
    folders = Folders(base / "input", base / "output", base / "temp", base / "user", models)
    return open_host(folders, {path: state_of(path) for path in paths}, registry=registry)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_module_is_documented(language: str) -> None:
    page = (ROOT / "docs" / language / "coming-from-comfyui.md").read_text(encoding="utf-8")
    assert [n for n in names() if f"`{n}`" not in page and n not in ("comfy", "comfy_api")] == [
        "comfy_execution"
    ]


def test_nothing_is_found_without_plugins() -> None:
    code = "import graphengine.engine, folder_paths"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert "No module named 'folder_paths'" in done.stderr


def test_a_pack_that_fails_says_where_and_the_rest_goes_on(tmp_path: Path) -> None:
    good = "NODE_CLASS_MAPPINGS = {}\n"
    host = host_of(
        tmp_path,
        a="import folder_paths\n\nimport not_installed\n",
        b="import comfy.no_such_module\n",
        c="from comfy.utils import no_such_name\n",
        d="NODE_CLASS_MAPPINGS = {\n",
        e="import sys\nsys.exit(3)\n",
        f="x = 1\n",
        g=good,
        h="import comfy.utils\ncomfy.utils.no_such_name\n",
    )
    stand_ins.uninstall()
    told = {Path(failure.file).stem: (failure.line, failure.cause) for failure in host.failures}
    assert told["a"] == (3, "ModuleNotFoundError: No module named 'not_installed'")
    assert told["b"][0] == 1
    assert "no stand-in for ComfyUI's module 'comfy.no_such_module'" in told["b"][1]
    assert "no_such_name" in told["c"][1]
    assert (told["d"][0], told["d"][1][:11]) == (1, "SyntaxError")
    assert told["e"] == (2, "SystemExit: 3")
    assert "neither NODE_CLASS_MAPPINGS nor comfy_entrypoint" in told["f"][1]
    assert "'comfy.utils' has no 'no_such_name'. docs/en" in told["h"][1]
    japanese = {Path(failure.file).stem: failure.causes["ja"] for failure in host.failures}
    assert japanese["a"] == told["a"][1]
    assert "「comfy.no_such_module」は graphengine にはありません。" in japanese["b"]
    assert japanese["f"] == "NODE_CLASS_MAPPINGS も comfy_entrypoint もありません。"
    assert "「comfy.utils」に「no_such_name」はありません。" in japanese["h"]
    assert [pack.name for pack in host.loaded] == ["g"]


NODE = """
class Node:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}
    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    def run(self):
        return (%s,)
NODE_CLASS_MAPPINGS = {"%s": Node}
"""


def test_a_later_pack_takes_the_place_of_an_earlier_one_but_not_of_ours(tmp_path: Path) -> None:
    host = host_of(tmp_path, a=NODE % (1, "Same"), b=NODE % (2, "Same"), c=NODE % (3, "KSampler"))
    registry = load_registry()
    host.add_to(registry)
    stand_ins.uninstall()
    same, sampler = registry.get("Same"), registry.get("KSampler")
    assert same is not None
    assert same.origin.package == "custom_nodes.b"
    assert sampler is not None
    assert sampler.hosted is None
    assert any('"KSampler" is already taken' in failure.cause for failure in registry.failures)


def test_what_is_hung_onto_the_server_without_effect_is_told(tmp_path: Path) -> None:
    code = """
from aiohttp import web
from server import PromptServer

@web.middleware
async def login(request, handler):
    return await handler(request)

PromptServer.instance.app.middlewares.append(login)
NODE_CLASS_MAPPINGS = {}
"""
    host = host_of(tmp_path, a=code)
    stand_ins.uninstall()
    (failure,) = host.failures
    assert "middlewares is not used" in failure.cause
    assert "middlewares に加えたものは使われません" in failure.causes["ja"]
    assert [pack.name for pack in host.loaded] == ["a"]


def test_folders_are_told_and_can_be_added(tmp_path: Path) -> None:
    host_of(tmp_path, a="NODE_CLASS_MAPPINGS = {}\n")
    import folder_paths  # type: ignore[import-not-found]

    (tmp_path / "extra").mkdir()
    (tmp_path / "extra" / "one.xyz").write_text("x", encoding="utf-8")
    folder_paths.add_model_folder_path("things", str(tmp_path / "extra"))
    assert folder_paths.get_filename_list("things") == ["one.xyz"]
    assert folder_paths.get_full_path("things", "one.xyz") == str(tmp_path / "extra" / "one.xyz")
    assert folder_paths.get_full_path("things", "two.xyz") is None
    with pytest.raises(FileNotFoundError):
        folder_paths.get_full_path_or_raise("things", "../a.py")
    folder_paths.folder_names_and_paths["more"] = ([str(tmp_path / "extra")], {".xyz"})
    assert folder_paths.get_filename_list("more") == ["one.xyz"]
    assert folder_paths.get_input_directory() == str(tmp_path / "input")
    named = folder_paths.get_annotated_filepath("a.png [output]")
    assert named == str(tmp_path / "output" / "a.png")
    with pytest.raises(ValueError, match="not a name inside"):
        folder_paths.get_annotated_filepath("../secret")
    folder, name, number, subfolder, _ = folder_paths.get_save_image_path(
        "sub/pic_%width%", str(tmp_path / "output"), 64, 32
    )
    assert (folder, name) == (str(tmp_path / "output" / "sub"), "pic_64")
    assert (number, subfolder) == (1, "sub")
    (Path(folder) / "pic_64_00007_.png").write_text("", encoding="utf-8")
    again = folder_paths.get_save_image_path("sub/pic_64", str(tmp_path / "output"))
    assert again[2] == 8
    with pytest.raises(AttributeError, match="has no 'no_such_thing'"):
        _ = folder_paths.no_such_thing
    stand_ins.uninstall()


IMPORTS = """
import comfy
import comfy.sd, comfy.conds, comfy.hooks, comfy.cldm.cldm, comfy.text_encoders.sd3_clip
from comfy import model_management, samplers
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel, timestep_embedding
from comfy.ldm.flux.layers import DoubleStreamBlock
from comfy.patcher_extension import CallbacksMP, WrappersMP
from comfy.model_base import SDXL, Flux, WAN21
from comfy_extras import nodes_mask, nodes_upscale_model
from comfy_extras.nodes_mask import GrowMask, composite
from comfy_extras.nodes_post_processing import Blend, gaussian_kernel
from comfy_execution.caching import HierarchicalCache
from comfy_api.input import VideoInput
from app.user_manager import UserManager
from utils.json_util import merge_json_recursive
from comfy.ldm.modules.attention import wrap_attn
import abc, comfyui_version, protocol, execution, nodes

from nodes import *
from comfy.samplers import *

assert [KSampler.SAMPLERS[0], LoadImage.__name__, torch.__name__, MAX_RESOLUTION] == [
    "euler", "LoadImage", "torch", 16384
]
assert issubclass(CFGGuider, object) and KSAMPLER

class Mine(UNetModel):
    pass

class Mixed(UNetModel, abc.ABC):
    pass

@wrap_attn
def attention(*tensors):
    pass

comfy.supported_models.models += [Mine]

assert comfy.utils.ProgressBar and comfy.latent_formats.SD15().scale_factor == 0.18215
assert not isinstance(3, UNetModel) and issubclass(Mine, UNetModel)
assert CallbacksMP.ON_CLONE and WrappersMP.APPLY_MODEL and not hasattr(comfy.utils, "no_such_name")
assert [c.__name__ for c in (GrowMask, Blend, nodes_mask.MaskToImage)] == [
    "GrowMask", "ImageBlend", "MaskToImage"
]
NODE_CLASS_MAPPINGS = {}
"""


def test_names_that_mean_nothing_here_take_no_plugin_with_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from graphengine.errors import GraphEngineError

    host = host_of(tmp_path, registry=load_registry(), a=IMPORTS)
    assert [failure.cause for failure in host.failures] == []
    from comfy.hooks import HookGroup  # type: ignore[import-not-found]

    with pytest.raises(GraphEngineError, match=r"no comfy\.hooks\.HookGroup"):
        HookGroup()
    HookGroup.add = None
    assert "a plugin replaced comfy.hooks.HookGroup.add, which has no effect" in caplog.text
    stand_ins.uninstall()
