"""`makefile`: messages as a stream of bytes or lines."""

from __future__ import annotations

import errno
import io

import pytest
from loopback import Pair, call, expect_errno, fill, receive_all


def test_lines_of_text_both_ways(pair: Pair) -> None:
    with pair.client.makefile("w", encoding="utf-8", newline="\r\n") as writer:
        print("grüße", "zeile", sep="\n", file=writer)
    with pair.server.makefile(encoding="utf-8") as reader:
        assert [reader.readline() for _ in range(2)] == ["grüße\n", "zeile\n"]
    pair.server.send(b"unfinished")
    pair.server.close()
    with pair.client.makefile("rb") as raw:
        assert raw.read() == b"unfinished"


def test_a_reader_joins_messages(pair: Pair) -> None:
    for piece in (b"ab", b"cde", b"f\ngh"):
        pair.client.send(piece)
    pair.client.close()
    with pair.server.makefile("rb") as reader:
        assert reader.read(4) == b"abcd"
        assert reader.readline() == b"ef\n"
        assert reader.read() == b"gh"


def test_a_writer_splits_what_is_larger_than_the_send_buffer(pair: Pair) -> None:
    data = bytes(range(256)) * 4_000
    with pair.client.makefile("wb") as writer:
        received = call(receive_all, pair.server)
        writer.write(data)
        writer.flush()
        pair.client.close()
    assert received.outcome() == data


def test_reading_and_writing_through_one_file(pair: Pair) -> None:
    with pair.client.makefile("rwb") as file:
        assert isinstance(file, io.BufferedRWPair)
        file.write(b"question")
        file.flush()
        assert pair.server.recv(100) == b"question"
        pair.server.send(b"answer\n")
        assert file.readline() == b"answer\n"


def test_an_unbuffered_file(pair: Pair) -> None:
    with pair.client.makefile("rwb", buffering=0) as raw:
        assert (raw.readable(), raw.writable(), raw.seekable()) == (True, True, False)
        assert raw.fileno() == pair.client.fileno()
        assert raw.write(b"") == 0
        assert raw.write(b"xyz") == 3
        assert pair.server.recv(10) == b"xyz"
        pair.server.send(b"123")
        assert raw.read(2) == b"12"
        assert raw.read(2) == b"3"


def test_the_socket_lives_as_long_as_its_files(pair: Pair) -> None:
    first, second = pair.client.makefile("wb"), pair.client.makefile("rb")
    pair.client.close()
    first.write(b"still open")
    first.close()
    assert pair.server.recv(100) == b"still open"
    pair.server.send(b"and back\n")
    assert second.readline() == b"and back\n"
    second.close()
    assert pair.server.recv(100) == b""
    expect_errno(errno.EBADF, pair.client.send, b"x")


def test_a_file_made_after_close_does_not_make_it_forgotten(pair: Pair) -> None:
    one = pair.client.makefile("rb")
    pair.client.close()
    other = pair.client.makefile("rb")
    # Closing once more changes nothing.
    pair.client.close()
    one.close()
    pair.server.send(b"line\n")
    assert other.readline() == b"line\n"
    other.close()
    assert pair.client.fileno() == -1
    assert pair.server.recv(10) == b""


def test_files_of_a_socket_that_does_not_block(pair: Pair) -> None:
    pair.client.setblocking(False)
    with pair.client.makefile("rb", buffering=0) as reader, pair.client.makefile("wb", buffering=0) as writer:
        assert reader.read(10) is None
        fill(pair.client)
        assert writer.write(b"x") is None


def test_a_file_whose_read_timed_out_reads_no_more(pair: Pair) -> None:
    pair.client.settimeout(0.02)
    with pair.client.makefile("rb") as reader:
        with pytest.raises(TimeoutError):
            reader.read(1)
        with pytest.raises(OSError, match="timed out"):
            reader.read(1)


@pytest.mark.parametrize(("mode", "buffering"), [("a", None), ("r+", None), ("r", 0)])
def test_modes_that_make_no_sense(pair: Pair, mode: str, buffering: int | None) -> None:
    with pytest.raises(ValueError):
        pair.client.makefile(mode, buffering)
