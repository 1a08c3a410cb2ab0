"""Who asks: one person, or with ``multi_user`` the one that the header ``comfy-user`` names.

Persons have folders of their own and no passwords: it keeps their files apart, not secret.
"""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path

from aiohttp import web

from graphengine.errors import GraphEngineError
from graphengine.files import write_whole
from graphengine.reasons import reason
from graphengine.server.answers import bad_field, json_answer, read_object, refusal_of
from graphengine.server.parts import parts_of

routes = web.RouteTableDef()
HEADER = "comfy-user"
ONLY_USER = "default"
USERS_FILE = "users.json"
LONGEST_NAME = 100


@routes.get("/users")
async def get_users(request: web.Request) -> web.Response:
    """All persons by id, or that there is one only."""
    if parts_of(request).settings.multi_user:
        return json_answer({"storage": "server", "users": _users(request)})
    return json_answer({"storage": "server", "migrated": user_folder(request).is_dir()})


@routes.post("/users")
async def post_users(request: web.Request) -> web.Response:
    """Add a person; the answer is their id."""
    if not parts_of(request).settings.multi_user:
        raise refusal_of(GraphEngineError("single_user"))
    name = (await read_object(request)).get("username")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= LONGEST_NAME:
        raise bad_field("username", reason("reason_name", most=LONGEST_NAME))
    users = _users(request)
    if name.strip() in users.values():
        return json_answer({"error": "Duplicate username."}, 400)
    user_id = f"{re.sub(r'[^A-Za-z0-9_-]', '', name)}_{uuid.uuid4()}"
    content = json.dumps({**users, user_id: name.strip()}, indent=4).encode()
    write_whole(_file(request), content)
    return json_answer(user_id)


def user_folder(request: web.Request) -> Path:
    """Where the files of the one who asks lie; refuses with 401 who is not known."""
    root = parts_of(request).engine.folders.user
    if not parts_of(request).settings.multi_user:
        return root / ONLY_USER
    user_id = request.headers.get(HEADER, "")
    if user_id not in _users(request):
        raise refusal_of(GraphEngineError("unknown_user", header=HEADER, user=user_id), 401)
    return root / user_id


def _file(request: web.Request) -> Path:
    return parts_of(request).engine.folders.user / USERS_FILE


def _users(request: web.Request) -> dict[str, str]:
    try:
        found = json.loads(_file(request).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return {str(key): str(name) for key, name in found.items()} if isinstance(found, dict) else {}
