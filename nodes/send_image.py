"""Send pictures to the client over its WebSocket, and keep none."""

from typing import Annotated

from graphengine.api import Artifacts, Context, Help, Image, node


@node(
    "SaveImageWebsocket",
    title="Send Image (WebSocket)",
    category="image",
    cache="never",
    search=("websocket", "api", "output"),
)
def send_image(
    images: Annotated[Image, Help("The pictures to send.")], context: Context
) -> Artifacts:
    """Send pictures as PNG to the client that queued the workflow; nothing is written to disk."""
    from functools import partial

    from graphengine.diffusion.images import to_pil

    count = len(images.pixels)
    for index, pixels in enumerate(images.pixels):
        context.send(partial(to_pil, pixels))
        context.progress(index + 1, count)
    return Artifacts()
