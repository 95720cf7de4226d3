//! Values to columns of the wire and back.

use tonic::Code;

use crate::error::{Error, Result};
use crate::v1::{AttributeType, Column, TextList};
use crate::value::{Date, Timestamp, Value, wanted};

const ABSENT: u8 = 0;
const NULL: u8 = 1;
const VALUE: u8 = 2;

/// One column of a batch, filled record by record.
pub(crate) struct ColumnBuilder<'a> {
    kind: AttributeType,
    what: &'a str,
    offset: i64,
    column: Column,
    dense: bool,
}

impl<'a> ColumnBuilder<'a> {
    /// `what` and `offset`, of the first record, are for messages.
    pub(crate) fn new(kind: AttributeType, what: &'a str, offset: i64) -> ColumnBuilder<'a> {
        ColumnBuilder { kind, what, offset, column: Column::default(), dense: true }
    }

    /// The next record's value; `None` is absent. Fails, naming the record, if it does not fit the column's type.
    pub(crate) fn add(&mut self, value: Option<&Value>) -> Result<()> {
        match value {
            None => self.mark(ABSENT),
            Some(Value::Null) => self.mark(NULL),
            Some(value) => {
                self.convert(value).map_err(|text| {
                    let record = self.offset + self.column.presence.len() as i64;
                    Error::invalid(format!("record {record}, {}: {text}", self.what))
                })?;
                self.mark(VALUE);
            }
        }
        Ok(())
    }

    /// The next record's text.
    pub(crate) fn add_text(&mut self, text: Option<&[u8]>) {
        self.mark(if text.is_some() { VALUE } else { ABSENT });
        self.column.texts.extend(text.map(<[u8]>::to_vec));
    }

    /// The next record's time.
    pub(crate) fn add_time(&mut self, time: Option<Timestamp>) {
        self.mark(if time.is_some() { VALUE } else { ABSENT });
        self.column.integers.extend(time.map(|time| time.0));
    }

    /// The column; without presence if every record has a value.
    pub(crate) fn finish(mut self) -> Column {
        if self.dense {
            self.column.presence.clear();
        }
        self.column
    }

    fn mark(&mut self, presence: u8) {
        self.column.presence.push(presence);
        self.dense = self.dense && presence == VALUE;
    }

    fn convert(&mut self, value: &Value) -> std::result::Result<(), String> {
        let column = &mut self.column;
        match self.kind {
            AttributeType::String | AttributeType::Unspecified => column.texts.push(to_text(value)?),
            AttributeType::Int64 => column.integers.push(to_integer(value)?),
            AttributeType::Double => column.doubles.push(to_double(value)?),
            AttributeType::Bool => column.bools.push(to_bool(value)?),
            AttributeType::Timestamp => column.integers.push(to_time(value)?),
            AttributeType::Date => column.integers.push(to_day(value)?),
            AttributeType::StringList => column.lists.push(to_list(value)?),
        }
        Ok(())
    }
}

type Converted<T> = std::result::Result<T, String>;

fn unfit<T>(value: &Value, what: &str) -> Converted<T> {
    Err(format!("got {}, {}", value.kind(), wanted(what)))
}

fn to_text(value: &Value) -> Converted<Vec<u8>> {
    match value {
        Value::Text(text) => Ok(text.clone().into_bytes()),
        Value::Bytes(bytes) => Ok(bytes.clone()),
        other => unfit(other, "a text"),
    }
}

fn to_integer(value: &Value) -> Converted<i64> {
    match value {
        Value::Integer(number) => Ok(*number),
        Value::Text(text) => text.parse().map_err(|_| wanted("an integer")),
        other => unfit(other, "an integer"),
    }
}

fn to_double(value: &Value) -> Converted<f64> {
    match value {
        Value::Double(number) => Ok(*number),
        Value::Integer(number) => Ok(*number as f64),
        Value::Text(text) => text.parse().map_err(|_| wanted("a number")),
        other => unfit(other, "a number"),
    }
}

fn to_bool(value: &Value) -> Converted<bool> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::Text(text) => text.parse().map_err(|_| wanted("true or false")),
        other => unfit(other, "true or false"),
    }
}

fn to_time(value: &Value) -> Converted<i64> {
    match value {
        Value::Timestamp(time) => Ok(time.0),
        Value::Integer(microseconds) => Ok(*microseconds),
        Value::Text(text) => text.parse::<Timestamp>().map(|time| time.0),
        other => unfit(other, "a time"),
    }
}

fn to_day(value: &Value) -> Converted<i64> {
    match value {
        Value::Date(day) => Ok(day.0),
        Value::Integer(days) => Ok(*days),
        Value::Text(text) => text.parse::<Date>().map(|day| day.0),
        other => unfit(other, "a day"),
    }
}

fn to_list(value: &Value) -> Converted<TextList> {
    match value {
        Value::List(texts) => Ok(TextList { values: texts.iter().map(|text| text.clone().into_bytes()).collect() }),
        other => unfit(other, "a list of texts"),
    }
}

