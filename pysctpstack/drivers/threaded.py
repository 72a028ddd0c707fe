"""Who drives the pump, in a program with blocking calls: one *leader* at a time waits for UDP packets and timers.

A call that blocks takes the lead: the thread that wants the message also receives it, and no packet wakes two
threads (a hand-over
between threads of one interpreter can cost its switch interval, 5 ms). Other callers that block meanwhile wait for
the leader to
wake them. While no call blocks the driver's own thread leads, since somebody has to acknowledge and retransmit
while the program
computes. It takes over a moment after the last call that led (`LINGER`), not at once: programs often block again
right away.

Every method but `start`, `stop` and `lock` itself is called with the lock held, and gives it up while it waits.
"""

from __future__ import annotations

import _thread
import contextlib
import select
import selectors
import socket
import threading
from collections.abc import Callable
from math import inf
from typing import Final

from pysctpstack.drivers.pump import Pump, clock

POLL_INTERVAL: Final = 0.0001
"""Seconds between two looks at UDP by calls that do not block."""
LINGER: Final = 0.002
"""Seconds for which the driver's thread leaves UDP unread after a caller has led."""
MAX_PARK: Final = 1.0
MAX_LEAVE: Final = 1.0
"""Seconds that `stop` gives a caller that leads to notice."""
MAX_WAIT: Final = 3600.0
"""Seconds of the longest sleep: `select` and lock timeouts have platform limits."""


class _Selector:
    """Which of some sockets are readable: `selectors.DefaultSelector`, or epoll without what that adds to each call."""

    def __init__(self) -> None:
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self._selector = selectors.DefaultSelector() if self._epoll is None else None
        self._by_descriptor: dict[int, socket.socket] = {}

    def add(self, sock: socket.socket) -> None:
        self._by_descriptor[sock.fileno()] = sock
        if self._epoll is not None:
            self._epoll.register(sock, select.EPOLLIN)
        elif self._selector is not None:
            self._selector.register(sock, selectors.EVENT_READ)

    def wait(self, timeout: float) -> list[socket.socket]:
        if self._epoll is not None:
            return [self._by_descriptor[descriptor] for descriptor, _ in self._epoll.poll(timeout)]
        assert self._selector is not None
        return [self._by_descriptor[key.fd] for key, _ in self._selector.select(timeout)]

    def close(self) -> None:
        if self._epoll is not None:
            self._epoll.close()
        elif self._selector is not None:
            self._selector.close()


class _Bell:
    """Wakes a thread out of its selector."""

    def __init__(self) -> None:
        self.selector = _Selector()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self.selector.add(self._reader)
        self.asleep_until = -inf
        """Until when its thread sleeps in the selector; -inf: it does not."""

    def ring(self) -> None:
        if self.asleep_until != -inf:
            with contextlib.suppress(BlockingIOError):
                self._writer.send(b"\0")

    def sleep(self, timeout: float, busy_poll: float = 0.0) -> list[socket.socket]:
        """The UDP sockets that became readable. ``busy_poll``: seconds to look for them before going to sleep."""
        readable = self.selector.wait(0.0) if busy_poll else []
        if busy_poll and not readable:
            started = clock()
            until = started + min(busy_poll, timeout)
            while not readable and (now := clock()) < until:
                readable = self.selector.wait(0.0)
            timeout = max(timeout - (now - started), 0.0)
        if not readable:
            readable = self.selector.wait(timeout)
        if self._reader in readable:
            readable.remove(self._reader)
            with contextlib.suppress(BlockingIOError):
                self._reader.recv(512)
        return readable

    def close(self) -> None:
        self.selector.close()
        self._reader.close()
        self._writer.close()


class _Waiter:
    """One blocked call."""

    __slots__ = ("gate", "leads", "woken")

    def __init__(self) -> None:
        self.gate: _thread.LockType | None = None
        """What it waits at while it does not lead."""
        self.leads = False
        self.woken = False

    def wake(self) -> None:
        if not self.woken and self.gate is not None:
            self.woken = True
            self.gate.release()


