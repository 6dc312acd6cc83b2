"""Made mail of many shapes, for tests that pass whole messages through something.

MESSAGES and STRUCTURED keep to what every mail program must pass on untouched: a blank
line ends the header, every line ends in CRLF, no line is longer than 2000 octets, and
there is no NUL. ODD do not, so real servers and clients may mend or mar them; within
this library they have to come out as they went in.

The same bytes in every run: what looks random comes from a seed, and no clock is read.
"""

from base64 import encodebytes
from collections.abc import Mapping
from quopri import encodestring
from random import Random
from types import MappingProxyType
from zlib import crc32

TEXT = "text/plain; charset=utf-8"


def _lines(*lines: str | bytes) -> bytes:
    """Every line with its CRLF; str as UTF-8."""
    octets = [line.encode() if isinstance(line, str) else line for line in lines]
    return b"".join(line + b"\r\n" for line in octets)


def _message(subject: str, *body: str | bytes, header: tuple[str, ...] = ()) -> bytes:
    """A message with the usual header, more header lines if wanted, and a body."""
    own = _lines(f"Subject: {subject}", *header, "", *body)
    usual = _lines(
        "Date: Tue, 14 May 2024 09:26:53 +0200",
        "From: Ada Lovelace <ada@sender.example>",
        "To: Charles Babbage <charles@receiver.example>",
        f"Message-ID: <{crc32(own):08x}@sender.example>",
    )
    return usual + own


def _part(*body: str | bytes, content: str = TEXT, encoding: str = "8bit") -> bytes:
    """A body part, to stand between two boundaries, without its last line end."""
    head = (f"Content-Type: {content}", f"Content-Transfer-Encoding: {encoding}", "")
    return _lines(*head, *body).removesuffix(b"\r\n")


def _multipart(boundary: str, *parts: bytes) -> list[str | bytes]:
    """The body of a multipart, in pieces that end where a CRLF belongs."""
    pieces: list[str | bytes] = []
    for part in parts:
        pieces += [f"--{boundary}", part]
    return [*pieces, f"--{boundary}--"]


def _mime(content: str, encoding: str = "8bit") -> tuple[str, str, str]:
    return (
        "MIME-Version: 1.0",
        f"Content-Type: {content}",
        f"Content-Transfer-Encoding: {encoding}",
    )


def _base64(octets: bytes) -> bytes:
    return encodebytes(octets).replace(b"\n", b"\r\n").removesuffix(b"\r\n")


def _quoted_printable(text: str) -> bytes:
    return encodestring(text.encode()).replace(b"\n", b"\r\n")


def _noise(size: int, seed: int) -> bytes:
    return Random(seed).randbytes(size)


def _plain() -> dict[str, bytes]:
    """Text: short, empty, blank, and as much of it as a line can hold."""
    rng = Random(1952)
    words = ("engine", "weaves", "algebraic", "patterns", "as", "a", "loom", "leaves")
    prose = [" ".join(rng.choices(words, k=11)) for _ in range(40)]
    return {
        "plain": _message("A note", "Dear Charles,", "", "see you.", "", "-- ", "Ada"),
        "prose": _message("Prose", *prose),
        "empty body": _message("No body"),
        "blank lines": _message("Blank lines", "", "", "text", "", "", ""),
        "trailing blanks": _message(
            "Blanks at the end", "two  ", "tab\t", "   ", "\t", "both \t ", "end "
        ),
        "tabs": _message("Tabs", "\tone", "a\tb\t\tc", "\t\t", " \t mixed"),
        "line of 998": _message("Longest line", "a" * 998, "end"),
        "lines beyond 998": _message("Longer", "b" * 999, "c" * 2000),
        "many short lines": _message("Short", *(str(n) for n in range(4000))),
    }


def _dots() -> dict[str, bytes]:
    """Where dots are stuffed, and what may be taken for an end or a command."""
    return {
        "dot first": _message("Dot first", ".", "then text"),
        "two dots first": _message("Two dots first", "..", "then text"),
        "dotted word first": _message("Dotted word first", ".x", "then text"),
        "dot last": _message("Dot last", "text, then", "."),
        "lone dots": _message("Lone dots", "", ".", "..", "", ".", ".", "...", ""),
        "dots here and there": _message(
            "Dots", ".profile", " .", ". ", ".\t", "a.", "..b..", "." * 900
        ),
        "dotted line of 998": _message("Long and dotted", "." + "e" * 997, ".end"),
        "every line dotted": _message("All", *("." * (n % 5 + 1) for n in range(999))),
        "words of the protocol": _message(
            "Words", "+OK", "-ERR no", "QUIT", "+ ", "250 ok", "* BYE", "a OK", "{3}"
        ),
        "From_ lines": _message(
            "From_ lines",
            "From ada@sender.example Tue May 14 09:26:53 2024",
            ">From here",
            "From there",
        ),
    }


