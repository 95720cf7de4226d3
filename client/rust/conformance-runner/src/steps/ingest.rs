//! The four ingests.

use passerelle::{Ingest, IngestKind, IngestResult, Row, TabularKind, Timestamp, outcome_name, v1};
use serde_json::{Map, Value as Json, json};

use super::{Answer, Failure, Session, retry_for, text, texts};
use crate::json::{message, parse, show, to_value};

impl Session {
    pub async fn ingest(&self, step: &Json) -> Answer {
        let (client, destination) = (self.client(step)?, text(step, "destination"));
        let result = match text(step, "kind") {
            "append" => run(client.append_logs(log_rows(step)?), step).await,
            "import" => tabular(client.import_profiles(rows(step)?), step).await,
            "sync" => tabular(client.sync_profiles(destination, rows(step)?), step).await,
            "push" => {
                let mut push = client.push_members(destination, rows(step)?).audiences(texts(step, "audiences"));
                push = if step["replace"] == true { push.replace() } else { push };
                let percent = step["max_refused_percent"].as_f64();
                push = percent.into_iter().fold(push, |push, percent| push.max_refused_percent(percent));
                tabular(push, step).await
            }
            other => return Err(Failure::Refused(format!("no kind {other}"))),
        };
        told(&result?)
    }
}

async fn tabular<K: TabularKind + 'static>(ingest: Ingest<'_, K>, step: &Json) -> passerelle::Result<IngestResult> {
    run(ingest.identities(texts(step, "identities")).fields(texts(step, "fields")), step).await
}

async fn run<K: IngestKind + 'static>(ingest: Ingest<'_, K>, step: &Json) -> passerelle::Result<IngestResult> {
    let mut ingest = ingest.stream(text(step, "stream"));
    if let Some(records) = step["batch_records"].as_u64() {
        ingest = ingest.batch_records(records as usize);
    }
    retry_for(step).into_iter().fold(ingest, |ingest, time| ingest.retry_for(time)).await
}

/// The numbers that rows are generated of, with the prefix.
fn generated(step: &Json) -> impl Iterator<Item = (i64, String)> {
    let wanted = &step["generate"];
    let (first, count) = (wanted["first"].as_i64().unwrap_or(0), wanted["count"].as_i64().unwrap_or(0));
    let prefix = text(wanted, "prefix");
    (first..first + count).map(move |number| (number, format!("{prefix}{number}")))
}

fn rows(step: &Json) -> Result<Vec<Row>, Failure> {
    if let Some(rows) = step["rows"].as_array() {
        return rows.iter().map(row).collect();
    }
    let (identities, fields) = (texts(step, "identities"), texts(step, "fields"));
    let audience = texts(step, "audiences").into_iter().next().unwrap_or_default();
    let row = |value: String| {
        let row = identities.iter().fold(Row::new().of(&audience), |row, name| row.identity(name, value.as_str()));
        fields.iter().fold(row, |row, name| row.field(name, value.as_str()))
    };
    Ok(generated(step).map(|(_, value)| row(value)).collect())
}

fn row(json: &Json) -> Result<Row, Failure> {
    let mut row = Row::new().key(text(json, "record_key")).of(text(json, "audience"));
    for (namespace, value) in json["identities"].as_object().into_iter().flatten() {
        let value = value.as_str().ok_or_else(|| Failure::Refused(format!("identity {namespace}: is no text")))?;
        row = row.identity(namespace, value);
    }
    for (name, value) in json["fields"].as_object().into_iter().flatten() {
        row = row.field(name, to_value(value)?);
    }
    row.exited = json["exited"] == true;
    row.event_time = moment(&json["event_time"])?;
    row.qualification_time = moment(&json["qualification_time"])?;
    Ok(row)
}

fn moment(json: &Json) -> Result<Option<Timestamp>, Failure> {
    json.as_str().map(|text| text.parse().map_err(Failure::Refused)).transpose()
}

fn log_rows(step: &Json) -> Result<Vec<v1::LogEntry>, Failure> {
    if let Some(rows) = step["rows"].as_array() {
        return rows.iter().map(|row| parse(message("passerelle.v1.LogEntry"), row)).collect();
    }
    let row = |(number, identity): (i64, String)| v1::LogEntry {
        kind: v1::LogKind::Delivery as i32,
        delivery: text(&step["generate"], "prefix").to_owned(),
        broadlog_id: number + 1,
        status: v1::DeliveryStatus::Sent as i32,
        identity_namespace: "external_id".to_owned(),
        identity,
        ..v1::LogEntry::default()
    };
    Ok(generated(step).map(row).collect())
}

fn told(result: &IngestResult) -> Answer {
    let rows: Vec<Json> = result.rows.iter().map(outcome).collect::<Result<_, _>>()?;
    Ok(json!({
        "total_records": result.total_records,
        "received": result.received,
        "already_known": result.already_known,
        "reconnects": result.reconnects,
        "counts": result.counts,
        "totals": result.totals,
        "rows": rows,
        "commit_token": result.commit_token,
    }))
}

fn outcome(row: &v1::RowOutcome) -> Answer {
    let mut shown = show(message("passerelle.v1.RowOutcome"), row)?;
    let named: &mut Map<String, Json> =
        shown.as_object_mut().ok_or_else(|| Failure::Broken("a row outcome is no object".to_owned()))?;
    named.insert("offset".to_owned(), json!(row.offset));
    named.insert("outcome".to_owned(), json!(outcome_name(row.outcome)));
    let reason = v1::RowReason::try_from(row.reason).map(|reason| reason.as_str_name().replace("ROW_REASON_", ""));
    if row.reason != 0 {
        named.insert("reason".to_owned(), json!(reason.unwrap_or_else(|_| row.reason.to_string())));
    }
    Ok(shown)
}
