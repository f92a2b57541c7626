"""Listening sockets in the file system: mode, leftovers, and where the control socket lies."""

import os
import socket
import stat

import pytest

from api.addresses import TcpAddress
from api.sockets import SocketInUse, bind_control, bind_tcp, bind_unix, find_control


@pytest.fixture
def closing():
    bound = []
    yield bound
    for one in bound:
        one.sock.close()
        one.remove()


def long_store(tmp_path):
    path = tmp_path / ("x" * 60) / ("y" * 60)
    path.mkdir(parents=True)
    return path


def leftover(path):
    """A socket file whose process is gone."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(str(path))


def test_socket_has_the_mode_asked_for_whatever_the_umask(tmp_path, closing):
    before = os.umask(0o077)
    try:
        closing.append(bind_unix(tmp_path / "s", mode=0o660))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o660


def test_leftover_of_a_dead_process_is_replaced(tmp_path, closing):
    leftover(tmp_path / "s")
    closing.append(bind_unix(tmp_path / "s", mode=0o600))


def test_socket_of_a_living_process_is_left_alone(tmp_path, closing):
    closing.append(bind_unix(tmp_path / "s", mode=0o600))
    with pytest.raises(SocketInUse):
        bind_unix(tmp_path / "s", mode=0o600)


def test_file_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "s").write_text("mail")
    with pytest.raises(FileExistsError):
        bind_unix(tmp_path / "s", mode=0o600)
    assert (tmp_path / "s").read_text() == "mail"


def test_symlink_in_the_way_is_not_followed(tmp_path):
    leftover(tmp_path / "elsewhere")
    (tmp_path / "s").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        bind_unix(tmp_path / "s", mode=0o600)
    assert (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a socket of another user")
def test_leftover_of_another_user_is_left_alone(tmp_path):
    leftover(tmp_path / "s")
    os.chown(tmp_path / "s", 12345, -1)
    with pytest.raises(FileExistsError):
        bind_unix(tmp_path / "s", mode=0o600)


def test_only_the_inode_that_was_bound_is_removed(tmp_path):
    bound = bind_unix(tmp_path / "s", mode=0o600)
    (tmp_path / "s").rename(tmp_path / "kept-to-hold-the-inode")
    leftover(tmp_path / "s")
    bound.sock.close()
    bound.remove()
    assert (tmp_path / "s").exists()


def test_socket_file_goes_at_the_end(tmp_path):
    bound = bind_unix(tmp_path / "s", mode=0o600)
    bound.sock.close()
    bound.remove()
    bound.remove()
    assert not (tmp_path / "s").exists()


def test_control_socket_lies_in_the_store(tmp_path, closing):
    closing.append(bind_control(tmp_path, "id", {}))
    assert closing[0].path == tmp_path / "control.sock" == find_control(tmp_path)
    assert stat.S_IMODE(closing[0].path.stat().st_mode) == 0o660


def test_control_socket_of_a_long_path_lies_in_the_runtime_directory(tmp_path, runtime, closing):
    """sync.md 29: a socket's address has room for 107 bytes."""
    store = long_store(tmp_path)
    bound = bind_control(store, "abc", {"XDG_RUNTIME_DIR": str(runtime)})
    assert bound.path == runtime / "mailsyncd-abc" / "control.sock" == find_control(store)
    assert stat.S_IMODE(bound.path.parent.stat().st_mode) == 0o700
    bound.sock.close()
    bound.remove()
    assert list(runtime.iterdir()) == []
    assert not (store / "control.sock").is_symlink()


def test_link_left_by_a_dead_process_is_replaced(tmp_path, runtime, closing):
    store = long_store(tmp_path)
    (store / "control.sock").symlink_to("/nowhere/control.sock")
    closing.append(bind_control(store, "abc", {"XDG_RUNTIME_DIR": str(runtime)}))
    assert find_control(store) == closing[0].path


def test_link_never_replaces_a_file(tmp_path, runtime):
    store = long_store(tmp_path)
    (store / "control.sock").write_text("something")
    with pytest.raises(FileExistsError):
        bind_control(store, "abc", {"XDG_RUNTIME_DIR": str(runtime)})
    assert not (runtime / "mailsyncd-abc" / "control.sock").exists()


def test_runtime_directory_open_to_others_is_refused(tmp_path, runtime):
    (runtime / "mailsyncd-abc").mkdir()
    (runtime / "mailsyncd-abc").chmod(0o777)
    with pytest.raises(PermissionError):
        bind_control(long_store(tmp_path), "abc", {"XDG_RUNTIME_DIR": str(runtime)})


def test_taken_port_is_refused_unless_another_will_do():
    with bind_tcp(TcpAddress("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            bind_tcp(TcpAddress("127.0.0.1", port))
        with bind_tcp(TcpAddress("127.0.0.1", port), port_fallback=True) as second:
            assert second.getsockname()[1] not in (0, port)


def test_ipv6_socket_takes_ipv6_only():
    try:
        sock = bind_tcp(TcpAddress("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with sock:
        assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
