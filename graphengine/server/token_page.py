"""What a browser shows that comes without the token: a page that takes it."""

from __future__ import annotations

from html import escape

from aiohttp import web

from graphengine.errors import LANGUAGES, render

_PAGE = """<!doctype html><html lang="{language}"><head><meta charset="utf-8">
<title>graphengine</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
:root{{color-scheme:light dark}}
body{{font:16px/1.6 system-ui,sans-serif;max-width:32rem;margin:12vh auto;padding:0 1rem}}
form{{display:flex;flex-wrap:wrap;gap:.5rem;align-items:end;margin-top:1.5rem}}
label{{flex:1 1 14rem}}
input,button{{font:inherit;padding:.5rem .75rem}}
input{{display:block;width:100%;box-sizing:border-box}}
</style></head><body><h1>graphengine</h1>
<p{role}>{message}</p><p>{hint}</p>
<form method="get" action="{action}"><label>{field}
<input name="token" type="password" autocomplete="current-password" required autofocus></label>
<button>{send}</button></form></body></html>
"""


def token_page(request: web.Request, *, wrong: bool = False) -> web.Response:
    """The page, in the browser's language; ``wrong``: the token that was given is not the one."""
    language = _language(request.headers.get("Accept-Language", ""))
    message, hint = render("token_wrong" if wrong else "token_page", {}, language)
    page = _PAGE.format(
        language=language,
        role=' role="alert"' if wrong else "",
        message=escape(message),
        hint=escape(hint),
        action=request.path,
        field=escape(render("token_field", {}, language)[0]),
        send=escape(render("token_send", {}, language)[0]),
    )
    headers = {"Cache-Control": "no-store", "Vary": "Accept, Accept-Language"}
    return web.Response(text=page, content_type="text/html", status=401, headers=headers)


def _language(accepted: str) -> str:
    """The first of our languages that the browser names; it names the preferred one first."""
    named = (entry.partition(";")[0].strip()[:2].lower() for entry in accepted.split(","))
    return next((language for name in named for language in LANGUAGES if language == name), "en")
