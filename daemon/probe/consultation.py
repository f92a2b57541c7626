"""A consultation: both protocols looked at side by side, and the advice that follows."""

import asyncio

from daemon.model.advice import Consultation, Wants
from daemon.model.clock import Clock
from daemon.probe.advice import advise
from daemon.probe.blocks import Owner
from daemon.probe.candidates import Candidates
from daemon.probe.facts import seen
from daemon.probe.looks import Login, look_at_imap, look_at_pop3


async def consult(
    candidates: Candidates, login: Login | None, wants: Wants, owner: Owner, clock: Clock
) -> Consultation:
    """The advice for these places, after at most some twenty seconds; one login over each protocol that answers."""
    imap, pop3 = await asyncio.gather(
        look_at_imap(candidates.imap, login, clock), look_at_pop3(candidates.pop3, login, clock)
    )
    return Consultation(advice=advise(imap, pop3, wants, owner), imap=seen(imap), pop3=seen(pop3))