/// One value for each record; `None` where there is none. Fails if there are not as many values as the column says: those
/// of a type that this client does not know are elsewhere.
pub(crate) fn decode(column: Column, records: usize, kind: AttributeType) -> Result<Vec<Option<Value>>> {
    let presence = if column.presence.is_empty() { vec![VALUE; records] } else { column.presence };
    let mut values: Box<dyn ExactSizeIterator<Item = Value>> = match kind {
        AttributeType::String | AttributeType::Unspecified => {
            Box::new(column.texts.into_iter().map(|text| Value::Text(from_utf8(text))))
        }
        AttributeType::Int64 => Box::new(column.integers.into_iter().map(Value::Integer)),
        AttributeType::Double => Box::new(column.doubles.into_iter().map(Value::Double)),
        AttributeType::Bool => Box::new(column.bools.into_iter().map(Value::Bool)),
        AttributeType::Timestamp => Box::new(column.integers.into_iter().map(|time| Value::Timestamp(Timestamp(time)))),
        AttributeType::Date => Box::new(column.integers.into_iter().map(|day| Value::Date(Date(day)))),
        AttributeType::StringList => {
            Box::new(column.lists.into_iter().map(|list| Value::List(list.values.into_iter().map(from_utf8).collect())))
        }
    };
    if presence.len() != records || presence.iter().filter(|byte| **byte == VALUE).count() != values.len() {
        let text = format!("the server sent a column of {} values for {records} records", values.len());
        return Err(Error::local(Code::Internal, &text));
    }
    Ok(presence.into_iter().map(|byte| if byte == VALUE { values.next() } else { None }).collect())
}

/// The server holds texts that are UTF-8 only.
pub(crate) fn from_utf8(text: Vec<u8>) -> String {
    String::from_utf8(text).unwrap_or_else(|wrong| String::from_utf8_lossy(wrong.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(kind: AttributeType, values: &[Option<Value>]) -> Result<Column> {
        let mut builder = ColumnBuilder::new(kind, "a_field", 100);
        values.iter().try_for_each(|value| builder.add(value.as_ref()))?;
        Ok(builder.finish())
    }

    #[test]
    fn a_column_of_values_needs_no_presence() {
        let column = encode(AttributeType::Int64, &[Some(Value::Integer(5)), Some(Value::Integer(-6))]);
        assert_eq!(column.expect("it fits"), Column { integers: vec![5, -6], ..Column::default() });
    }

    #[test]
    fn absent_null_and_value_are_told_apart() {
        let values = [None, Some(Value::Null), Some(Value::from("a")), Some(Value::from("")), None];
        let column = encode(AttributeType::String, &values).expect("it fits");
        assert_eq!(column.presence, [0, 1, 2, 2, 0]);
        assert_eq!(column.texts, [b"a".to_vec(), Vec::new()]);
    }

    #[test]
    fn every_type_goes_there_and_back() {
        for (kind, value) in [
            (AttributeType::String, Value::from("é")),
            (AttributeType::Int64, Value::Integer(i64::MIN)),
            (AttributeType::Double, Value::Double(-0.5)),
            (AttributeType::Bool, Value::Bool(false)),
            (AttributeType::Timestamp, Value::Timestamp(Timestamp(-1))),
            (AttributeType::Date, Value::Date(Date(20_000))),
            (AttributeType::StringList, Value::List(vec!["a".into(), String::new()])),
        ] {
            let values = [None, Some(value.clone()), Some(value)];
            let column = encode(kind, &values).expect("it fits");
            assert_eq!(decode(column, 3, kind).expect("it fits"), values);
        }
    }

    #[test]
    fn values_that_cannot_be_found_are_an_error_and_not_missing() {
        let numbers = Column { integers: vec![5], presence: vec![0, 2], ..Column::default() };
        for (column, records, kind) in [
            (numbers.clone(), 2, AttributeType::Unspecified),
            (numbers.clone(), 3, AttributeType::Int64),
            (Column { presence: Vec::new(), ..numbers }, 2, AttributeType::Int64),
        ] {
            let error = decode(column, records, kind).expect_err("it does not fit");
            assert_eq!(error.code(), Some(Code::Internal), "{error}");
        }
    }

    #[test]
    fn texts_are_read_as_the_fields_type() {
        let column = |kind, text: &str| encode(kind, &[Some(Value::from(text))]).expect("it fits");
        assert_eq!(column(AttributeType::Int64, "-5").integers, [-5]);
        assert_eq!(column(AttributeType::Double, "1.5").doubles, [1.5]);
        assert!(column(AttributeType::Double, "nan").doubles[0].is_nan());
        assert_eq!(column(AttributeType::Bool, "true").bools, [true]);
        assert_eq!(column(AttributeType::Timestamp, "1970-01-01T00:00:01Z").integers, [1_000_000]);
        assert_eq!(column(AttributeType::Date, "1970-01-02").integers, [1]);
    }

    #[test]
    fn what_does_not_fit_names_the_record_and_not_the_value() {
        for (kind, value) in [
            (AttributeType::Int64, Value::from("secret")),
            (AttributeType::Int64, Value::Double(1.5)),
            (AttributeType::String, Value::Integer(1)),
            (AttributeType::Bool, Value::Integer(1)),
            (AttributeType::Date, Value::from("secret")),
            (AttributeType::StringList, Value::from("secret")),
        ] {
            let text = encode(kind, &[None, Some(value)]).expect_err("it does not fit").to_string();
            assert!(text.starts_with("record 101, a_field: "), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn bytes_go_as_they_are() {
        let column = encode(AttributeType::String, &[Some(Value::Bytes(vec![0xff]))]).expect("it fits");
        assert_eq!(column.texts, [vec![0xff]]);
    }
}
