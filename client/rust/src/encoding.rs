//! Rows to the columns of a batch.

use crate::columns::ColumnBuilder;
use crate::error::{Error, Result};
use crate::rows::Row;
use crate::v1::{AttributeType, Column, MembershipStatus};
use crate::value::Timestamp;

/// What a stream was opened with: the namespaces and fields that its rows may have, in the order of their columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layout {
    pub(crate) identities: Vec<String>,
    pub(crate) fields: Vec<(String, AttributeType)>,
}

/// The columns that rows of every kind have.
#[derive(Debug, PartialEq)]
pub(crate) struct RecordColumns {
    pub(crate) identities: Vec<Column>,
    pub(crate) columns: Vec<Column>,
    pub(crate) event_times: Option<Column>,
    pub(crate) record_keys: Option<Column>,
}

impl Layout {
    /// Fails for a row with a field or identity that the stream was not opened with, and for a value that does not fit.
    pub(crate) fn encode(&self, offset: i64, rows: &[&Row]) -> Result<RecordColumns> {
        for (row, record) in rows.iter().zip(offset..) {
            self.check(record, row)?;
        }
        let identity = |namespace: &String| {
            let mut column = ColumnBuilder::new(AttributeType::String, namespace, offset);
            rows.iter().for_each(|row| column.add_text(row.identities.get(namespace).map(Vec::as_slice)));
            column.finish()
        };
        let field = |(name, kind): &(String, AttributeType)| {
            let mut column = ColumnBuilder::new(*kind, name, offset);
            rows.iter().try_for_each(|row| column.add(row.fields.get(name)))?;
            Ok(column.finish())
        };
        Ok(RecordColumns {
            identities: self.identities.iter().map(identity).collect(),
            columns: self.fields.iter().map(field).collect::<Result<_>>()?,
            event_times: times(rows, |row| row.event_time),
            record_keys: record_keys(rows),
        })
    }

    fn check(&self, record: i64, row: &Row) -> Result<()> {
        let identity = row.identities.keys().find(|name| !self.identities.contains(name));
        let field = row.fields.keys().find(|name| self.fields.iter().all(|(opened, _)| opened != *name));
        match identity.or(field) {
            None => Ok(()),
            Some(name) => Err(Error::invalid(format!("record {record}: '{name}' was not opened"))),
        }
    }
}

/// A column of times; none if no row has one.
pub(crate) fn times(rows: &[&Row], time_of: impl Fn(&Row) -> Option<Timestamp>) -> Option<Column> {
    rows.iter().any(|row| time_of(row).is_some()).then(|| {
        let mut column = ColumnBuilder::new(AttributeType::Timestamp, "", 0);
        rows.iter().for_each(|row| column.add_time(time_of(row)));
        column.finish()
    })
}

fn record_keys(rows: &[&Row]) -> Option<Column> {
    rows.iter().any(|row| !row.record_key.is_empty()).then(|| {
        let mut column = ColumnBuilder::new(AttributeType::String, "", 0);
        let key = |row: &Row| (!row.record_key.is_empty()).then(|| row.record_key.clone());
        rows.iter().for_each(|row| column.add_text(key(row).as_deref()));
        column.finish()
    })
}

/// Each row's place among the opened audiences; empty where there is one audience only.
pub(crate) fn audience_indexes(offset: i64, rows: &[&Row], audiences: &[String]) -> Result<Vec<u32>> {
    let mut indexes = Vec::with_capacity(rows.len());
    for (row, record) in rows.iter().zip(offset..) {
        let found = audiences.iter().position(|audience| *audience == row.audience);
        match found.or(row.audience.is_empty().then_some(0)) {
            Some(index) => indexes.push(index as u32),
            None => return Err(Error::invalid(format!("record {record}: audience '{}' was not opened", row.audience))),
        }
    }
    Ok(if audiences.len() > 1 { indexes } else { Vec::new() })
}

/// Each row's status; empty where all are in.
pub(crate) fn statuses(rows: &[&Row]) -> Vec<i32> {
    if !rows.iter().any(|row| row.exited) {
        return Vec::new();
    }
    let status = |row: &&Row| if row.exited { MembershipStatus::Exited } else { MembershipStatus::Realized };
    rows.iter().map(|row| status(row) as i32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn layout() -> Layout {
        let fields = vec![("city".to_owned(), AttributeType::String), ("visits".to_owned(), AttributeType::Int64)];
        Layout { identities: vec!["external_id".to_owned(), "email".to_owned()], fields }
    }

    #[test]
    fn rows_become_columns_in_the_order_of_opening() {
        let rows = [
            Row::new().identity("external_id", "1").field("visits", 5),
            Row::new().identity("external_id", "2").identity("email", "b@x.org").field("visits", Value::Null).key("k"),
        ];
        let columns = layout().encode(0, &[&rows[0], &rows[1]]).expect("they fit");
        let text = |values: &[&str], presence: &[u8]| Column {
            texts: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
            presence: presence.to_vec(),
            ..Column::default()
        };
        assert_eq!(columns.identities, [text(&["1", "2"], &[]), text(&["b@x.org"], &[0, 2])]);
        assert_eq!(columns.columns[0], text(&[], &[0, 0]));
        assert_eq!(columns.columns[1], Column { presence: vec![2, 1], integers: vec![5], ..Column::default() });
        assert_eq!(columns.event_times, None);
        assert_eq!(columns.record_keys, Some(text(&["k"], &[0, 2])));
    }

    #[test]
    fn what_was_not_opened_is_refused() {
        for row in [Row::new().identity("phone", "1"), Row::new().field("citty", "Paris")] {
            let good = Row::new();
            let error = layout().encode(40, &[&good, &row]).expect_err("it was not opened").to_string();
            assert!(error.starts_with("record 41: '") && error.ends_with("was not opened"), "{error}");
        }
    }

    #[test]
    fn times_are_sent_if_any_row_has_one() {
        let rows = [Row::new().at(Timestamp(7)), Row::new()];
        let sent = times(&[&rows[0], &rows[1]], |row| row.event_time).expect("one row has a time");
        assert_eq!(sent, Column { presence: vec![2, 0], integers: vec![7], ..Column::default() });
        assert_eq!(times(&[&rows[1]], |row| row.event_time), None);
    }

    #[test]
    fn audiences_are_sent_by_index() {
        let audiences = ["VIP".to_owned(), "NEW".to_owned()];
        let rows = [Row::new().of("NEW"), Row::new(), Row::new().of("OLD")];
        assert_eq!(audience_indexes(0, &[&rows[0], &rows[1]], &audiences).expect("both were opened"), [1, 0]);
        assert_eq!(audience_indexes(0, &[&rows[1]], &audiences[..1]).expect("it was opened"), Vec::<u32>::new());
        let error = audience_indexes(9, &[&rows[2]], &audiences).expect_err("it was not opened");
        assert_eq!(error.to_string(), "record 9: audience 'OLD' was not opened");
    }

    #[test]
    fn statuses_are_sent_if_anybody_left() {
        let rows = [Row::new(), Row::new().exited()];
        assert_eq!(statuses(&[&rows[0], &rows[1]]), [1, 2]);
        assert_eq!(statuses(&[&rows[0]]), Vec::<i32>::new());
    }
}
