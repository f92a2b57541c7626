"""The demo's mail: friendly letters in several languages, and more that keep arriving.

Pure: the same number gives the same letter. Nothing here is anyone's real address (RFC 2606).
"""

# ruff: noqa: RUF001 - letters of other scripts are the point

from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from daemon.model.flags import ANSWERED, FLAGGED, NO_FLAGS, SEEN, FlagSet

OWNER: Final = "You <demo@example.com>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What one letter says; `age_hours` is how long before the demo's start it came."""

    sender: str
    subject: str
    text: str
    age_hours: float = 0.0
    flags: FlagSet = NO_FLAGS
    html: str | None = None
    attachment: tuple[str, str] | None = None
    recipient: str = OWNER


INBOX_LETTERS: Final = (
    Letter(
        sender="Ada Lovelace <ada@example.org>",
        subject="Welcome to mailsyncd",
        text="Every message you see here is also a file on your disk, with exactly these octets.\n\n"
        "Delete one with curl and it is gone on the server; that is the point.\n",
        age_hours=70,
        flags=frozenset({FLAGGED}),
    ),
    Letter(
        sender="سارا احمدی <sara@example.net>",
        subject="قرار فردا",
        text="سلام!\n\nفردا ساعت پنج در کتابخانه می‌بینمت. کتاب را هم بیاور.\n\nسارا\n",
        age_hours=52,
    ),
    Letter(
        sender="Jürgen Groß <juergen@example.com>",
        subject="Grüße aus Köln – und die Pläne für den Frühling",
        text="Hallo,\n\nim Anhang die Liste. Über Rückmeldungen freue ich mich.\n\nViele Grüße\nJürgen\n",
        age_hours=49,
        flags=frozenset({SEEN, ANSWERED}),
        attachment=("Pläne.txt", "1. Garten umgraben\n2. Dachrinne säubern\n3. Öl nachfüllen\n"),
    ),
    Letter(
        sender="李雷 <lilei@example.org>",
        subject="周末的安排",
        text="你好！\n\n周末天气很好，我们去爬山吧。\n\n李雷\n",
        age_hours=31,
    ),
    Letter(
        sender="منى <mona@example.net>",
        subject="صور الرحلة",
        text="مرحبا،\n\nالصور جاهزة، سأرسلها غدا إن شاء الله.\n\nمنى\n",
        age_hours=30,
        flags=frozenset({SEEN}),
    ),
    Letter(
        sender="Ольга <olga@example.com>",
        subject="Рецепт, как обещала",
        text="Привет!\n\nСвёкла, капуста, картошка и немного терпения.\n\nОльга\n",
        age_hours=27,
    ),
    Letter(
        sender="Zoë Brontë <zoe@example.org>",
        subject="📷 Postcards from the coast",
        text="Three days of rain, then this. See you on Sunday!\n",
        html="<p>Three days of rain, <em>then this</em>. See you on Sunday!</p>\n",
        age_hours=20,
    ),
    Letter(
        sender="Build <builds@lists.example.org>",
        subject="[builds] nightly 1042 passed",
        text="2,318 tests, 0 failures, 11 minutes.\n",
        age_hours=9,
        flags=frozenset({SEEN}),
    ),
    Letter(
        sender="José Núñez <jose@example.net>",
        subject="¿Cenamos el viernes?",
        text="Mesa para cuatro a las nueve. Dime si puedes.\n\nJosé\n",
        age_hours=7,
    ),
    Letter(
        sender="高橋 花子 <hanako@example.jp>",
        subject="請求書のご送付",
        text="いつもお世話になっております。\n\n今月分の請求書をお送りします。\n\n高橋\n",
        age_hours=5,
        flags=frozenset({SEEN}),
    ),
    Letter(
        sender="Ben <ben@example.com>",
        subject="Re: the plan for Tuesday",
        text="> Ten o'clock?\n\nTen is fine. I bring the coffee.\n",
        age_hours=2,
    ),
    Letter(
        sender="Grace Hopper <grace@example.org>",
        subject="A moth, of all things",
        text="Found it in relay 70, panel F. Taped to the logbook as evidence.\n",
        age_hours=1,
        flags=frozenset({FLAGGED}),
    ),
)

MAILDROP_LETTERS: Final = (
    Letter(
        sender="Grace Hopper <grace@example.org>",
        subject="This one came over POP3",
        text="POP3 is a one-way street: mail comes down, the line closes, and what you do here never touches the "
        "server.\n\nDelete this letter with curl: it is gone here, stays there, and does not come back.\n",
        age_hours=30,
    ),
    Letter(
        sender="The harbour office <harbour@example.net>",
        subject="Ebb and flow",
        text="High water at 6:12 and 18:40, low water at 0:05 and 12:26.\n",
        age_hours=9,
    ),
    Letter(
        sender="کتابخانه <library@example.net>",
        subject="یادآوری بازگرداندن کتاب",
        text="سلام،\n\nکتاب شما تا پنجشنبه باید بازگردد.\n",
        age_hours=2,
    ),
)

OTHER_LETTERS: Final = {
    "Archive": (
        Letter(
            sender="Library <desk@example.org>",
            subject="Your books are due on Friday",
            text="You may renew them once.\n",
            age_hours=24 * 40,
            flags=frozenset({SEEN}),
        ),
        Letter(
            sender="Ada Lovelace <ada@example.org>",
            subject="Notes on the engine",
            text="It weaves algebraic patterns just as the loom weaves flowers and leaves.\n",
            age_hours=24 * 90,
            flags=frozenset({SEEN}),
        ),
    ),
    "Sent": (
        Letter(
            sender=OWNER,
            recipient="Ben <ben@example.com>",
            subject="the plan for Tuesday",
            text="Ten o'clock?\n",
            age_hours=3,
            flags=frozenset({SEEN}),
        ),
    ),
    "Trash": (),
}

_ARRIVING: Final = (
    Letter(
        sender="Clock <clock@example.org>",
        subject="Message number {n}",
        text="The demo delivers one every now and then, so that there is something to see.\n",
    ),
    Letter(
        sender="Weather <weather@example.net>",
        subject="Now: {n} knots from the west",
        text="Small craft may go out.\n",
    ),
    Letter(sender="رضا <reza@example.ir>", subject="پیام شمارهٔ {n}", text="سلام، خبر تازه‌ای نیست.\n"),
    Letter(
        sender="Post <post@example.com>", subject="Paket Nr. {n} ist unterwegs 📦", text="Es kommt heute.\n"
    ),
)


def arriving(number: int) -> Letter:
    """The letter that arrives as number `number`, from 1 on."""
    letter = _ARRIVING[(number - 1) % len(_ARRIVING)]
    return Letter(sender=letter.sender, subject=letter.subject.format(n=number), text=letter.text)


def octets_of(letter: Letter, *, number: int, sent_at: float) -> bytes:
    """The letter as it comes over the wire, CRLF; `number` makes its Message-ID."""
    message = EmailMessage(policy=SMTP)
    message["From"] = letter.sender
    message["To"] = letter.recipient
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(datetime.fromtimestamp(int(sent_at), UTC))
    message["Message-ID"] = f"<{number}.{int(sent_at)}@demo.example.org>"
    message.set_content(letter.text)
    if letter.html is not None:
        message.add_alternative(letter.html, subtype="html")
    if letter.attachment is not None:
        name, text = letter.attachment
        message.add_attachment(text, filename=name)
    if message.is_multipart():
        message.set_boundary(f"demo-{number}")
    return message.as_bytes()
