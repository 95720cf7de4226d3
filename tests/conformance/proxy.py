"""A TCP proxy in front of a server that breaks connections, or lets them wait, where a case says."""

import asyncio
import contextlib
import dataclasses
import threading
from collections.abc import Coroutine
from typing import Any

TO_SERVER, TO_CLIENT = "to_server", "to_client"
CHUNK_BYTES = 16 * 1024
PATIENCE_S = 60.0


@dataclasses.dataclass
class Fault:
    """What to do to one connection, once, and after how many bytes in which direction."""

    stall: bool  # let it wait; otherwise cut it off
    direction: str
    after_bytes: int
    fired: bool = False


class _Connection:
    """One client. Runs in the proxy's loop."""

    def __init__(self, proxy: "Proxy", client: asyncio.StreamWriter, server: asyncio.StreamWriter):
        self._proxy = proxy
        self._writers = (client, server)
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.meet(proxy.next_fault())

    def meet(self, fault: Fault | None) -> None:
        """The fault that it gets to; bytes count from here."""
        self._fault = fault
        self._carried = {TO_SERVER: 0, TO_CLIENT: 0}

    def abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def forward(self, direction: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(CHUNK_BYTES):
                await self.flowing.wait()
                place = self._place(direction, len(data))
                self._carried[direction] += len(data)
                if place is not None:
                    writer.write(data[:place])
                    await writer.drain()
                    data = data[place:]
                    await self._break()
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except (ConnectionError, OSError, RuntimeError):
            self.abort()

    def _place(self, direction: str, size: int) -> int | None:
        """How many of the next bytes may pass before the fault; None if it is not among them."""
        fault = self._fault
        if fault is None or fault.fired or fault.direction != direction:
            return None
        left = max(fault.after_bytes - self._carried[direction], 0)
        return left if left <= size else None

    async def _break(self) -> None:
        fault = self._fault
        fault.fired = True
        if fault.stall:
            self.flowing.clear()
        self._proxy.tell_fired()
        if not fault.stall:
            self.abort()
            raise ConnectionAbortedError
        await self.flowing.wait()


class Proxy:
    """Listens on a free loopback port, in a thread of its own. `upstream` is where the server is: HOST:PORT,
    unix:PATH, or None, then connections are refused as by a server that is down. Thread-safe."""

    def __init__(self, upstream: str | None):
        self.upstream = upstream
        self._faults: list[Fault] = []
        self._connections: set[_Connection] = set()
        self._open = True  # connections that come may flow
        self._fired = 0
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.address = self._run(self._listen())

    def _run(self, work: Coroutine) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    async def _listen(self) -> str:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(self, writer, server_writer)
        if not self._open:
            connection.flowing.clear()
        self._connections.add(connection)
        try:
            await asyncio.gather(
                connection.forward(TO_SERVER, reader, server_writer),
                connection.forward(TO_CLIENT, server_reader, writer),
            )
        finally:
            connection.abort()
            self._connections.discard(connection)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.upstream is None:
            raise ConnectionRefusedError
        if self.upstream.startswith("unix:"):
            return await asyncio.open_unix_connection(self.upstream.removeprefix("unix:"))
        host, _, port = self.upstream.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    # ---- what a case does -----------------------------------------------------------------------

    def arm(self, faults: list[Fault]) -> None:
        """One fault for each connection that gets to its place; those that are open get to the first one too."""

        async def work() -> None:
            self._faults = faults
            with self._changed:
                self._fired = 0
            for connection in self._connections:
                connection.meet(self.next_fault())

        self._run(work())

    def cut_now(self) -> None:
        async def work() -> None:
            for connection in list(self._connections):
                connection.abort()

        self._run(work())

    def stall_now(self) -> None:
        """Nothing flows any more, on connections that come neither."""

        async def work() -> None:
            self._open = False
            for connection in self._connections:
                connection.flowing.clear()

        self._run(work())

    def go_on(self) -> None:
        async def work() -> None:
            self._open = True
            for connection in self._connections:
                connection.flowing.set()

        self._run(work())

    def await_fired(self, times: int) -> bool:
        """False if so many faults have not happened within a minute."""
        with self._changed:
            return self._changed.wait_for(lambda: self._fired >= times, PATIENCE_S)

    # ---- what connections ask -------------------------------------------------------------------

    def next_fault(self) -> Fault | None:
        return next((fault for fault in self._faults if not fault.fired), None)

    def tell_fired(self) -> None:
        with self._changed:
            self._fired += 1
            self._changed.notify_all()

    def close(self) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # what they leave to the loop is done
