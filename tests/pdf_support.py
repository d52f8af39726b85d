"""A PDF as bytes in, the words that a reader can select in it out; for PDFs whose text fonts say their Unicode."""

from __future__ import annotations

import re
import zlib


def text_of(pdf: bytes) -> str:
    """All shown text, glyph by glyph, through each font's ToUnicode map (ISO 32000-1, 9.10); pages in file order."""
    objects = {int(number): body for number, body in re.findall(rb"(\d+) 0 obj\s(.*?)\sendobj", pdf, re.DOTALL)}
    maps = {number: _unicode(objects, body) for number, body in objects.items() if b"/ToUnicode" in body}
    pages = [body for body in objects.values() if re.search(rb"/Type ?/Page\b", body)]
    return "\n".join(_page(objects, maps, body) for body in pages)


def _page(objects: dict[int, bytes], maps: dict[int, dict[int, str]], page: bytes) -> str:
    """The text of a page; each page names its fonts for itself."""
    resources, content = (objects[int(_found(rb"/%s (\d+) 0 R" % key, page))] for key in (b"Resources", b"Contents"))
    named = re.findall(rb"/(f\d+) (\d+) 0 R", resources)
    return _shown(_stream(content), {name: maps[int(number)] for name, number in named})


def _found(pattern: bytes, where: bytes) -> bytes:
    found = re.search(pattern, where)
    assert found
    return bytes(found[1])


def _stream(body: bytes) -> bytes:
    found = re.search(rb"stream\n(.*?)\nendstream", body, re.DOTALL)
    if found is None:
        return b""
    return zlib.decompress(found[1]) if b"/FlateDecode" in body else found[1]


def _unicode(objects: dict[int, bytes], font: bytes) -> dict[int, str]:
    """Glyph -> text, from the font's bfchar and bfrange entries."""
    cmap = _stream(objects[int(_found(rb"/ToUnicode (\d+) 0 R", font))])
    known: dict[int, str] = {}
    for block in re.findall(rb"beginbfchar(.*?)endbfchar", cmap, re.DOTALL):
        for glyph, text in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            known[int(glyph, 16)] = bytes.fromhex(text.decode()).decode("utf-16-be")
    for block in re.findall(rb"beginbfrange(.*?)endbfrange", cmap, re.DOTALL):
        for low, high, text in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            for step in range(int(high, 16) - int(low, 16) + 1):
                known[int(low, 16) + step] = chr(int(text, 16) + step)
    return known


def _shown(content: bytes, fonts: dict[bytes, dict[int, str]]) -> str:
    words: list[str] = []
    font: dict[int, str] = {}
    at = 0
    while found := re.compile(rb"/(\w+) [\d.]+ Tf|(/\w+ ?)?\(").search(content, at):
        at = found.end()
        if found[1]:  # a font is set before every piece of text
            font = fonts[found[1]]
            words.append(" ")
            continue
        at = _end_of_literal(content, at)
        if found[2]:  # the value of a property, such as a figure's alternative text
            continue
        raw = re.sub(rb"\\([0-7]{3}|.)", _escaped, content[found.end() : at - 1], flags=re.DOTALL)
        words += [font[raw[byte] << 8 | raw[byte + 1]] for byte in range(0, len(raw), 2)]
    return "".join(words)


def _end_of_literal(content: bytes, at: int) -> int:
    """Where the string ends that began before `at`: brackets in pairs need no escape in a PDF."""
    depth = 1
    while depth:
        sign = content[at : at + 1]
        depth += {b"(": 1, b")": -1}.get(sign, 0)
        at += 2 if sign == b"\\" else 1
    return at


def _escaped(found: re.Match[bytes]) -> bytes:
    code = found[1]
    if len(code) == 3:
        return bytes([int(code, 8)])
    return {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}.get(code, code)
