"""The flags of ComfyUI's ``main.py`` in the words of ``graphengine serve``."""

from __future__ import annotations

import pytest
from typer.main import get_command

from graphengine import cli
from graphengine.comfy.flags import translate
from graphengine.errors import LANGUAGES, render


def test_what_test_suites_pass_is_taken_over() -> None:
    given = ["--output-directory", "out", "--listen", "127.0.0.1", "--port", "8999"]
    given += ["--extra-model-paths-config", "models.yaml", "--cpu", "--cache-lru", "100"]
    translated = translate(given)

    assert " ".join(translated.arguments) == (
        "--output-directory out --host 127.0.0.1 --port 8999 "
        "--extra-model-paths-config models.yaml --cpu --cache-lru 100"
    )
    assert translated.ignored == ()


@pytest.mark.parametrize(
    ("given", "ours"),
    [
        ("--listen", "--host 0.0.0.0"),
        ("--listen --port 1", "--host 0.0.0.0 --port 1"),
        ("--listen=::1", "--host ::1"),
        ("--enable-cors-header", "--enable-cors-header *"),
        ("--enable-cors-header https://a.example", "--enable-cors-header https://a.example"),
        ("--tls-keyfile k --tls-certfile c", "--tls-key k --tls-cert c"),
        ("--cache-none", "--cache-ram 0 --cache-disk 0"),
        ("--cache-ram", "--cache-ram 4GiB"),
        ("--cache-ram 8", "--cache-ram 8"),
        ("--verbose", "--verbose debug"),
        ("--verbose ERROR", "--verbose ERROR"),
        ("--whitelist-custom-nodes a b --cpu", None),
        ("--cuda-device 1", "--cuda-device 1"),
        ("--preview-method none --no-such-flag", "--preview-method none --no-such-flag"),
    ],
)
def test_values_may_be_left_out_or_given_with_an_equals_sign(given: str, ours: str | None) -> None:
    ours = ours or "--whitelist-custom-nodes a --whitelist-custom-nodes b --cpu"

    assert translate(given.split()).arguments == tuple(ours.split())


@pytest.mark.parametrize("flag", ["--lowvram", "--force-fp16", "--use-sage-attention"])
def test_what_changes_nothing_is_said(flag: str) -> None:
    translated = translate([flag, "--port", "1"])

    assert translated.arguments == ("--port", "1")
    (ignored,) = translated.ignored
    for language in LANGUAGES:
        assert flag in render(f"flag_{ignored.why}", {"flag": flag}, language)[0]


def test_fast_takes_what_follows_it() -> None:
    assert translate(["--fast", "fp16_accumulation", "--cpu"]).arguments == ("--cpu",)


def test_everything_that_is_translated_to_is_an_option_of_ours() -> None:
    serve = get_command(cli.app).commands["serve"]  # type: ignore[attr-defined]
    options = {option for parameter in serve.params for option in parameter.opts}
    every = "--listen --tls-keyfile k --tls-certfile c --enable-cors-header --verbose --cache-ram "
    every += "--extra-model-paths-config f --whitelist-custom-nodes n --database-url u "
    every += "--cuda-device 0 --cache-none"
    used = {each for each in translate(every.split()).arguments if each.startswith("--")}

    assert used <= options
