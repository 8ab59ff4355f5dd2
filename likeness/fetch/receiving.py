"""Waiting for a server in a way that can be called off at any moment."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from threading import Thread
from typing import TypeVar

import requests

from .watch import Watch

Result = TypeVar("Result")
LOOK = 0.2  # seconds between two questions whether to go on


def answered(ask: Callable[[], requests.Response], watch: Watch) -> requests.Response:
    """The answer to a request; who is called off meanwhile leaves it to come or fail by itself.

    Raises:
        Exception: What the request raises, and what the watch does.
    """
    answer: Future[requests.Response] = Future()

    def wait() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:
            answer.set_exception(error)

    # Not in an executor, whose threads are waited for when Python ends.
    Thread(target=wait, name="likeness-request", daemon=True).start()
    try:
        return _result(answer, watch)
    except BaseException:
        answer.add_done_callback(_close)
        raise


def ahead(response: requests.Response, chunk_size: int, watch: Watch) -> Generator[bytes, None, None]:
    """The body in chunks, the next one received while the last is hashed and written."""
    with ThreadPoolExecutor(1) as receiver:
        chunk, coming = b"-", receiver.submit(response.raw.read, chunk_size, decode_content=False)
        try:
            while chunk:
                chunk = _result(coming, watch)
                if chunk:
                    coming = receiver.submit(response.raw.read, chunk_size, decode_content=False)
                    yield chunk
        finally:
            if not coming.done():  # leaving would wait for the read, up to its timeout
                _hang_up(response)


def _hang_up(response: requests.Response) -> None:
    """End a read that waits in another thread; urllib3 offers that itself only from 2.3 on."""
    with suppress(OSError, ValueError, AttributeError):  # it has ended meanwhile
        connection = socket.socket(fileno=response.raw.fileno())
        try:
            connection.shutdown(socket.SHUT_RDWR)
        finally:
            connection.detach()  # for it belongs to the response


def _result(coming: Future[Result], watch: Watch) -> Result:
    while True:
        watch.check()
        try:
            return coming.result(timeout=LOOK)
        except NotYet:
            if coming.done():  # not ours but the call's own
                raise


def _close(answer: Future[requests.Response]) -> None:
    if not answer.exception():
        answer.result().close()
