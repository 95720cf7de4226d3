//! The three flows in under a hundred lines. Needs a server: passerelled --data DIR --listen 127.0.0.1:7701
//!
//!     cargo run --example three_flows [ADDRESS]

use passerelle::v1::destination::SyncType;
use passerelle::v1::field_mapping::Target;
use passerelle::v1::{self, Destination, FieldMapping, LogEntry};
use passerelle::{AttributeType, Client, Result, Row, Timestamp};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7701".to_owned());
    let client = passerelle::connect(&address)?;
    let prefix = format!("demo-{}", Timestamp::now().0 / 1_000_000); // names of our own, so that it can be run again
    prepare(&client, &prefix).await?;
    audience_in(&client, &prefix).await?;
    attributes_in_step(&client, &prefix).await?;
    logs_back(&client, &prefix).await
}

fn person(prefix: &str, number: u32) -> Row {
    Row::new().identity("external_id", format!("{prefix}-{number}"))
}

/// Three people with a city, and a consent for e-mail.
async fn prepare(client: &Client, prefix: &str) -> Result<()> {
    client.create_attribute("city", AttributeType::String, None).await?;
    let consent = v1::Consent { channel: "email".into(), ..Default::default() };
    client.create_attribute("email_opt_in", AttributeType::Bool, Some(consent)).await?;
    let people: Vec<Row> = (1..=3).map(|number| person(prefix, number).field("city", "Paris")).collect();
    let import = client.import_profiles(people).identities(["external_id"]).fields(["city"]);
    println!("imported: {:?}", import.stream(format!("{prefix}-people")).await?.counts);
    Ok(())
}

/// 1. The CDP pushes an audience; the campaign side streams its members.
async fn audience_in(client: &Client, prefix: &str) -> Result<()> {
    let vip = format!("{prefix}-vip");
    let audience = v1::DestinationAudience { source_id: "VIP".into(), audience: vip.clone() };
    let sync_type = SyncType::AudienceSync as i32;
    create(client, &vip, Destination { sync_type, audiences: vec![audience], ..Default::default() }).await?;
    let push = client.push_members(&vip, [person(prefix, 1), person(prefix, 2)]);
    let pushed = push.identities(["external_id"]).audiences(["VIP"]).stream(&vip).await?;
    println!("pushed: {:?}", pushed.counts);
    let mut members = client.stream_members(&vip, "email").attributes(["city"]).start();
    while let Some(member) = members.next().await.transpose()? {
        println!("member: {} {:?}", member.identities["external_id"], member.attributes);
    }
    Ok(())
}

/// 2. The CDP changes attributes of people who exist; nobody is created.
async fn attributes_in_step(client: &Client, prefix: &str) -> Result<()> {
    let destination = format!("{prefix}-sync");
    let mapping = |field: &str, attribute: &str| FieldMapping {
        source_field: field.into(),
        target: Some(Target::Attribute(attribute.into())),
        ..Default::default()
    };
    let mappings = vec![mapping("town", "city"), mapping("optin", "email_opt_in")];
    let sync_type = SyncType::ProfileSync as i32;
    create(client, &destination, Destination { sync_type, mappings, ..Default::default() }).await?;
    let nobody = Row::new().identity("external_id", "nobody").field("town", "Lille");
    let rows = [person(prefix, 1).field("town", "Lyon"), person(prefix, 2).field("optin", false), nobody];
    let sync = client.sync_profiles(&destination, rows).identities(["external_id"]).fields(["town", "optin"]);
    println!("synced: {:?}", sync.stream(&destination).await?.counts);
    let mut members = client.stream_members(&format!("{prefix}-vip"), "email").start();
    while let Some(member) = members.next().await.transpose()? {
        println!("reachable by e-mail now: {}", member.identities["external_id"]);
    }
    Ok(())
}

/// 3. The campaign side appends its logs; the CDP exports them.
async fn logs_back(client: &Client, prefix: &str) -> Result<()> {
    let delivery = Some(v1::Delivery { channel: "email".into(), ..Default::default() });
    let (parent, delivery_id) = (client.instance().to_owned(), prefix.to_owned());
    client.call(v1::CreateDeliveryRequest { parent, delivery_id, delivery, ..Default::default() }).await?;
    let mut row = LogEntry { delivery: prefix.into(), broadlog_id: 1, ..Default::default() };
    row.set_kind(v1::LogKind::Delivery);
    row.set_status(v1::DeliveryStatus::Sent);
    (row.identity_namespace, row.identity) = ("external_id".into(), format!("{prefix}-1"));
    println!("appended: {:?}", client.append_logs([row]).stream(format!("{prefix}-log")).await?.counts);
    let only = v1::LogFilter { deliveries: vec![prefix.into()], ..Default::default() };
    let mut batches = client.export_logs().filter(only).fields(["event_time_us", "status", "identity"]).start();
    while let Some(batch) = batches.next().await.transpose()? {
        batch.records().for_each(|record| println!("exported: {record:?}"));
    }
    Ok(())
}

async fn create(client: &Client, id: &str, destination: Destination) -> Result<()> {
    let (parent, destination_id) = (client.instance().to_owned(), id.to_owned());
    let destination = Some(destination);
    client.call(v1::CreateDestinationRequest { parent, destination_id, destination, ..Default::default() }).await?;
    Ok(())
}
