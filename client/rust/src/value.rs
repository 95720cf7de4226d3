//! Values of attributes and log fields.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

const MICROSECONDS: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;

/// A value as callers give and get it. A text that is given for a field of another type is read as that type, for
/// example `"5"` as an integer and `"2026-01-01T00:00:00Z"` as a time.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value; what it does is for the mapping's merge policy to say.
    Null,
    /// A text.
    Text(String),
    /// A text that may not be UTF-8: the server refuses that row, and no other.
    Bytes(Vec<u8>),
    /// A whole number.
    Integer(i64),
    /// A number.
    Double(f64),
    /// True or false.
    Bool(bool),
    /// A moment.
    Timestamp(Timestamp),
    /// A day.
    Date(Date),
    /// Texts.
    List(Vec<String>),
}

/// A moment, in microseconds since 1970-01-01T00:00:00Z. Reads and shows RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// A day, in days since 1970-01-01. Reads and shows `2026-01-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i64);

impl Timestamp {
    /// Now.
    pub fn now() -> Timestamp {
        SystemTime::now().into()
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Timestamp {
        let whole = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Timestamp(whole(after)),
            Err(before) => Timestamp(-whole(before.duration())),
        }
    }
}

impl From<Timestamp> for prost_types::Timestamp {
    fn from(time: Timestamp) -> prost_types::Timestamp {
        prost_types::Timestamp {
            seconds: time.0.div_euclid(MICROSECONDS),
            nanos: (time.0.rem_euclid(MICROSECONDS) * 1000) as i32,
        }
    }
}

impl From<prost_types::Timestamp> for Timestamp {
    fn from(time: prost_types::Timestamp) -> Timestamp {
        Timestamp(time.seconds.saturating_mul(MICROSECONDS).saturating_add(i64::from(time.nanos) / 1000))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        prost_types::Timestamp::from(*self).fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Timestamp, String> {
        let time = prost_types::Timestamp::from_str(text).map_err(|_| wanted("a time such as 2026-01-31T12:00:00Z"))?;
        Ok(time.into())
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let midnight = prost_types::Timestamp { seconds: self.0.saturating_mul(DAY_SECONDS), nanos: 0 };
        let text = midnight.to_string();
        f.write_str(text.split('T').next().unwrap_or_default())
    }
}

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Date, String> {
        let midnight = prost_types::Timestamp::from_str(&format!("{text}T00:00:00Z"));
        Ok(Date(midnight.map_err(|_| wanted("a day such as 2026-01-31"))?.seconds.div_euclid(DAY_SECONDS)))
    }
}

/// What was got is not told: values are personal data.
pub(crate) fn wanted(what: &str) -> String {
    format!("wanted {what}")
}

impl Value {
    /// The kind of this value, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Text(_) | Value::Bytes(_) => "a text",
            Value::Integer(_) => "an integer",
            Value::Double(_) => "a number",
            Value::Bool(_) => "a bool",
            Value::Timestamp(_) => "a time",
            Value::Date(_) => "a day",
            Value::List(_) => "a list",
        }
    }
}

/// For people: lists in brackets, everything else as it reads; null is empty.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Text(text) => f.write_str(text),
            Value::Bytes(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
            Value::Integer(number) => number.fmt(f),
            Value::Double(number) => number.fmt(f),
            Value::Bool(flag) => flag.fmt(f),
            Value::Timestamp(time) => time.fmt(f),
            Value::Date(day) => day.fmt(f),
            Value::List(texts) => write!(f, "[{}]", texts.join(", ")),
        }
    }
}

macro_rules! values_of {
    ($($from:ty => $make:expr;)*) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Value {
                ($make)(value)
            }
        })*
    };
}

values_of! {
    String => Value::Text;
    &str => |text: &str| Value::Text(text.to_owned());
    &String => |text: &String| Value::Text(text.clone());
    Vec<u8> => Value::Bytes;
    i64 => Value::Integer;
    i32 => |number| Value::Integer(i64::from(number));
    u32 => |number| Value::Integer(i64::from(number));
    f64 => Value::Double;
    bool => Value::Bool;
    Timestamp => Value::Timestamp;
    SystemTime => |time| Value::Timestamp(Timestamp::from(time));
    Date => Value::Date;
    Vec<String> => Value::List;
}

/// `None` is null.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_shown() {
        for (text, microseconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-01-01T00:00:00Z", 1_767_225_600_000_000),
            ("2026-01-01T00:00:00.000001Z", 1_767_225_600_000_001),
            ("2026-01-01T00:00:00.250Z", 1_767_225_600_250_000),
            ("1969-12-31T23:59:59.999999Z", -1),
        ] {
            assert_eq!(text.parse(), Ok(Timestamp(microseconds)));
            assert_eq!(Timestamp(microseconds).to_string(), text);
        }
        assert_eq!("2026-01-01T02:00:00+02:00".parse(), Ok(Timestamp(1_767_225_600_000_000)));
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert_eq!(Timestamp::from(SystemTime::UNIX_EPOCH - Duration::from_micros(5)), Timestamp(-5));
    }

    #[test]
    fn days_are_read_and_shown() {
        for (text, days) in [("1970-01-01", 0), ("1969-12-31", -1), ("2026-01-01", 20_454), ("2024-02-29", 19_782)] {
            assert_eq!(text.parse(), Ok(Date(days)));
            assert_eq!(Date(days).to_string(), text);
        }
        assert!("2026-02-30".parse::<Date>().is_err());
        assert!("2026-01-01T00:00:00Z".parse::<Date>().is_err());
    }

    #[test]
    fn moments_of_the_wire_and_back() {
        let moment = Timestamp(-1_500_000);
        let wire = prost_types::Timestamp::from(moment);
        assert_eq!((wire.seconds, wire.nanos), (-2, 500_000_000));
        assert_eq!(Timestamp::from(wire), moment);
    }

    #[test]
    fn nothing_is_null() {
        assert_eq!(Value::from(None::<bool>), Value::Null);
        assert_eq!(Value::from(Some("a")), Value::Text("a".into()));
    }
}
