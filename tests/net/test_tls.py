"""Certificates that must not be believed, each with its own reason, and the pump by itself."""

import datetime as dt
import ssl
import warnings

import pytest
import trustme

from daemon.model.errors import TlsFailed
from daemon.model.settings import Tls
from daemon.net import tls
from daemon.net.deadlines import Timers
from daemon.net.endpoint import Endpoint
from daemon.net.stream import Stream

QUICK = Timers(handshake_seconds=3)
NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


class Nobody:
    is_inside_unit = False

    def receive(self, data):
        raise AssertionError("nothing may be read from such a line")

    def lose(self, error):
        self.error = error


@pytest.fixture
def refused(serve, certificates):
    """The TlsFailed of connecting to a server with this context; checks that nothing was sent over it."""

    async def run(context, host="localhost", ca_file=None):
        heard = []

        async def script(reader, writer):
            heard.append(await reader.read(100))

        server = await serve(script, tls=context)
        endpoint = Endpoint(
            host=host, port=server.port, tls=Tls.IMPLICIT, ca_file=ca_file or certificates.ca_file
        )
        with pytest.raises(TlsFailed) as caught:
            await Stream.open(endpoint, Nobody(), QUICK)
        assert not any(heard)
        assert caught.value.remedy
        assert "localhost" in str(caught.value) or host in str(caught.value)
        return caught.value.reason

    return run


def self_signed(tmp_path) -> ssl.SSLContext:
    authority = trustme.CA()
    pem = tmp_path / "self.pem"
    authority.private_key_pem.write_to_path(pem)
    authority.cert_pem.write_to_path(pem, append=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_expired(refused, certificates):
    context = certificates.server_context(not_before=NOW - 3 * DAY, not_after=NOW - DAY)
    assert await refused(context) == "tls_expired"


async def test_not_yet_valid(refused, certificates):
    context = certificates.server_context(not_before=NOW + DAY, not_after=NOW + 3 * DAY)
    assert await refused(context) == "tls_not_yet_valid"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_wrong_host(refused, certificates, host):
    assert await refused(certificates.server_context("mail.example.org"), host) == "tls_hostname"


async def test_unknown_authority(refused):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    assert await refused(context) == "tls_untrusted"


async def test_self_signed(refused, tmp_path):
    assert await refused(self_signed(tmp_path)) == "tls_untrusted"


async def test_old_versions_only(refused, certificates):
    context = certificates.server_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    assert await refused(context) == "tls_handshake"


@pytest.mark.parametrize("content", [None, "not a certificate"])
async def test_unusable_ca_file(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TlsFailed) as caught:
        await tls.load_context(path)
    assert caught.value.reason == "tls_untrusted"
    assert str(path) in str(caught.value)


async def test_context_is_shared_until_the_file_changes(certificates, tmp_path):
    path = tmp_path / "ca.pem"
    path.write_bytes(certificates.ca_file.read_bytes())
    first = await tls.load_context(path)
    assert await tls.load_context(path) is first
    trustme.CA().cert_pem.write_to_path(path)
    assert await tls.load_context(path) is not first


async def test_system_authorities_are_used_without_a_ca_file():
    context = await tls.load_context(None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


async def test_impossible_host_name_is_a_tls_failure():
    with pytest.raises(TlsFailed) as caught:
        await Stream.open(Endpoint(host="a" * 300, port=1, tls=Tls.IMPLICIT), Nobody(), QUICK)
    assert caught.value.reason == "tls_hostname"


class Peer:
    """The server's end of a pump, in memory."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def pump(self, data: bytes, call) -> bytes:
        self.incoming.write(data)
        try:
            call()
        except ssl.SSLWantReadError:
            return self.outgoing.read()
        return self.outgoing.read()


@pytest.fixture
def shaken(certificates):
    pump = tls.TlsPump(tls.make_context(certificates.ca_file), "localhost")
    peer = Peer(certificates.server_context())
    is_done = pump.shake()
    for _ in range(4):
        pump.feed(memoryview(peer.pump(pump.take(), peer.tls.do_handshake)))
        is_done = is_done or pump.shake()
    assert is_done
    return pump, peer


def test_plaintext_of_many_records_is_gathered_into_one_buffer(shaken):
    pump, peer = shaken
    sent = bytes(range(256)) * 700
    records = peer.pump(pump.take(), lambda: peer.tls.write(sent))
    room = memoryview(bytearray(len(records) + tls.RECORD_ROOM))
    got = bytearray()
    for start in range(0, len(records), 100_001):
        piece = memoryview(records)[start : start + 100_001]
        got += room[: pump.decrypt(piece, room)]
    assert got == sent


def test_close_notify_is_seen_after_the_data_before_it(shaken):
    pump, peer = shaken
    records = peer.pump(pump.take(), lambda: peer.tls.write(b"last words"))
    records += peer.pump(b"", peer.tls.unwrap)
    room = memoryview(bytearray(65536))
    count = pump.decrypt(memoryview(records), room)
    assert bytes(room[:count]) == b"last words"
    assert pump.is_closed


def test_forged_record_is_an_error(shaken):
    pump, peer = shaken
    records = bytearray(peer.pump(pump.take(), lambda: peer.tls.write(b"x" * 100)))
    records[-3] ^= 1
    with pytest.raises(ssl.SSLError):
        pump.decrypt(memoryview(records), memoryview(bytearray(65536)))


def test_encrypted_octets_reach_the_peer_and_goodbye_is_said_once(shaken):
    pump, peer = shaken
    pump.encrypt(b"hello")
    peer.incoming.write(pump.take())
    assert peer.tls.read(100) == b"hello"
    pump.say_goodbye()
    peer.incoming.write(pump.take())
    assert peer.tls.read(100) == b""
    pump.say_goodbye()


def test_idle_pump_is_small(certificates):
    """asyncio holds 285 KiB per idle TLS connection in Python memory; this must not."""
    import tracemalloc

    context = tls.make_context(certificates.ca_file)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = [tls.TlsPump(context, "localhost") for _ in range(50)]
    used = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
    tracemalloc.stop()
    assert used < 8 * 1024
