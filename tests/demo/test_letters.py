import email
from email.policy import default

import pytest

from daemon.demo import letters

ALL = [*letters.INBOX_LETTERS, *(letter for there in letters.OTHER_LETTERS.values() for letter in there)]


@pytest.mark.parametrize("letter", ALL, ids=lambda letter: letter.subject)
def test_letter_is_mail_that_any_reader_understands(letter):
    octets = letters.octets_of(letter, number=3, sent_at=1_700_000_000)
    message = email.message_from_bytes(octets, policy=default)
    assert message["Subject"] == letter.subject
    assert message["Message-ID"] == "<3.1700000000@demo.example.org>"
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == letter.text
    assert octets.partition(b"\r\n\r\n")[0].isascii()
    assert b"\n" not in octets.replace(b"\r\n", b"")


def test_same_letter_has_the_same_octets():
    one, two = (letters.octets_of(letter, number=1, sent_at=5) for letter in [ALL[2]] * 2)
    assert one == two


def test_arriving_letters_carry_their_number():
    subjects = [letters.arriving(number).subject for number in range(1, 9)]
    assert len(set(subjects)) == 8
    assert "1" in subjects[0]


def test_inbox_has_a_dozen_in_several_scripts():
    assert len(letters.INBOX_LETTERS) >= 12
    subjects = "".join(letter.subject for letter in letters.INBOX_LETTERS)
    for first, last in (
        ("\u0400", "\u04ff"),
        ("\u0600", "\u06ff"),
        ("\u3040", "\u30ff"),
        ("\u4e00", "\u9fff"),
    ):
        assert any(first <= char <= last for char in subjects)
