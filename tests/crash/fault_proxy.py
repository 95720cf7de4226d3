"""A TCP proxy in front of a server that breaks one connection at one exact place.

It follows HTTP/2 far enough to know where each gRPC message ends, so that a place is either "after the
n-th message" or "after the n-th byte", in one direction.
"""

import asyncio
import dataclasses
import threading
from collections.abc import Callable

UP, DOWN = "up", "down"  # to the server, to the client
PREFACE_BYTES = 24
FRAME_HEADER_BYTES = 9
DATA_FRAME = 0
MESSAGE_PREFIX_BYTES = 5
CHUNK_BYTES = 64 * 1024
HALF_CLOSED_SECONDS = 3.0  # whoever does not notice is cut off after this


class MessageEnds:
    """Finds the ends of gRPC messages in one direction of an HTTP/2 connection."""

    def __init__(self, skip: int):
        self._skip = skip  # bytes that belong to no DATA frame
        self._header = b""
        self._left = 0  # of the present DATA frame
        self._stream = 0
        self._prefix: dict[int, bytes] = {}  # by stream: of a message's length prefix
        self._message: dict[int, int] = {}  # by stream: bytes of a message still to come

    def feed(self, data: bytes) -> list[int]:
        """Positions in `data` right after the last byte of a message."""
        ends, at = [], 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
            elif not self._left:
                step = min(FRAME_HEADER_BYTES - len(self._header), len(data) - at)
                self._header += data[at : at + step]
                self._read_header()
            else:
                step, ended = self._read_payload(data[at : at + self._left])
                if ended:
                    ends.append(at + step)
            at += step
        return ends

    def _read_header(self) -> None:
        if len(self._header) < FRAME_HEADER_BYTES:
            return
        length, kind = int.from_bytes(self._header[:3], "big"), self._header[3]
        self._stream = int.from_bytes(self._header[5:9], "big")
        self._header = b""
        if kind == DATA_FRAME:
            self._left = length
        else:
            self._skip = length

    def _read_payload(self, data: bytes) -> tuple[int, bool]:
        """Takes bytes of one message; returns how many, and whether it ended with them."""
        stream = self._stream
        if stream not in self._message:
            have = self._prefix.get(stream, b"")
            step = min(MESSAGE_PREFIX_BYTES - len(have), len(data))
            self._prefix[stream] = have + data[:step]
            if len(self._prefix[stream]) == MESSAGE_PREFIX_BYTES:
                self._message[stream] = int.from_bytes(self._prefix.pop(stream)[1:], "big")
        else:
            step = min(self._message[stream], len(data))
            self._message[stream] -= step
        self._left -= step
        ended = self._message.get(stream) == 0
        if ended:
            del self._message[stream]
        return step, ended


@dataclasses.dataclass
class Fault:
    """What to break, once: on the first connection that gets to the place."""

    direction: str
    unit: str  # "message" or "byte"
    number: int  # after this many
    action: str  # "cut", "half-close", "stall", "stall-cut", "call"
    seconds: float = 0.0  # of a stall
    call: Callable[[], None] = lambda: None
    fired: threading.Event = dataclasses.field(default_factory=threading.Event)


class _Connection:
    def __init__(self, proxy: "FaultProxy", client: asyncio.StreamWriter, server: asyncio.StreamWriter):
        self._proxy = proxy
        self._ends = {UP: client, DOWN: server}  # where each direction comes from
        self._running = asyncio.Event()
        self._running.set()

    def abort(self) -> None:
        for writer in self._ends.values():
            writer.transport.abort()

    async def forward(self, direction: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        messages = MessageEnds(PREFACE_BYTES if direction == UP else 0)
        seen = {"byte": 0, "message": 0}
        try:
            while data := await reader.read(CHUNK_BYTES):
                ends = messages.feed(data)
                place = self._place(direction, seen, data, ends)
                seen["byte"] += len(data)
                seen["message"] += len(ends)
                self._proxy.note(direction, seen)
                await self._running.wait()
                writer.write(data[:place])
                await writer.drain()
                if place is not None and not await self._break(writer):
                    return
                if place is not None:
                    writer.write(data[place:])
            writer.write_eof()
        except (ConnectionError, OSError, RuntimeError):
            self.abort()

    def _place(self, direction: str, seen: dict, data: bytes, ends: list[int]) -> int | None:
        """Where in `data` the fault is, if it is there."""
        fault = self._proxy.fault
        if fault is None or fault.fired.is_set() or fault.direction != direction:
            return None
        ahead = fault.number - seen[fault.unit]
        if fault.unit == "byte":
            return ahead if 0 <= ahead <= len(data) else None
        return ends[ahead - 1] if 1 <= ahead <= len(ends) else None

    async def _break(self, writer: asyncio.StreamWriter) -> bool:
        """Does what the fault says; True if forwarding goes on after it."""
        fault = self._proxy.fault
        fault.fired.set()
        if fault.action == "call":
            fault.call()
            return True
        if fault.action == "half-close":
            writer.write_eof()
            await asyncio.sleep(HALF_CLOSED_SECONDS)
        elif fault.action.startswith("stall"):
            self._running.clear()
            await asyncio.sleep(fault.seconds)
            self._running.set()
            if fault.action == "stall":
                return True
        self.abort()
        return False


class FaultProxy:
    """Listens on a free loopback port; runs in a thread of its own."""

    def __init__(self, upstream: str):
        self.fault: Fault | None = None
        self.most: dict[str, dict] = {UP: {}, DOWN: {}}  # what the busiest connection has carried
        self._upstream = upstream.removeprefix("unix:")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.address = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    async def _listen(self) -> str:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(self._upstream)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(self, writer, server_writer)
        await asyncio.gather(
            connection.forward(UP, reader, server_writer),
            connection.forward(DOWN, server_reader, writer),
        )
        connection.abort()

    def arm(self, fault: Fault | None) -> None:
        self.fault = fault
        self.most = {UP: {"byte": 0, "message": 0}, DOWN: {"byte": 0, "message": 0}}

    def note(self, direction: str, seen: dict) -> None:
        if seen["byte"] > self.most[direction].get("byte", 0):
            self.most[direction] = dict(seen)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # what they leave to the loop is done
