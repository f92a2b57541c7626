"""The documents say what the code says."""

import re
from pathlib import Path

import pytest

from daemon.sync import filling

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


# `sync.plan`, `service.control`, `net.imap.fetching` and `daemon/sync/plan.py`, as they stand in prose
PACKAGES = sorted(path.parent.name for path in (ROOT / "daemon").glob("*/__init__.py"))
NAMED = re.compile(
    rf"`((?:daemon\.)?(?:{'|'.join(PACKAGES)})(?:\.(?!(?:toml|py)\b)[a-z0-9_]+)+|(?:daemon|api)(?:/[a-z0-9_]+)+(?:\.py)?)`"
)
DOCUMENTS = ["docs/architecture.md", "CONTRIBUTING.md"]


def is_in_the_code(name: str) -> bool:
    place = ROOT / name if "/" in name else ROOT / "daemon" / name.removeprefix("daemon.").replace(".", "/")
    return place.exists() or place.with_suffix(".py").is_file()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_module_that_a_document_names_exists(document):
    named = set(NAMED.findall((ROOT / document).read_text(encoding="utf-8")))
    assert named
    assert not {name for name in named if not is_in_the_code(name)}


def test_a_module_that_is_not_there_is_noticed():
    assert NAMED.findall("see `sync.plan`, `daemon/sync/plan.py` and `net.imap`") == [
        "sync.plan",
        "daemon/sync/plan.py",
        "net.imap",
    ]
    assert is_in_the_code("sync.plan")
    assert is_in_the_code("daemon/sync/plan.py")
    assert is_in_the_code("net.imap")
    assert not is_in_the_code("sync.plans")


def test_every_target_of_make_for_people_is_told_to_contributors():
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    told = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    untold = {target for target in targets if not re.search(rf"\bmake {target}\b", told)}
    assert untold <= {"help", "format", "bench", "clean"}


def test_the_size_of_a_batch_is_told_as_it_is():
    told = f"{filling.BATCH_MESSAGES} messages or {filling.BATCH_BYTES // 2**20} MiB"
    for document in ("docs/architecture.md", "docs/decisions/0002-batches.md"):
        assert told in (ROOT / document).read_text(encoding="utf-8")
