"""The three flows in under a hundred lines. Needs a server: passerelled --data DIR --listen 127.0.0.1:7701

    python three_flows.py [ADDRESS]
"""

import sys
import time

import passerelle
from passerelle import Row
from passerelle.v1 import delivery_pb2, destination_pb2, destination_service_pb2
from passerelle.v1 import instance_pb2, log_entry_pb2, log_service_pb2

Destination = destination_pb2.Destination


def main(address: str) -> None:
    with passerelle.connect(address) as client:
        prefix = f"demo-{int(time.time())}"  # names of our own, so that it can be run again
        prepare(client, prefix)
        audience_in(client, prefix)
        attributes_in_step(client, prefix)
        logs_back(client, prefix)


def prepare(client: passerelle.Client, prefix: str) -> None:
    """Three people with a city, and a consent for e-mail."""
    client.create_attribute("city", "STRING")
    client.create_attribute("email_opt_in", "BOOL", instance_pb2.Consent(channel="email"))
    people = [Row({"external_id": f"{prefix}-{i}"}, {"city": "Paris"}) for i in (1, 2, 3)]
    result = client.import_profiles(people, identities=["external_id"], fields=["city"], stream=f"{prefix}-people")
    print("imported:", dict(result.counts))


def audience_in(client: passerelle.Client, prefix: str) -> None:
    """1. The CDP pushes an audience; the campaign side streams its members."""
    create(client, f"{prefix}-vip", Destination(
        sync_type="SYNC_TYPE_AUDIENCE_SYNC",
        audiences=[destination_pb2.DestinationAudience(source_id="VIP", audience=f"{prefix}-vip")],
    ))
    rows = [Row({"external_id": f"{prefix}-{i}"}) for i in (1, 2)]
    result = client.push_members(
        f"{prefix}-vip", rows, identities=["external_id"], audiences=["VIP"], stream=f"{prefix}-vip"
    )
    print("pushed:", dict(result.counts))
    for member in client.stream_members(f"{prefix}-vip", "email", attributes=["city"]):
        print("member:", member.identities["external_id"], member.attributes)


def attributes_in_step(client: passerelle.Client, prefix: str) -> None:
    """2. The CDP changes attributes of people who exist; nobody is created."""
    mappings = [
        destination_pb2.FieldMapping(source_field="town", attribute="city"),
        destination_pb2.FieldMapping(source_field="optin", attribute="email_opt_in"),
    ]
    create(client, f"{prefix}-sync", Destination(sync_type="SYNC_TYPE_PROFILE_SYNC", mappings=mappings))
    rows = [
        Row({"external_id": f"{prefix}-1"}, {"town": "Lyon"}),
        Row({"external_id": f"{prefix}-2"}, {"optin": False}),
        Row({"external_id": "nobody"}, {"town": "Lille"}),
    ]
    result = client.sync_profiles(
        f"{prefix}-sync", rows, identities=["external_id"], fields=["town", "optin"], stream=f"{prefix}-sync"
    )
    print("synced:", dict(result.counts))
    reachable = [m.identities["external_id"] for m in client.stream_members(f"{prefix}-vip", "email")]
    print("reachable by e-mail now:", reachable)


def logs_back(client: passerelle.Client, prefix: str) -> None:
    """3. The campaign side appends its logs; the CDP exports them."""
    request = log_service_pb2.CreateDeliveryRequest(
        parent=client.instance, delivery_id=prefix, delivery=delivery_pb2.Delivery(channel="email")
    )
    client.call(client.stubs.logs.CreateDelivery, request)
    row = log_entry_pb2.LogEntry(
        kind="LOG_KIND_DELIVERY", delivery=prefix, broadlog_id=1, status="DELIVERY_STATUS_SENT",
        identity_namespace="external_id", identity=f"{prefix}-1",
    )
    print("appended:", dict(client.append_logs([row], stream=f"{prefix}-log").counts))
    only = log_service_pb2.LogFilter(deliveries=[prefix])
    for batch in client.export_logs(log_filter=only, fields=["event_time_us", "status", "identity"]):
        for record in batch.records():
            print("exported:", record)


def create(client: passerelle.Client, name: str, destination: Destination) -> None:
    request = destination_service_pb2.CreateDestinationRequest(
        parent=client.instance, destination_id=name, destination=destination
    )
    client.call(client.stubs.destinations.CreateDestination, request)


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7701")
    except passerelle.PasserelleError as error:
        sys.exit(str(error))
