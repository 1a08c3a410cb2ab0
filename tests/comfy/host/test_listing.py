"""Hosted plugins as /api/v1/plugins lists them."""

from __future__ import annotations

from pathlib import Path

from tests.server.client import Client
from tests.server.conftest import Serve

NODE = """
class Node:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}
    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    def run(self):
        return (1,)
NODE_CLASS_MAPPINGS = {"ListedNode": Node, "KSampler": Node}
WEB_DIRECTORY = "js"
"""


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_packs_are_listed_with_nodes_scripts_and_what_failed(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / "custom_nodes"
    write(folder / "good.pack" / "__init__.py", NODE)
    write(folder / "good.pack" / "js" / "a.js", "")
    write(folder / "bad.py", "\n1 / 0\n")
    write(folder / "early" / "__init__.py", "NODE_CLASS_MAPPINGS = {}\n")
    write(folder / "early" / "prestartup_script.py", "1 / 0\n")

    async def scenario(client: Client) -> None:
        answer = await client.get("/api/v1/plugins")
        packs = {pack["name"]: pack for pack in answer["packs"]}
        good, bad = packs["good.pack"], packs["bad"]
        assert good["nodes"] == ["ListedNode"]
        assert good["scripts"] == ["/extensions/good.pack/a.js"]
        (taken,) = good["failures"]
        assert "KSampler" in taken["cause"]
        (failure,) = bad["failures"]
        assert (bad["nodes"], bad["path"], failure["line"]) == ([], failure["file"], 2)
        assert failure["cause"] == "ZeroDivisionError: division by zero"
        (early,) = packs["early"]["failures"]
        assert early["file"].endswith("prestartup_script.py")

    serve(scenario)