def _headers() -> dict[str, bytes]:
    """Headers: folded, encoded, raw, many, and nothing else."""
    five_scripts = "\r\n ".join(
        [
            "=?utf-8?B?zpPOtc65zqwgz4POv8+F?= =?koi8-r?B?8NLJ18XU?=",
            "=?iso-2022-jp?B?GyRCJDMkcyRLJEEkTxsoQg==?=",
            "=?utf-8?B?16nXnNeV150=?= =?iso-8859-1?Q?Gr=FC=DFe=2C_Ma=F1ana?=",
        ]
    )
    return {
        "encoded words": _message(five_scripts, "text"),
        "UTF-8 header": _message(
            "Grüße aus 東京 και Αθήνα",
            "RFC 6532 lets the header be UTF-8.",
            header=("Cc: Jürgen Öztürk <jürgen@empfänger.example>", *_mime(TEXT)),
        ),
        "folded header": _message(
            "Folded\r\n\tafter\r\n  every\r\n word",
            "text",
            header=("References:", *(f"\t<{n}@sender.example>" for n in range(60))),
        ),
        "many header lines": _message(
            "Many", "text", header=tuple(f"X-Trace-{n}: {'~' * n}" for n in range(200))
        ),
        "long header line": _message("Long", "text", header=("X-Long: " + "x" * 980,)),
        "empty header values": _message("", "text", header=("X-Empty:", "X-Blank: ")),
        "groups of addresses": _message(
            "Groups",
            "text",
            header=(
                'Cc: Analysts: "Menabrea, Luigi" <luigi@[192.0.2.7]>,',
                ' "a \\" b"@sender.example (a (nested) remark);, Nobody:;',
            ),
        ),
    }


def _addresses() -> dict[str, bytes]:
    """What an envelope tells."""
    return {
        "many addresses": _message(
            "Many",
            "text",
            header=(
                "Cc: " + ",\r\n ".join(f"N {n} <n{n}@cc.example>" for n in range(300)),
            ),
        ),
        "every field of an envelope": _message(
            "Re: Fields",
            "text",
            header=(
                "Sender: The Secretary <secretary@sender.example>",
                "Reply-To: Ada <ada@home.example>, charles@receiver.example",
                "Cc: =?utf-8?Q?J=C3=BCrgen_=C3=96zt=C3=BCrk?= <j@cc.example>,",
                '\t"=?utf-8?Q?no_word?=" <quoted@cc.example>, bare@cc.example',
                "Bcc: Secret: spy@bcc.example;",
                "In-Reply-To: <question@receiver.example>",
                "References: <older@receiver.example> <question@receiver.example>",
            ),
        ),
        "repeated field": _message(
            "First", "text", header=("Comments: one", "Comments: two", "X-A: 1")
        ),
        "unknown fields": _message(
            'Specials: " \\ { } ( ) % * [ ]',
            "text",
            header=('X-Quoted: "a\\b"', "X-Literal: {5}", "X-NIL: NIL"),
        ),
    }


def _charsets() -> dict[str, bytes]:
    """The same few words as they were written before UTF-8, and after."""
    words = {
        "iso-8859-2": ("Zażółć gęślą jaźń", "8bit"),
        "koi8-r": ("Съешь ещё этих мягких булок", "base64"),
        "windows-1252": ("“smart” – 5 €", "quoted-printable"),
        "iso-2022-jp": ("こんにちは世界", "7bit"),
        "gb18030": ("你好，世界", "8bit"),
        "utf-16": ("two octets each", "base64"),
    }

    def body(text: str, charset: str, encoding: str) -> bytes:
        octets = f"{text}\r\n".encode(charset)
        match encoding:
            case "base64":
                return _base64(octets)
            case "quoted-printable":
                return encodestring(octets).removesuffix(b"\r\n")
        return octets.removesuffix(b"\r\n")

    return {
        f"text in {charset}": _message(
            f"Written in {charset}",
            body(text, charset, encoding),
            header=_mime(f'text/plain; charset="{charset}"', encoding),
        )
        for charset, (text, encoding) in words.items()
    }


