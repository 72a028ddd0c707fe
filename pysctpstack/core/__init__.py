"""The protocol, sans-IO: packets and time in; packets, events and one deadline out.

`Endpoint` is the public face: see `pysctpstack.core.endpoint`.
"""

from pysctpstack.core.association import Association
from pysctpstack.core.endpoint import Endpoint, Listener
from pysctpstack.core.entropy import Entropy
from pysctpstack.core.route import FixedMtu, Route, RouteTable
from pysctpstack.core.settings import Settings
from pysctpstack.core.state import State
from pysctpstack.core.statistics import AssociationStatistics, PathStatistics
from pysctpstack.core.tx.send_queue import Message

__all__ = [
    "Association",
    "AssociationStatistics",
    "Endpoint",
    "Entropy",
    "FixedMtu",
    "Listener",
    "Message",
    "PathStatistics",
    "Route",
    "RouteTable",
    "Settings",
    "State",
]
