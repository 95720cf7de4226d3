/**
 * The three flows in under a hundred lines. Needs a server: passerelled --data DIR --listen 127.0.0.1:7701
 *
 *     node three_flows.js [ADDRESS]
 */

import { type Client, connect, PasserelleError } from "passerelle";
import { DeliveryStatus, type DestinationSchema, LogKind, type MessageInitShape } from "passerelle/v1";
import { Destination_SyncType as SyncType } from "passerelle/v1";

async function main(address: string): Promise<void> {
  const client = connect(address);
  const prefix = `demo-${Date.now()}`; // names of our own, so that it can be run again
  try {
    await prepare(client, prefix);
    await audienceIn(client, prefix);
    await attributesInStep(client, prefix);
    await logsBack(client, prefix);
  } finally {
    client.close();
  }
}

/** Three people with a city, and a consent for e-mail. */
async function prepare(client: Client, prefix: string): Promise<void> {
  await client.createAttribute("city", "STRING");
  await client.createAttribute("email_opt_in", "BOOL", { channel: "email" });
  const people = [1, 2, 3].map((i) => ({ identities: { external_id: `${prefix}-${i}` }, fields: { city: "Paris" } }));
  const options = { identities: ["external_id"], fields: ["city"], stream: `${prefix}-people` };
  console.log("imported:", (await client.importProfiles(people, options)).counts);
}

/** 1. The CDP pushes an audience; the campaign side streams its members. */
async function audienceIn(client: Client, prefix: string): Promise<void> {
  const vip = `${prefix}-vip`;
  const audiences = [{ sourceId: "VIP", audience: vip }];
  await create(client, vip, { syncType: SyncType.AUDIENCE_SYNC, audiences });
  const rows = [1, 2].map((i) => ({ identities: { external_id: `${prefix}-${i}` } }));
  const options = { identities: ["external_id"], audiences: ["VIP"], stream: vip };
  console.log("pushed:", (await client.pushMembers(vip, rows, options)).counts);
  for await (const member of client.streamMembers(vip, "email", { attributes: ["city"] })) {
    console.log("member:", member.identities.external_id, member.attributes);
  }
}

/** 2. The CDP changes attributes of people who exist; nobody is created. */
async function attributesInStep(client: Client, prefix: string): Promise<void> {
  const mappings = [
    { sourceField: "town", target: { case: "attribute" as const, value: "city" } },
    { sourceField: "optin", target: { case: "attribute" as const, value: "email_opt_in" } },
  ];
  await create(client, `${prefix}-sync`, { syncType: SyncType.PROFILE_SYNC, mappings });
  const rows = [
    { identities: { external_id: `${prefix}-1` }, fields: { town: "Lyon" } },
    { identities: { external_id: `${prefix}-2` }, fields: { optin: false } },
    { identities: { external_id: "nobody" }, fields: { town: "Lille" } },
  ];
  const options = { identities: ["external_id"], fields: ["town", "optin"], stream: `${prefix}-sync` };
  console.log("synced:", (await client.syncProfiles(`${prefix}-sync`, rows, options)).counts);
  const reachable = [];
  for await (const member of client.streamMembers(`${prefix}-vip`, "email"))
    reachable.push(member.identities.external_id);
  console.log("reachable by e-mail now:", reachable);
}

/** 3. The campaign side appends its logs; the CDP exports them. */
async function logsBack(client: Client, prefix: string): Promise<void> {
  await client.stubs.logs.createDelivery({
    parent: client.instance,
    deliveryId: prefix,
    delivery: { channel: "email" },
  });
  const sent = { kind: LogKind.DELIVERY, delivery: prefix, broadlogId: 1n, status: DeliveryStatus.SENT };
  const row = { ...sent, identityNamespace: "external_id", identity: `${prefix}-1` };
  console.log("appended:", (await client.appendLogs([row], { stream: `${prefix}-log` })).counts);
  const which = { filter: { deliveries: [prefix] }, fields: ["event_time_us", "status", "identity"] };
  for await (const batch of client.exportLogs(which)) {
    for (const record of batch.records()) console.log("exported:", record);
  }
}

async function create(
  client: Client,
  id: string,
  destination: MessageInitShape<typeof DestinationSchema>,
): Promise<void> {
  await client.stubs.destinations.createDestination({ parent: client.instance, destinationId: id, destination });
}

main(process.argv[2] ?? "127.0.0.1:7701").catch((error: unknown) => {
  if (!(error instanceof PasserelleError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
});
