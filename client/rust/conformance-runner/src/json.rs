//! Protobuf JSON to messages and back, by the descriptors that the client was generated from, and values to JSON.

use std::sync::LazyLock;

use passerelle::Value;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor, SerializeOptions};
use serde_json::{Value as Json, json};

use crate::steps::Failure;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(passerelle::FILE_DESCRIPTOR_SET).expect("the client's own descriptors can be read")
});

/// The descriptor of `service/method`.
pub fn method(name: &str) -> Result<MethodDescriptor, Failure> {
    let unknown = || Failure::Refused(format!("no method {name}"));
    let (service, method) = name.split_once('/').ok_or_else(unknown)?;
    let service = POOL.get_service_by_name(service).ok_or_else(unknown)?;
    service.methods().find(|found| found.name() == method).ok_or_else(unknown)
}

pub fn message(name: &str) -> MessageDescriptor {
    POOL.get_message_by_name(name).expect("the runner names messages that there are")
}

/// The generated message that protobuf JSON stands for.
pub fn parse<M: Message + Default>(descriptor: MessageDescriptor, json: &Json) -> Result<M, Failure> {
    let json = if json.is_null() { &json!({}) } else { json };
    let dynamic = DynamicMessage::deserialize(descriptor, json).map_err(|error| Failure::Refused(error.to_string()))?;
    M::decode(dynamic.encode_to_vec().as_slice()).map_err(|error| Failure::Refused(error.to_string()))
}

/// Protobuf JSON of a generated message, with the names of the proto.
pub fn show<M: Message>(descriptor: MessageDescriptor, message: &M) -> Result<Json, Failure> {
    let broken = |text: String| Failure::Broken(text);
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
        .map_err(|error| broken(error.to_string()))?;
    let options = SerializeOptions::new().use_proto_field_name(true);
    dynamic.serialize_with_options(serde_json::value::Serializer, &options).map_err(|error| broken(error.to_string()))
}

/// A value as the wrapper takes it. Texts are read by the wrapper as the attribute's type.
pub fn to_value(json: &Json) -> Result<Value, Failure> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::String(text) => Value::Text(text.clone()),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Value::Integer(integer),
            (None, Some(double)) => Value::Double(double),
            (None, None) => return Err(Failure::Refused(format!("no value: {number}"))),
        },
        Json::Array(items) => {
            let text = |item: &Json| item.as_str().map(str::to_owned);
            let texts: Option<Vec<String>> = items.iter().map(text).collect();
            Value::List(texts.ok_or_else(|| Failure::Refused("a list of what is no text".to_owned()))?)
        }
        Json::Object(_) => return Err(Failure::Refused("no value: an object".to_owned())),
    })
}

/// A value as people read it.
pub fn from_value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Integer(number) => json!(number),
        Value::Double(number) => json!(number),
        Value::Bool(flag) => json!(flag),
        Value::List(texts) => json!(texts),
        other => json!(other.to_string()),
    }
}
