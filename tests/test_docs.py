"""The documents say what the code says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INDEX = ROOT / "docs" / "rfc-index.txt"
PROOFS = {"Dovecot 2.3", "Cyrus", "Courier", "transcript", "scripted server", "vectors", "property"}
# what a mail service of today is asked for
WANTED = [
    "IMAP4rev1",
    "IMAP4rev2",
    "UIDPLUS",
    "MOVE",
    "CONDSTORE",
    "QRESYNC",
    "NOTIFY",
    "IDLE",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "SPECIAL-USE",
    "NAMESPACE",
    "ESEARCH",
    "ENABLE",
    "ID",
    "LITERAL+",
    "LITERAL-",
    "SASL-IR",
    "COMPRESS=DEFLATE",
    "UTF8=ACCEPT",
    "STATUS=SIZE",
    "OBJECTID",
    "MULTIAPPEND",
    "APPENDLIMIT",
    "QUOTA",
    "UNSELECT",
    "BINARY",
    "INPROGRESS",
    "X-GM-EXT-1",
    "UIDL",
    "TOP",
    "CAPA",
    "STLS",
    "PIPELINING",
    "EXPIRE",
    "LOGIN-DELAY",
    "RESP-CODES",
    "AUTH-RESP-CODE",
    "UTF8",
]
# `RFC 4959, 5161, 2971` cites three
CITED = re.compile(r"\bRFC\s(\d{3,5})\b((?:,\s+(?:and\s+)?\d{4}\b)*)")


def rows() -> list[list[str]]:
    lines = INDEX.read_text(encoding="utf-8").splitlines()
    return [
        [cell.strip() for cell in line.split(" | ")]
        for line in lines
        if " | " in line and "Each line" not in line
    ]


def cited() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for part in ("daemon", "api"):
        for path in sorted((ROOT / part).rglob("*.py")):
            for one in CITED.finditer(path.read_text(encoding="utf-8")):
                for number in [one[1], *re.findall(r"\d{4}", one[2])]:
                    found.setdefault(f"RFC {number}", path.relative_to(ROOT))
    return found


def test_every_rfc_cited_in_code_is_in_the_index():
    known = {row[0] for row in rows()}
    missing = {name: str(path) for name, path in cited().items() if name not in known}
    assert not missing


def test_index_names_each_standard_once_and_completely():
    names = [row[0] for row in rows()]
    assert len(names) == len(set(names))
    assert all(len(row) == 5 and all(row) for row in rows())


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_index_says_how_far_where_and_by_what_proof(row):
    _, _, support, module, proofs = row
    word, _, reason = support.partition(":")
    assert word in {"yes", "partly", "no"}
    assert bool(reason) is (word != "yes"), "partly and no say why"
    assert (ROOT / module).is_file()
    assert set(proofs.split(", ")) <= PROOFS


@pytest.mark.parametrize("extension", WANTED)
def test_every_extension_wanted_is_in_the_index(extension):
    named = {word for row in rows() for word in re.split(r"[ ,:()]+", f"{row[0]} {row[1]}")}
    assert extension in named
