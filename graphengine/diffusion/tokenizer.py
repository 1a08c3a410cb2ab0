"""CLIP's byte-pair tokenizer, built from the vocabulary that OpenAI published.

Text is normalised (Unicode NFC, whitespace collapsed, lower case), cut into words, and each
word into the vocabulary's pieces (Radford et al. 2021, arXiv:2103.00020; Sennrich et al. 2016,
arXiv:1508.07909). The ids are those of OpenAI's SimpleTokenizer and of transformers'
CLIPTokenizer.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Literal

from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE

TextKind = Literal["clip_l", "clip_g", "clip_h"]

START = 49406
END = 49407
# clip_l pads with its end token, the OpenCLIP encoders with zero.
PAD: dict[TextKind, int] = {"clip_l": END, "clip_g": 0, "clip_h": 0}

_VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
_START_TEXT, _END_TEXT = "<|startoftext|>", "<|endoftext|>"
# The vocabulary has 49152 entries before the special ones: 256 bytes, the same 256 ending a
# word, and as many merges as then fit. The file holds more; OpenAI reads no further either.
_MERGES = 49152 - 2 * 256
_WORDS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d"
    r"|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


def token_ids(text: str) -> list[int]:
    """The ids of ``text`` without start and end tokens, each 0..49407.

    A literal ``<|endoftext|>`` is the end token itself. Half a surrogate pair, which is no
    character, counts as U+FFFD.
    """
    ids: list[int] = _tokenizer().encode(_without_lone_surrogates(text)).ids
    return ids


def word_numbers(ids: Sequence[object]) -> list[int]:
    """For each token which word of the prompt it belongs to, from 1; 0 for what is none's.

    What stands in an id's place and is no number is a word of its own.
    """
    numbers: list[int] = []
    word, inside = 0, False
    for token in ids:
        if isinstance(token, int) and token in (START, END, 0):
            numbers.append(0)
            continue
        if not inside:
            word += 1
        numbers.append(word)
        piece = _tokenizer().id_to_token(token) if isinstance(token, int) else None
        inside = piece is not None and not piece.endswith("</w>")
    return numbers


def _without_lone_surrogates(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@cache
def _tokenizer() -> Tokenizer:
    merges = _read_merges()
    letters = _byte_letters()
    pieces = [*letters, *(letter + "</w>" for letter in letters), *(a + b for a, b in merges)]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    vocabulary |= {_START_TEXT: START, _END_TEXT: END}
    tokenizer = Tokenizer(
        BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>", unk_token=_END_TEXT)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    specials = (_START_TEXT, _END_TEXT)
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in specials])
    return tokenizer


def _read_merges() -> list[tuple[str, str]]:
    packed = resources.files("graphengine.diffusion").joinpath(_VOCABULARY).read_bytes()
    lines = gzip.decompress(packed).decode("utf-8").split("\n", _MERGES + 1)
    pairs = (line.partition(" ") for line in lines[1 : _MERGES + 1])
    return [(first, second) for first, _, second in pairs]


def _byte_letters() -> list[str]:
    """One visible letter per byte, in the order of CLIP's first 256 ids."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    visible += range(ord("®"), ord("ÿ") + 1)
    hidden = 256 - len(visible)
    return [chr(code) for code in (*visible, *range(256, 256 + hidden))]