def _mime_messages() -> dict[str, bytes]:
    """MIME: each transfer encoding, multiparts, messages in messages, big parts."""
    plain = _part("Plain text, 8 bit: naïve café, ½ €", ".")
    latin = _part(
        "na\xefve caf\xe9".encode("latin-1"), content="text/plain; charset=iso-8859-1"
    )
    html = _part(
        _quoted_printable("<p>Größer = besser\t</p>\n"),
        content="text/html; charset=utf-8",
        encoding="quoted-printable",
    )
    forwarded = _message("Forwarded", "A message in a message.", "", ".")
    message_part = _part(forwarded, content="message/rfc822")
    nested = plain
    for depth in range(20):
        inner = _multipart(f"level-{depth}", nested, latin)
        nested = _part(*inner, content=f"multipart/mixed; boundary=level-{depth}")

    def attachment(size: int, seed: int) -> bytes:
        return _part(
            _base64(_noise(size, seed)),
            content='application/octet-stream; name="engine.bin"',
            encoding="base64",
        )

    def mixed(*parts: bytes) -> bytes:
        header = _mime('multipart/mixed; boundary="=_ the seam"')
        return _message("Parts", *_multipart("=_ the seam", *parts), header=header)

    return {
        "8-bit text": _message("8 bit", "Grüße, 日本語, Ωμέγα, 🐈", header=_mime(TEXT)),
        "octets of no charset": _message("Raw", bytes(range(128, 256))),
        "every octet but NUL CR LF": _message(
            "All", bytes(set(range(1, 256)) - set(b"\r\n"))
        ),
        "quoted-printable": _message(
            "Quoted",
            _quoted_printable("Größe = 5 µm\n.dot\n" + "lang " * 40),
            header=_mime(TEXT, "quoted-printable"),
        ),
        "base64 text": _message(
            "Base64",
            _base64("Ein Gruß\r\n".encode() * 20),
            header=_mime(TEXT, "base64"),
        ),
        "multipart with 8-bit parts": mixed(plain, latin),
        "multipart/alternative": _message(
            "Two forms",
            "A preamble.",
            *_multipart("seam", plain, html),
            "An epilogue.",
            header=_mime("multipart/alternative; boundary=seam"),
        ),
        "attachment": mixed(plain, attachment(5000, seed=1815)),
        "attachment of 2 MB": mixed(plain, attachment(2_000_000, seed=1843)),
        "nested multiparts": mixed(nested),
        "message/rfc822": mixed(plain, message_part),
        "unterminated multipart": mixed(plain, latin).removesuffix(
            b"\r\n--=_ the seam--\r\n"
        )
        + b"\r\n",
    }


