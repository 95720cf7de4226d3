"""The Python client's loops in a process that may be killed at any moment.

Reads jobs from stdin, one JSON object a line: kind, target, name, file, batch, and for ingests seed,
number and total. Does what crash_driver (cpp_driver.cc) does, and answers with the same line.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import live_server  # noqa: E402

live_server.use_client()

import passerelle  # noqa: E402
import traffic  # noqa: E402

FLOWS = {flow.name: flow for flow in traffic.FLOWS}


def send(client: passerelle.Client, job: dict) -> dict:
    flow = FLOWS[job["kind"]](job["seed"])
    number, total = job["number"], job["total"]
    result = flow.run(
        client,
        number,
        lambda first: flow.rows(number, first, total),
        batch_records=job["batch"],
        on_row=lambda row: None,
    )
    return {"total": result.total_records, "reconnects": result.reconnects}


def export(client: passerelle.Client, job: dict) -> dict:
    total = 0
    with open(job["file"], "ab", buffering=0) as out:
        for batch in client.export_logs(cursor=job["name"], max_batch_rows=job["batch"]):
            rows = [[row.sequence, traffic.content(row).hex()] for row in batch.rows]
            out.write(json.dumps({"cursor": batch.cursor, "rows": rows}).encode() + b"\n")
            total += len(rows)
    return {"total": total, "reconnects": 0}


def members(client: passerelle.Client, job: dict) -> dict:
    stream = client.stream_members(job["name"], "push")
    found = [member.identities["external_id"] for member in stream]
    pathlib.Path(job["file"]).write_text("".join(f"{key}\n" for key in found))
    return {"total": stream.trailer.streamed, "reconnects": 0}


def main() -> None:
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        work = {"export": export, "members": members}.get(job["kind"], send)
        with passerelle.connect(job["target"]) as client:
            try:
                answer = {"ok": True, "error": "", **work(client, job)}
            except Exception as error:  # told to the driver, whatever it is
                answer = {"ok": False, "error": repr(error), "total": 0, "reconnects": 0}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
