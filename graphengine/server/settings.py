"""The server's settings: those of every command, and where and to whom it listens."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from graphengine.settings import Device, Settings, option_name

LogLevel = Literal["debug", "info", "warning", "error", "critical"]
LogFormat = Literal["text", "json"]


class ServerSettings(Settings):
    """What `Settings` holds, and how to serve.

    ``token``: what a client must show; needed for an address other than this machine's own.
    ``allowed_hosts``: names under which the server may be called beside this machine's own;
    ``cors_origin``: a foreign page that may call it. ``database_url``: SQLAlchemy's, by default a
    SQLite file in the user folder. ``on_restart``: what becomes of a job that was running.
    ``devices``: several to compute on, each with jobs of its own. ``multi_user``: each person has
    files of their own, named by a header. ``web_directory``: the editor that is served.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8188, ge=0, le=65535)
    token: str | None = Field(default=None, min_length=8)
    tls_certificate: Path | None = Field(
        default=None, validation_alias=option_name("tls_certificate", "tls_cert")
    )
    tls_key: Path | None = None
    allowed_hosts: tuple[str, ...] = Field(
        default=(), validation_alias=option_name("allowed_hosts", "allow_host")
    )
    cors_origin: str | None = Field(
        default=None, validation_alias=option_name("cors_origin", "enable_cors_header")
    )
    database_url: str | None = Field(
        default=None, validation_alias=option_name("database_url", "database")
    )
    on_restart: Literal["requeue", "interrupt"] = "requeue"
    max_upload_mb: int = Field(
        default=100, ge=1, validation_alias=option_name("max_upload_mb", "max_upload_size")
    )
    multi_user: bool = False
    enable_compress_response_body: bool = False
    log_level: Annotated[LogLevel, BeforeValidator(str.lower)] = Field(
        default="info", validation_alias=option_name("log_level", "verbose")
    )
    log_format: LogFormat = "text"
    devices: tuple[Device, ...] = ()
    web_directory: Path | None = Field(
        default=None, validation_alias=option_name("web_directory", "front_end_root")
    )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)

    @property
    def max_upload_bytes(self) -> int:
        """The largest body that is read."""
        return self.max_upload_mb * 1024 * 1024


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")
