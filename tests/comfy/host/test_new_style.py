"""Plugins in ComfyUI's third form, through HTTP and WebSocket."""

from __future__ import annotations

import json

import pytest

from tests.comfy.host.prompts import error_of, link, node, shown, started, watched
from tests.server.client import Client, data_of
from tests.server.conftest import Serve


def test_a_schema_is_told_with_all_its_keys(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        info = (await client.get("/object_info/NewValue"))["NewValue"]
        assert info["input"]["required"]["value"] == [
            "INT",
            {"tooltip": "Which.", "default": 3, "min": 0, "max": 100},
        ]
        choice = ["COMBO", {"multiselect": False, "options": ["a", "b"], "default": "a"}]
        assert info["input"]["optional"]["choice"] == choice
        assert info["output_name"] == ["Number"]
        assert info["output_tooltips"] == ["It."]
        assert (info["deprecated"], info["experimental"], info["api_node"]) == (False, True, False)
        assert info["python_module"] == "custom_nodes.new_style"
        assert info["display_name"] == "A new value"

    serve(scenario)


def test_values_lists_and_hidden_values_travel(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("NewSpread", count=3),
            "2": node("NewGrow", value=link("1"), block=""),
            "3": node("NewShow", value=link("2")),
            "4": node("NewValue", value=7, choice="not checked"),
            "5": node("NewShow", value=link("4")),
        }
        entry, _ = await watched(client, prompt)
        assert shown(entry, "3") == ["0", "1", "2"]
        assert shown(entry, "5") == ["7"]

    serve(scenario)


@pytest.mark.parametrize(("use_first", "ran"), [(True, "1"), (False, "2")])
def test_only_the_wanted_side_runs(serve: Serve, use_first: bool, ran: str) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("NewValue", value=1),
            "2": node("NewValue", value=2),
            "3": node("NewEither", first=link("1"), second=link("2"), use_first=use_first),
            "4": node("NewShow", value=link("3")),
        }
        entry, frames = await watched(client, prompt)
        assert shown(entry, "4") == [ran]
        assert started(frames) == ["3", ran, "3", "4"] or started(frames) == ["3", ran, "4"]

    serve(scenario)


def test_a_block_is_told_and_the_prompt_succeeds(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("NewGrow", value=1, block="not today"),
            "2": node("NewShow", value=link("1")),
            "3": node("NewShow", value=3),
        }
        entry, frames = await watched(client, prompt)
        assert list(entry["outputs"]) == ["3"]
        assert "not today" in data_of(frames, "execution_error")[0]["exception_message"]

    serve(scenario)


def test_a_node_checks_and_runs_as_its_methods_say(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        def prompt(value: int) -> dict[str, object]:
            return {"1": node("NewChecked", value=value), "2": node("NewShow", value=link("1"))}

        first, _ = await watched(client, prompt(20))
        second, _ = await watched(client, prompt(20))
        assert int(shown(second, "2")[0]) == int(shown(first, "2")[0]) + 1
        answer = await client.post("/prompt", {"prompt": prompt(60)}, 400)
        assert answer["node_errors"]["1"]["errors"][0]["details"] == "value - far too large"

    serve(scenario)


@pytest.mark.parametrize("kind", ["NewProgress", "NewProgressSync"])
def test_progress_is_heard_by_its_own_client_alone(serve: Serve, kind: str) -> None:
    async def scenario(client: Client) -> None:
        other = await client.socket("other")
        prompt = {"1": node(kind, steps=4), "2": node("NewShow", value=link("1"))}
        _, frames = await watched(client, prompt)
        states = [data["nodes"].get("1") for data in data_of(frames, "progress_state")]
        assert any(state and (state["value"], state["max"]) == (4, 4) for state in states)
        heard = []
        while not other.closed:
            try:
                heard.append(json.loads((await other.receive(timeout=0.2)).data)["type"])
            except TimeoutError:
                break
        assert set(heard) == {"status"}
        await other.close()

    serve(scenario)


def test_pictures_are_shown_and_saved_with_their_workflow(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        prompt = {
            "1": node("EmptyImage", width=24, height=16),
            "2": node("NewPicture", image=link("1"), save=True),
            "3": node("NewPicture", image=link("2"), save=False),
            "4": node("SaveImage", images=link("3"), filename_prefix="last"),
        }
        entry, _ = await watched(client, prompt)
        assert entry["status"]["status_str"] == "success", error_of(entry)
        saved = entry["outputs"]["2"]["images"][0]
        assert saved == {"filename": "picture_00001_.png", "subfolder": "new", "type": "output"}
        assert entry["outputs"]["3"]["images"][0]["type"] == "temp"
        import PIL.Image

        with PIL.Image.open(client.base / "output" / "new" / "picture_00001_.png") as picture:
            assert picture.size == (24, 16)
            assert json.loads(picture.text["prompt"])["2"]["class_type"] == "NewPicture"

    serve(scenario)


def test_inputs_that_stand_for_several_come_as_one(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = {
            "v": node("NewValue", value=3, choice="a"),
            "sum": node("NewGrows", mode="sum", **{"numbers.n0": link("v"), "numbers.n1": 4}),
            "power": node(
                "NewGrows",
                **{"mode": "power", "mode.plus": 1, "numbers.n0": 5, "sides.right": link("v")},
            ),
            "one": node("NewOneType", first=False, a=link("v"), b=link("power")),
        }
        for key, source in {"a": ("sum", 0), "b": ("power", 0), "c": ("power", 1)}.items():
            nodes[key] = node("NewShow", value=link(*source))
        nodes["d"] = node("NewShow", value=link("one"))
        entry, _ = await watched(client, nodes)
        assert [shown(entry, key) for key in "abcd"] == [["7"], ["26"], ["n0,right"], ["26"]]
        refused = await client.post(
            "/prompt", {"prompt": {**nodes, "sum": node("NewGrows", mode="sum")}}
        )
        assert refused["node_errors"]["sum"]["errors"][0]["details"] == "numbers.n0"
        info = await client.get("/object_info/NewGrows")
        assert list(info["NewGrows"]["input"]["required"]) == ["numbers.n0", "mode"]

    serve(scenario)


def test_types_of_a_plugins_own_link_to_each_other(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        nodes = {
            "pair": node("NewMakePair", a=1, b=2),
            "taken": node("NewTakePair", pair=link("pair")),
            "out": node("NewShow", value=link("taken")),
        }
        entry, _ = await watched(client, nodes)
        assert shown(entry, "out") == ["(1, 2)"]
        info = (await client.get("/object_info/NewTakePair"))["NewTakePair"]
        assert info["input"]["required"]["pair"] == ["PAIR", {"swapped": True}]
        info = (await client.get("/object_info/NewMakePair"))["NewMakePair"]
        assert info["output"] == ["PAIR"]
        assert info["input"]["required"]["a"][1]["control_after_generate"] == "increment"

    serve(scenario)


def test_a_sound_is_written_where_clients_find_it(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        entry, _ = await watched(client, {"1": node("NewSound")})
        (file,) = entry["outputs"]["1"]["audio"]
        assert file["filename"].endswith(".wav")
        content = await client.get(f"/view?filename={file['filename']}&type=temp")
        assert content[:4] == b"RIFF"
        assert len(content) == 44 + 2 * 2 * 800

    serve(scenario)
