"""A plugin that manages: it looks at the queue, serves files, and adds nodes where all lie."""

import os

import folder_paths
import nodes
from aiohttp import web
from comfy_execution.progress import get_progress_state
from server import PromptServer

HERE = os.path.dirname(os.path.realpath(__file__))
server = PromptServer.instance
routes = server.routes


@routes.get("/service/queue")
async def queue(request):
    running, pending = server.prompt_queue.get_current_queue()
    history = server.prompt_queue.get_history(max_items=1)
    for prompt_id in history:
        assert server.prompt_queue.get_history(prompt_id=prompt_id).keys() == {prompt_id}
    return web.json_response(
        {
            "running": [item[1] for item in running],
            "pending": [item[1] for item in pending],
            "history": {name: entry["outputs"] for name, entry in history.items()},
            "clients": list(server.sockets),
            "left": server.get_queue_info()["exec_info"]["queue_remaining"],
            "folders": sorted(name for name in nodes.EXTENSION_WEB_DIRS if "service" in name),
        }
    )


@routes.delete("/service/queue/{id}")
async def delete(request):
    wanted = request.match_info["id"]
    gone = server.prompt_queue.delete_queue_item(lambda item: item[1] == wanted)
    return web.json_response({"gone": gone})


@routes.get("/service/absent")
async def absent(request):
    try:
        server.prompt_queue.put((0, "x", {}, {}, []))
    except AttributeError as error:
        return web.json_response({"said": str(error)})


import custom_nodes.new_style  # noqa: E402
from custom_nodes.old_style import NODE_CLASS_MAPPINGS as OTHERS  # noqa: E402


class Direct:
    DESCRIPTION = f"{min(OTHERS, key=len)} New{custom_nodes.new_style.Value.__name__}"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": ""})}, "hidden": {"id": "UNIQUE_ID"}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"
    SEARCH_ALIASES = ["straight"]

    def run(self, text, id=None):
        get_progress_state().update_progress(id, 1, 2)
        return {"ui": {"shown": [text]}}


class Secret:
    """Whether files are to tell how they were made."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    def run(self):
        from comfy.cli_args import args

        return {"ui": {"shown": [str(args.disable_metadata)]}}


nodes.NODE_CLASS_MAPPINGS["ServiceDirect"] = Direct
nodes.EXTENSION_WEB_DIRS["service_more"] = os.path.join(HERE, "old_style", "js")
folder_paths.folder_names_and_paths["service"] = ([], {".one"})
folder_paths.folder_names_and_paths["service"][0].append(os.path.join(HERE, "wild"))
folder_paths.folder_names_and_paths["service"][1].add(".json")
assert folder_paths.get_filename_list("service") == ["static/data.json"]
NODE_CLASS_MAPPINGS = {"ServiceSecret": Secret}