def _kinds_of_parts() -> dict[str, bytes]:
    """MIME: what a structure tells besides the types of the parts."""
    picture = _base64(bytes(range(256)) * 9)
    inner = _message("Inner", "A message.", header=_mime("text/plain"))
    middle = _message(
        "Middle",
        *_multipart("in", _part("text"), _part(inner, content="message/rfc822")),
        header=_mime("multipart/mixed; boundary=in"),
    )
    report = _lines("Reporting-MTA: dns; a.example", "", "Action: failed", "")

    def described(*fields: str) -> bytes:
        return _lines(*fields, "", picture).removesuffix(b"\r\n")

    def made(subtype: str, *parts: bytes, more: str = "") -> bytes:
        header = _mime(f"multipart/{subtype}; boundary=seam{more}")
        return _message(f"Of {subtype}", *_multipart("seam", *parts), header=header)

    return {
        "one part of every octet": _message(
            "A picture", picture, header=_mime("image/png; name=x.png", "BASE64")
        ),
        "fields of a part": made(
            "mixed",
            described(
                'Content-Type: image/png; name="a \\"quoted\\" name.png"',
                "Content-Transfer-Encoding: base64",
                "Content-ID: <part1@sender.example>",
                "Content-Description: =?utf-8?Q?Ein_Gru=C3=9F?=",
                "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==",
                'Content-Disposition: attachment; filename="a file.png"; size=2304;',
                ' modification-date="Tue, 14 May 2024 09:26:53 +0200"',
                "Content-Language: de, en-GB",
                "Content-Location: http://sender.example/a.png",
            ),
            _part("text", content="text/plain; format=flowed; delsp=yes"),
        ),
        "fields of the whole": _message(
            "Whole",
            "text",
            header=(
                *_mime("text/plain; charset=us-ascii", "7bit"),
                "Content-Language: fr",
                "Content-Location: note.txt",
                "Content-Disposition: inline",
                "Content-ID: <whole@sender.example>",
            ),
        ),
        "parameters of RFC 2231": made(
            "mixed",
            described(
                "Content-Type: image/png;",
                " name*=utf-8'de'Gr%C3%BC%C3%9Fe.png",
                "Content-Transfer-Encoding: base64",
                "Content-Disposition: attachment;",
                ' filename*0="a very long name";',
                ' filename*1=" of a file.png"',
            ),
        ),
        "multipart/related": made(
            "related",
            _part('<img src="cid:x">', content="text/html; charset=us-ascii"),
            _part(picture, content="image/gif", encoding="base64"),
            more='; type="text/html"; start="<x>"',
        ),
        "multipart/digest": made(
            "digest", _lines("", inner), _lines("Content-Description: 2", "", middle)
        ),
        "multipart/report": made(
            "report",
            _part("It failed."),
            _part(report, content="message/delivery-status", encoding="7bit"),
            _part("Subject: x\r\n", content="text/rfc822-headers"),
            more="; report-type=delivery-status",
        ),
        "multipart/signed": made(
            "signed",
            _part("Signed."),
            _part(picture, content="application/pgp-signature", encoding="7bit"),
            more='; micalg=pgp-sha256; protocol="application/pgp-signature"',
        ),
        "messages three deep": made("mixed", _part(middle, content="message/rfc822")),
        "forwarded whole": _message(
            "Fwd: Middle", middle, header=_mime("message/rfc822")
        ),
        "parts without a field, without a line": made(
            "mixed", b"\r\ntext", _lines("Content-Type: text/html", ""), b"\r\n"
        ),
        "boundaries that begin alike": _message(
            "Alike",
            *_multipart(
                "seam",
                _part(
                    *_multipart("seam2", _part("in"), _part("-- seam", "in, too")),
                    content="multipart/mixed; boundary=seam2",
                ),
                _part("--", "out"),
            ),
            header=_mime("multipart/mixed; boundary=seam"),
        ),
        "types in capitals": made(
            "Mixed",
            _part("text", content="TEXT/PLAIN; CHARSET=US-ASCII", encoding="7BIT"),
            _part(picture, content="APPLICATION/X-Odd+Type; A=B", encoding="Base64"),
        ),
        "ninety parts": made("mixed", *(_part(f"part {n}") for n in range(90))),
        "text of 2 MB": _message("Long", *(f"{n:063}" for n in range(31_000))),
    }


MESSAGES: Mapping[str, bytes] = MappingProxyType(
    _plain() | _dots() | _headers() | _mime_messages()
)
"""Name -> message."""

STRUCTURED: Mapping[str, bytes] = MappingProxyType(
    _addresses() | _charsets() | _kinds_of_parts()
)
"""Name -> message, as well: for those who read what is in it, header and parts."""

ODD: Mapping[str, bytes] = MappingProxyType(
    {
        "empty": b"",
        "only CRLF": b"\r\n",
        "no header": _lines("", "only a body"),
        "only a header": _lines("Subject: only a header", "From: ada@sender.example"),
        "line of 100000": _message("Endless", "d" * 100_000, ".", "end"),
        "no final CRLF": _message("Cut off", "the end")[:-2],
        "no final CRLF, dot": _message("Cut off", "the end", "")[:-2] + b".",
        "final CR": _message("Cut between", "the end")[:-1],
        "lone LF": _message("LF", "one\ntwo\n.\n..\nthree", ".\n", "\n.", "\n"),
        "lone CR": _message("CR", "one\rtwo\r.\r", "\r\r", "\r.", "three"),
        "only LF": _message("Unix", "one", ".", "two").replace(b"\r\n", b"\n"),
        "NUL": _message("NUL", b"a\0b", b"\0", b"\0." + bytes(300)),
        "smuggled end": _message("End", "one\n.\nQUIT\n", "two\r.\rQUIT\r\n\n.\r", "x"),
    }
)
"""Name -> octets that a real server or client may alter."""
