"""The workflows that come along, for ComfyUI's front end and clients."""

from __future__ import annotations

from tests.server.client import Client
from tests.server.conftest import Serve


def test_the_workflows_that_come_along_are_templates_in_both_languages(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        [category] = await client.get("/templates/index.json")
        own = (await client.get("/api/v1/templates"))["templates"]
        assert [each["name"] for each in category["templates"]] == [each["name"] for each in own]
        first = category["templates"][0]
        assert (first["name"], first["title"]) == ("text_to_image", "Text to image")
        assert (first["mediaType"], first["mediaSubtype"]) == ("image", "webp")
        [category] = await client.get("/templates/index.ja.json")
        assert category["templates"][0]["title"] == "テキストから画像へ"

        picture = await client.response("GET", "/templates/text_to_image-1.webp")
        assert (picture.status, picture.content_type) == (200, "image/webp")
        await client.get("/templates/none-1.webp", status=404)

    serve(scenario)


def test_each_template_opens_in_the_form_of_comfyuis_editor(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        [category] = await client.get("/templates/index.json")
        for template in category["templates"]:
            drawn = await client.get(f"/templates/{template['name']}.json")
            assert drawn["version"] == 0.4
            assert drawn["nodes"]
            assert all(isinstance(link, list) for link in drawn["links"])
        await client.get("/templates/none.json", status=404)

    serve(scenario)
