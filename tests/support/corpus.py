"""Mail that looks like mail: sizes, headers, scripts and structures as they come, the same for the same seed."""

import base64
import random
from collections.abc import Iterator
from email.utils import formatdate

MAILBOXES = (
    "INBOX",
    "Archive",
    "Archive/2024",
    "Entwürfe & Pläne",
    "صندوق ورودی",
    "فاکتورها/۱۴۰۳",
    "أرشيف",
    "收件箱",
    "請求書",
    "Счета",
    "Lists/python",
    "Rechnungen 🧾",
    "50 % & more",
)
_SUBJECTS = (
    "Re: the plan for Tuesday",
    "Invoice 2024-{n}",
    "=?utf-8?b?2LPZhNin2YUg2Ygg2K/YsdmI2K8=?= {n}",
    "=?utf-8?q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?= {n}",
    "=?gb2312?b?xOO6w6Os1bTLvg==?= {n}",
    "[list] build {n} failed",
    "Ваш заказ {n}",
)
_PEOPLE = (
    "Ada Lovelace <ada@example.org>",
    '"Doe, Jane" <jane@example.com>',
    "=?utf-8?q?J=C3=BCrgen?= <juergen@example.net>",
    "=?utf-8?b?2LHYttin?= <reza@example.ir>",
    "list@lists.example.org",
)
_WORDS = [
    "the",
    "mail",
    "came",
    "down",
    "the",
    "line",
    "and",
    "nothing",
    "was",
    "lost",
    "on",
    "the",
    "way",
    "from",
    "there",
    "to",
    "here",
    "again",
    "today",
]


def message(number: int, size: int, rng: random.Random) -> bytes:
    """One message of about `size` octets, CRLF; every 17th shares its Message-ID with the one before."""
    boundary = f"b{number:08x}"
    identity = number - 1 if number % 17 == 0 else number
    head = [
        "Return-Path: <bounce@example.org>",
        f"Received: from mx{number % 7}.example.org by mail.example.com with ESMTPS id {rng.getrandbits(48):x};",
        f"\t{formatdate(1_600_000_000 + number)}",
        f"Message-ID: <{identity}.{identity * 7919 % 104729}@example.org>",
        f"Date: {formatdate(1_600_000_000 + number)}",
        f"From: {_PEOPLE[number % len(_PEOPLE)]}",
        f"To: {_PEOPLE[(number + 1) % len(_PEOPLE)]},",
        f"\t{_PEOPLE[(number + 2) % len(_PEOPLE)]}",
        f"Subject: {_SUBJECTS[number % len(_SUBJECTS)].format(n=number)}",
        "MIME-Version: 1.0",
    ]
    text = _text(size if number % 3 else size // 4, rng)
    if number % 3:
        body = ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", "", text]
    else:
        attachment = base64.encodebytes(rng.randbytes(max(size * 9 // 16, 12))).decode().replace("\n", "\r\n")
        body = [
            f'Content-Type: multipart/mixed; boundary="{boundary}"',
            "",
            f"--{boundary}",
            "Content-Type: text/plain; charset=utf-8",
            "",
            text,
            f"--{boundary}",
            f'Content-Type: application/octet-stream; name="file{number}.bin"',
            "Content-Transfer-Encoding: base64",
            "",
            attachment + f"--{boundary}--",
        ]
    return ("\r\n".join([*head, *body]) + "\r\n").encode()


def messages(count: int, *, seed: int = 1, smallest: int = 2_000, largest: int = 60_000) -> Iterator[bytes]:
    """`count` messages, sizes log-uniform between the two."""
    rng = random.Random(seed)
    for number in range(1, count + 1):
        yield message(seed * 1_000_003 + number, int(smallest * (largest / smallest) ** rng.random()), rng)


def small(count: int, *, seed: int = 1) -> list[bytes]:
    """Short messages, for tests that are about something else than size."""
    return list(messages(count, seed=seed, smallest=200, largest=900))


def spread(count: int, *, mailboxes: tuple[str, ...] = MAILBOXES) -> dict[str, int]:
    """How many messages each mailbox gets: INBOX the most, then fewer and fewer."""
    weights = [1 / (position + 1) for position in range(len(mailboxes))]
    shares = [int(count * weight / sum(weights)) for weight in weights]
    shares[0] += count - sum(shares)
    return dict(zip(mailboxes, shares, strict=True))


def _text(size: int, rng: random.Random) -> str:
    line = " ".join(rng.choice(_WORDS) for _ in range(12))
    return "\r\n".join([line] * max(1, size // (len(line) + 2)))
