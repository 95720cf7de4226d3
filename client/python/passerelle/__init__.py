"""Client of Passerelle.

    import passerelle
    client = passerelle.connect("127.0.0.1:7701")
    result = client.import_profiles(rows, identities=["external_id"], fields=["city"], stream="people")

Generated messages are in passerelle.v1; `client.stubs` holds one stub for each service.
"""

from .client import Client, connect
from .errors import FieldViolation, PasserelleError
from .export import LogBatch
from .ingest import IngestResult, Row
from .members import Member, MemberStream
from .patience import Stop

__all__ = [
    "Client",
    "FieldViolation",
    "IngestResult",
    "LogBatch",
    "Member",
    "MemberStream",
    "PasserelleError",
    "Row",
    "Stop",
    "connect",
]
__version__ = "0.1.0"
