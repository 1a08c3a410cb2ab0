"""The server: ComfyUI's protocol over HTTP and WebSocket, and what it lacks under /api/v1."""