class WaitList:
    """The calls that wait for one socket to change. `wake` after every change that may end a wait."""

    __slots__ = ("_driver", "_waiters")

    def __init__(self, driver: ThreadedDriver) -> None:
        self._driver = driver
        self._waiters: list[_Waiter] = []

    def wake(self) -> None:
        for waiter in self._waiters:
            if waiter.leads:
                self._driver.ring_caller()
            else:
                waiter.wake()

    def wait(self, ready: Callable[[], bool], deadline: float = inf) -> bool:
        """Wait until ``ready()``, which is asked after each change, or until ``deadline``. The last answer of
        ``ready``."""
        waiter = _Waiter()
        self._waiters.append(waiter)
        try:
            return self._driver.wait(waiter, ready, deadline)
        finally:
            self._waiters.remove(waiter)


class ThreadedDriver:
    """Drives a `Pump` with the threads that block, and one of its own."""

    def __init__(self, pump: Pump, on_wake: Callable[[], None]) -> None:
        self.pump = pump
        self.on_wake = on_wake
        """Called before a thread that drives goes to sleep; `ring` wakes it."""
        self.lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._thread_bell = _Bell()
        self._caller_bell = _Bell()
        self._caller_leads = False
        self._queue: list[_Waiter] = []
        """Blocked callers that do not lead."""
        self._park = _thread.allocate_lock()
        self._park.acquire()
        self._parked_until = -inf
        self._leads = 0
        """How often a caller has taken the lead."""
        self._last_led = -inf
        self._last_polled = -inf
        self._stopping = False
        self._stopped = False
        """The thread has ended; a caller that still leads closes what `stop` could not."""
        self._left = _thread.allocate_lock()
        self._left.acquire()

    # --- the UDP sockets ---

    def watch(self, sockets: list[socket.socket]) -> None:
        for sock in sockets:
            for bell in (self._thread_bell, self._caller_bell):
                bell.selector.add(sock)

    # --- after a call into the endpoint ---

    def kick(self) -> None:
        """A verb has been called: send what it queued, and see to it that its timers are heeded."""
        self.pump.drain(clock())
        deadline = self.pump.next_timeout()
        if self._caller_leads:
            if deadline < self._caller_bell.asleep_until:
                self._caller_bell.ring()
        elif deadline < self._thread_bell.asleep_until:
            self._thread_bell.ring()

    def poll(self) -> None:
        """Receive what is there, without waiting: for a call that does not block but whose data waits for its turn.

        A program that sends and sends would otherwise share the interpreter with the driver's thread, packet by packet.
        """
        now = clock()
        if self._caller_leads or now - self._last_polled < POLL_INTERVAL:
            return
        self._last_polled = self._last_led = now
        # Its thread goes on stand-by, as after a caller that led.
        self._thread_bell.ring()
        for sock in self._caller_bell.sleep(0):
            self.pump.receive(sock)

    def ring(self) -> None:
        """Have `on_wake` called soon. Needs no lock."""
        self._thread_bell.ring()
        self._caller_bell.ring()

    def ring_caller(self) -> None:
        self._caller_bell.ring()

    # --- blocked callers ---

    def wait(self, waiter: _Waiter, ready: Callable[[], bool], deadline: float) -> bool:
        try:
            done = ready()
            while not (done or self._stopping):
                if self._caller_leads:
                    now = clock()
                    if now >= deadline:
                        break
                    self._follow(waiter, min(deadline - now, MAX_WAIT))
                    done = ready()
                else:
                    done = self._lead(waiter, ready, deadline)
                    if not done and clock() >= deadline:
                        break
            return done
        finally:
            # Also by one that was woken to lead and finds its own wait over: the lead must not stop with it.
            if not self._caller_leads:
                self._pass_lead()

    def _follow(self, waiter: _Waiter, timeout: float) -> None:
        gate = waiter.gate
        if gate is None:
            gate = waiter.gate = _thread.allocate_lock()
            gate.acquire()
        self._queue.append(waiter)
        self.lock.release()
        try:
            taken = gate.acquire(timeout=timeout)
        finally:
            self.lock.acquire()
            self._queue.remove(waiter)
        if not taken and waiter.woken:
            # Woken between the time-out and the lock: leave the gate closed for the next wait.
            gate.acquire(blocking=False)
        waiter.woken = False

    def _lead(self, waiter: _Waiter, ready: Callable[[], bool], deadline: float) -> bool:
        """Lead until ``ready()``, whose last answer this returns, or until ``deadline``."""
        self._caller_leads = True
        self._leads += 1
        waiter.leads = True
        self._thread_bell.ring()
        try:
            while True:
                self._step(self._caller_bell, deadline)
                done = ready()
                if done or self._stopping or clock() >= deadline:
                    return done
        finally:
            waiter.leads = False
            self._caller_leads = False
            self._last_led = clock()
            if self._stopped:
                self._close()
            elif self._stopping:
                self._left.release()

    def _pass_lead(self) -> None:
        for waiter in self._queue:
            if not waiter.woken:
                waiter.wake()
                return
        if self._parked_until > self._last_led + 2 * LINGER:
            self._parked_until = -inf
            self._park.release()

    def _step(self, bell: _Bell, deadline: float) -> None:
        """Wait once for packets, a timer or the bell, with the lock given up, and process what came."""
        # From here on `ring` is heard: what came before is looked at now, what comes later ends the sleep.
        bell.asleep_until = inf
        self.on_wake()
        until = min(self.pump.next_timeout(), deadline)
        bell.asleep_until = until
        self.lock.release()
        try:
            # The driver's own thread has no caller who waits.
            busy_poll = self.pump.config.busy_poll if bell is self._caller_bell else 0.0
            readable = bell.sleep(max(min(until - clock(), MAX_WAIT), 0.0), busy_poll)
        finally:
            self.lock.acquire()
            bell.asleep_until = -inf
        if self._stopping:
            return
        for sock in readable:
            self.pump.receive(sock)
        self.pump.run_timers()

    # --- the driver's own thread ---

    def start(self) -> None:
        """Start the thread, once. A daemon: the exit of the process is handled by whoever owns the stack."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="pysctpstack", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        with self.lock:
            while not self._stopping:
                if self._caller_leads or clock() - self._last_led < LINGER:
                    self._stand_by()
                else:
                    self._step(self._thread_bell, inf)

    def _stand_by(self) -> None:
        """A caller leads, or has just led: sleep, longer and longer while it is the same one."""
        timeout = LINGER
        while (self._caller_leads or clock() - self._last_led < LINGER) and not self._stopping:
            led = self._leads
            self._parked_until = clock() + timeout
            self.lock.release()
            try:
                self._park.acquire(timeout=timeout)
            finally:
                self.lock.acquire()
            if self._parked_until == -inf:
                # `_pass_lead` opened the park; if that crossed the time-out, close it again.
                self._park.acquire(blocking=False)
            self._parked_until = -inf
            timeout = min(2 * timeout, MAX_PARK) if self._caller_leads and led == self._leads else LINGER

    def stop(self) -> None:
        """End the thread and every wait. Called without the lock."""
        with self.lock:
            self._stopping = True
            self.ring()
            for waiter in self._queue:
                waiter.wake()
            if self._parked_until != -inf:
                self._parked_until = -inf
                self._park.release()
            led = self._caller_leads
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        if led:
            # It has been rung. Not for ever: this may be a signal handler in the very thread that leads.
            self._left.acquire(timeout=MAX_LEAVE)
        with self.lock:
            self._stopped = True
            if not self._caller_leads:
                self._close()

    def _close(self) -> None:
        self.pump.close()
        self._thread_bell.close()
        self._caller_bell.close()

    def abandon(self) -> None:
        """In a forked child: close the inherited descriptors; the thread is not here, and the lock may be held by
        nobody."""
        self.lock = threading.Lock()
        self._stopping = self._stopped = True
        # Nobody sleeps here: what the parent's threads wait for must not be rung.
        self._thread_bell.asleep_until = self._caller_bell.asleep_until = -inf
        self._close()
