//! Fields of log rows by their names.

use crate::v1::{DeliveryStatus, FailureType, LogEntry, LogKind, TrackingKind};
use crate::value::{Timestamp, Value};

/// A field's value for people: times as such, enums by name without prefix, [`Value::Null`] if it is unset; `None` for a
/// field that this client does not know.
pub(crate) fn field_of(row: &LogEntry, field: &str) -> Option<Value> {
    Some(match field {
        "sequence" => Value::Integer(row.sequence),
        "kind" => name(row.kind, LogKind::try_from(row.kind).map(|kind| kind.as_str_name()), "LOG_KIND_"),
        "delivery" => text(&row.delivery),
        "broadlog_id" => Value::Integer(row.broadlog_id),
        "tracking_log_id" => Value::Integer(row.tracking_log_id),
        "event_time_us" => time(row.event_time_us),
        "append_time_us" => time(row.append_time_us),
        "identity_namespace" => text(&row.identity_namespace),
        "identity" => text(&row.identity),
        "status" => name(
            row.status,
            DeliveryStatus::try_from(row.status).map(|status| status.as_str_name()),
            "DELIVERY_STATUS_",
        ),
        "failure_type" => name(
            row.failure_type,
            FailureType::try_from(row.failure_type).map(|kind| kind.as_str_name()),
            "FAILURE_TYPE_",
        ),
        "failure_reason" => Value::Integer(i64::from(row.failure_reason)),
        "reason_message" => text(&row.reason_message),
        "quarantine" => Value::Bool(row.quarantine),
        "control_group" => Value::Bool(row.control_group),
        "seed" => Value::Bool(row.seed),
        "proof" => Value::Bool(row.proof),
        "tracking_kind" => {
            let known = TrackingKind::try_from(row.tracking_kind).map(|kind| kind.as_str_name());
            name(row.tracking_kind, known, "TRACKING_KIND_")
        }
        "url" => text(&row.url),
        "url_category" => text(&row.url_category),
        "profile_unknown" => Value::Bool(row.profile_unknown),
        "profile" => Value::Integer(row.profile),
        _ => return None,
    })
}

fn text(value: &str) -> Value {
    if value.is_empty() { Value::Null } else { Value::from(value) }
}

fn time(microseconds: i64) -> Value {
    if microseconds == 0 { Value::Null } else { Value::Timestamp(Timestamp(microseconds)) }
}

/// A number that a newer server knows stays a number.
fn name<E>(number: i32, known: Result<&'static str, E>, prefix: &str) -> Value {
    match known {
        _ if number == 0 => Value::Null,
        Ok(name) => Value::from(name.strip_prefix(prefix).unwrap_or(name)),
        Err(_) => Value::from(number),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn fields_read_as_people_read_them() {
        let row = LogEntry {
            kind: LogKind::Delivery as i32,
            status: DeliveryStatus::Sent as i32,
            failure_type: 99,
            event_time_us: 1,
            identity: "a".into(),
            ..LogEntry::default()
        };
        for (field, value) in [
            ("kind", Value::from("DELIVERY")),
            ("status", Value::from("SENT")),
            ("tracking_kind", Value::Null),
            ("failure_type", Value::Integer(99)),
            ("event_time_us", Value::Timestamp(Timestamp(1))),
            ("append_time_us", Value::Null),
            ("identity", Value::from("a")),
            ("url", Value::Null),
            ("seed", Value::Bool(false)),
            ("profile", Value::Integer(0)),
        ] {
            assert_eq!(field_of(&row, field), Some(value), "{field}");
        }
    }

    #[test]
    fn every_field_of_the_proto_is_known() {
        let descriptors = FileDescriptorSet::decode(crate::FILE_DESCRIPTOR_SET).expect("descriptors can be read");
        let mut messages = descriptors.file.iter().flat_map(|file| &file.message_type);
        let entry = messages.find(|message| message.name() == "LogEntry").expect("there is a LogEntry");
        let full = LogEntry {
            delivery: "d".into(),
            kind: 1,
            event_time_us: 1,
            append_time_us: 1,
            identity_namespace: "n".into(),
            identity: "i".into(),
            status: 1,
            failure_type: 1,
            reason_message: "m".into(),
            tracking_kind: 1,
            url: "u".into(),
            url_category: "c".into(),
            ..LogEntry::default()
        };
        for field in &entry.field {
            let value = field_of(&full, field.name());
            assert!(value.is_some_and(|value| value != Value::Null), "{}", field.name());
        }
        assert_eq!(field_of(&full, "of_a_newer_server"), None);
    }
}
