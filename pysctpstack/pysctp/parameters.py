"""What is asked of and told to a socket: parameters of new associations, subscriptions, timers, states."""

from __future__ import annotations

from typing import Any

from pysctpstack.pysctp.bottom import getconstant


class Parameter:
    """An attribute of an `initparams` or `event_subscribe`, kept as ``_name``, that is told to the socket when it is
    set. Comes with methods ``get_name`` and ``set_name``."""

    key = ""

    def __set_name__(self, owner: type, name: str) -> None:
        if self.key:
            return  # another name for it
        self.key = key = f"_{name}"

        def get(self: Any) -> Any:
            return getattr(self, key)

        def set_(self: Any, value: Any) -> None:
            setattr(self, key, value)
            if self.autoflush:
                self.flush()

        get.__name__, set_.__name__ = f"get_{name}", f"set_{name}"
        setattr(owner, get.__name__, get)
        setattr(owner, set_.__name__, set_)

    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else getattr(instance, f"get{self.key}")()

    def __set__(self, instance: Any, value: Any) -> None:
        getattr(instance, f"set{self.key}")(value)


class initmsg:
    """Parameters of one association to come, as `initparams.initmsg` copies them."""

    def __init__(self) -> None:
        self.num_ostreams = self.max_instreams = 0
        self.max_attempts = self.max_init_timeo = 0


class initparams:
    """A socket's parameters of associations to come (SCTP_INITMSG); ``max_init_timeo`` is in milliseconds.

    Every change is told to the socket at once, or, with ``autoflush`` false, by `flush`.
    """

    num_ostreams = Parameter()
    max_instreams = Parameter()
    max_attempts = Parameter()
    max_init_timeo = Parameter()

    def __init__(self, container: Any) -> None:
        self.autoflush = True
        self.container = container
        vars(self).update(container._get_initparams())

    def flush(self) -> None:
        self.container._set_initparams(vars(self))

    def initmsg(self) -> initmsg:
        copy = initmsg()
        for name in vars(copy):
            setattr(copy, name, getattr(self, name))
        return copy


class event_subscribe:
    """What a socket receives besides messages (SCTP_EVENTS).

    Every change is told to the socket at once, or, with ``autoflush`` false, by `flush`.
    """

    data_io = Parameter()
    association = Parameter()
    address = Parameter()
    send_failure = Parameter()
    peer_error = Parameter()
    shutdown = Parameter()
    partial_delivery = Parameter()
    adaptation_layer = Parameter()
    dataio = sndrcvinfo = data_io
    sendfailure = send_failure
    peererror = peer_error
    partialdelivery = partial_delivery
    adaptationlayer = adaptation_layer

    def __init__(self, container: Any) -> None:
        self.autoflush = True
        self.container = container
        vars(self).update(container._get_events())

    def flush(self) -> None:
        self.container._set_events(vars(self))

    def clear(self) -> None:
        """Nothing but the metadata of messages."""
        for name in EVENTS:
            setattr(self, f"_{name}", int(name == "data_io"))
        if self.autoflush:
            self.flush()


EVENTS = (
    *("data_io", "association", "address", "send_failure", "peer_error", "shutdown", "partial_delivery"),
    "adaptation_layer",
)


class rtoinfo:
    """Retransmission time-outs in milliseconds; a 0 leaves one as it is (SCTP_RTOINFO)."""

    def __init__(self) -> None:
        self.assoc_id = 0
        self.initial = self.max = self.min = 0


class assocparams:
    """An association's limits: ``assocmaxrxt`` and ``cookie_life`` (milliseconds) can be set, a 0 leaves them as
    they are; the rest is told (SCTP_ASSOCINFO)."""

    def __init__(self) -> None:
        self.assoc_id = 0
        self.assocmaxrxt = 0
        self.number_peer_destinations = 0
        self.peer_rwnd = self.local_rwnd = 0
        self.cookie_life = 0


class paddrparams:
    """Heartbeat interval (milliseconds) and retransmissions of a peer's address (SCTP_PEER_ADDR_PARAMS).

    As in pysctp built with libsctp, ``pathmtu``, ``sackdelay`` and ``flags`` are not transferred and the constants
    are 0.
    """

    flags_HB_DISABLED = flags_HB_DISABLE = getconstant("SPP_HB_DISABLED")
    flags_HB_ENABLED = flags_HB_ENABLE = getconstant("SPP_HB_ENABLED")
    flags_PMTUD_DISABLED = flags_PMTUD_DISABLE = getconstant("SPP_PMTUD_DISABLED")
    flags_PMTUD_ENABLED = flags_PMTUD_ENABLE = getconstant("SPP_PMTUD_ENABLED")
    flags_SACKDELAY_DISABLED = flags_SACKDELAY_DISABLE = getconstant("SPP_SACKDELAY_DISABLED")
    flags_SACKDELAY_ENABLED = flags_SACKDELAY_ENABLE = getconstant("SPP_SACKDELAY_ENABLED")

    def __init__(self) -> None:
        self.assoc_id = 0
        self.sockaddr: tuple[str, int] = ("", 0)
        self.hbinterval = self.pathmaxrxt = 0
        self.pathmtu = self.sackdelay = self.flags = 0


class paddrinfo:
    """State, congestion window and times (milliseconds) of a peer's address (SCTP_GET_PEER_ADDR_INFO)."""

    state_INACTIVE = getconstant("SCTP_INACTIVE")
    state_ACTIVE = getconstant("SCTP_ACTIVE")

    def __init__(self) -> None:
        self.assoc_id = 0
        self.sockaddr: tuple[str, int] | None = ("", 0)
        self.state = 0
        self.cwnd = self.srtt = self.rto = self.mtu = 0


class status:
    """State of an association (SCTP_STATUS); ``primary`` is the `paddrinfo` of its primary address."""

    state_EMPTY = getconstant("SCTP_EMPTY")
    state_CLOSED = getconstant("SCTP_CLOSED")
    state_COOKIE_WAIT = getconstant("SCTP_COOKIE_WAIT")
    state_COOKIE_ECHOED = getconstant("SCTP_COOKIE_ECHOED")
    state_ESTABLISHED = getconstant("SCTP_ESTABLISHED")
    state_SHUTDOWN_PENDING = getconstant("SCTP_SHUTDOWN_PENDING")
    state_SHUTDOWN_SENT = getconstant("SCTP_SHUTDOWN_SENT")
    state_SHUTDOWN_RECEIVED = getconstant("SCTP_SHUTDOWN_RECEIVED")
    state_SHUTDOWN_ACK_SENT = getconstant("SCTP_SHUTDOWN_ACK_SENT")
    state_BOUND = getconstant("SCTP_BOUND")
    state_LISTEN = getconstant("SCTP_LISTEN")

    def __init__(self) -> None:
        self.assoc_id = 0
        self.state = 0
        self.rwnd = self.unackdata = self.penddata = 0
        self.instrms = self.outstrms = 0
        self.fragmentation_point = 0
        self.primary = paddrinfo()
