//! What each step does with the client.

mod ingest;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use passerelle::{AttributeType, Client, Error, Items, LogBatch, Paged, Unary, code_name, v1};
use serde_json::{Value as Json, json};

use crate::json::{from_value, message, method, parse, show};

/// Why a step has no result.
pub enum Failure {
    /// What the client says.
    Client(Error),
    /// A step that cannot be made sense of, as the client refuses what it cannot.
    Refused(String),
    /// The runner does not know it.
    Unknown(String),
    /// The runner itself failed.
    Broken(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Client(error)
    }
}

pub type Answer = Result<Json, Failure>;

/// The clients of one runner, by their names.
pub struct Session {
    pub clients: Mutex<HashMap<String, Client>>,
}

impl Session {
    /// The answer to a step, without its id.
    pub async fn run(&self, step: &Json) -> Json {
        let result = match step["op"].as_str().unwrap_or_default() {
            "hello" => Ok(json!({"language": "rust", "client": env!("CARGO_PKG_VERSION")})),
            "connect" => self.connect(step),
            "close" => {
                self.clients().remove(name_of(step));
                Ok(json!({}))
            }
            "call" => self.call(step).await,
            "pages" => self.pages(step).await,
            "create_attribute" => self.create_attribute(step).await,
            "ingest" => self.ingest(step).await,
            "export" => self.export(step).await,
            "members" => self.members(step).await,
            other => Err(Failure::Unknown(other.to_owned())),
        };
        match result {
            Ok(told) => json!({"ok": told}),
            Err(failure) => json!({"error": told(failure)}),
        }
    }

    fn clients(&self) -> std::sync::MutexGuard<'_, HashMap<String, Client>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client(&self, step: &Json) -> Result<Client, Failure> {
        let found = self.clients().get(name_of(step)).cloned();
        found.ok_or_else(|| Failure::Broken(format!("no client {}", name_of(step))))
    }

    fn connect(&self, step: &Json) -> Answer {
        self.clients().remove(name_of(step));
        let mut builder = match step["target"].as_str() {
            Some(address) => Client::at(address),
            None => Client::from_environment(),
        };
        let text = |name: &str| step[name].as_str().map(str::to_owned);
        builder = builder.instance(text("instance").unwrap_or_else(|| "default".to_owned()));
        builder = text("key").into_iter().fold(builder, |builder, key| builder.key(key));
        builder = text("key_file").into_iter().fold(builder, |builder, path| builder.key_file(path));
        builder = text("ca").into_iter().fold(builder, |builder, path| builder.ca(path));
        builder = text("cert").into_iter().fold(builder, |builder, path| builder.cert(path));
        builder = text("cert_key").into_iter().fold(builder, |builder, path| builder.cert_key(path));
        builder = text("server_name").into_iter().fold(builder, |builder, name| builder.server_name(name));
        let client = in_environment(&step["env"], || builder.connect())?;
        self.clients().insert(name_of(step).to_owned(), client);
        Ok(json!({}))
    }

    async fn call(&self, step: &Json) -> Answer {
        let client = self.client(step)?;
        macro_rules! call_by_name {
            ($(($name:literal, $request:ident))*) => {
                match text(step, "method") {
                    $($name => Box::pin(call::<v1::$request>(&client, step)).await,)*
                    other => Err(Failure::Refused(format!("no unary method {other}"))),
                }
            };
        }
        passerelle::unary_methods!(call_by_name)
    }

    async fn pages(&self, step: &Json) -> Answer {
        let client = self.client(step)?;
        macro_rules! pages_by_name {
            ($(($name:literal, $request:ident))*) => {
                match text(step, "method") {
                    $($name => Box::pin(pages::<v1::$request>(&client, step)).await,)*
                    other => Err(Failure::Refused(format!("no list {other}"))),
                }
            };
        }
        passerelle::paged_methods!(pages_by_name)
    }

    async fn create_attribute(&self, step: &Json) -> Answer {
        let kind = AttributeType::from_str_name(&format!("ATTRIBUTE_TYPE_{}", text(step, "type")))
            .ok_or_else(|| Failure::Refused(format!("no type {}", step["type"])))?;
        let consent = match &step["consent"] {
            Json::Null => None,
            consent => Some(parse(message("passerelle.v1.Consent"), consent)?),
        };
        let made = self.client(step)?.create_attribute(text(step, "attribute"), kind, consent).await?;
        Ok(json!({"type": made.r#type().as_str_name().trim_start_matches("ATTRIBUTE_TYPE_")}))
    }

    async fn export(&self, step: &Json) -> Answer {
        let mut export = self.client(step)?.export_logs().fields(texts(step, "fields"));
        export = step["source"].as_str().into_iter().fold(export, |export, id| export.source(id));
        export = export.consumer(text(step, "consumer")).cursor(text(step, "cursor"));
        if !step["filter"].is_null() {
            export = export.filter(parse(message("passerelle.v1.LogFilter"), &step["filter"])?);
        }
        export = export.max_batch_rows(step["max_batch_rows"].as_i64().unwrap_or_default() as i32);
        export = if step["follow"] == true { export.follow() } else { export };
        export = retry_for(step).into_iter().fold(export, |export, time| export.retry_for(time));
        let mut told = json!({"rows": [], "batches": 0, "cursor": "", "cancelled": false});
        let batches = export.start();
        match step["cancel_after_ms"].as_u64() {
            None => take(batches, step, &mut told).await?,
            Some(time) => match tokio::time::timeout(Duration::from_millis(time), take(batches, step, &mut told)).await
            {
                Ok(taken) => taken?,
                Err(_) => told["cancelled"] = json!(true),
            },
        }
        Ok(told)
    }

    async fn members(&self, step: &Json) -> Answer {
        let mut stream = self.client(step)?.stream_members(text(step, "audience"), text(step, "channel"));
        stream = stream.purpose(text(step, "purpose")).since(text(step, "since"));
        stream = stream.attributes(texts(step, "attributes")).identities(texts(step, "identities"));
        stream = stream.mandatory(texts(step, "mandatory"));
        stream = retry_for(step).into_iter().fold(stream, |stream, time| stream.retry_for(time));
        let (mut members, mut stream) = (Vec::new(), stream.start());
        while let Some(member) = stream.next().await.transpose()? {
            let attributes = readable(&member.attributes);
            let change = member.change.to_string();
            members.push(json!({"identities": member.identities, "attributes": attributes, "change": change}));
        }
        Ok(json!({"members": members, "end_token": stream.end_token(), "excluded": stream.excluded()}))
    }
}

async fn call<R: Unary + Default>(client: &Client, step: &Json) -> Answer {
    let method = method(R::METHOD)?;
    let request: R = parse(method.input(), &step["request"])?;
    let response = match step["timeout_ms"].as_u64() {
        Some(time) => client.call_within(request, Duration::from_millis(time)).await?,
        None => client.call(request).await?,
    };
    Ok(json!({"response": show(method.output(), &response)?}))
}

async fn pages<R: Paged + Default>(client: &Client, step: &Json) -> Answer {
    let method = method(R::METHOD)?;
    let field = method.output().get_field_by_name(text(step, "items"));
    let item = field.and_then(|field| field.kind().as_message().cloned());
    let item = item.ok_or_else(|| Failure::Refused(format!("no items {}", step["items"])))?;
    let items = client.pages(parse::<R>(method.input(), &step["request"])?).collect().await?;
    let shown: Vec<Json> = items.iter().map(|each| show(item.clone(), each)).collect::<Result<_, _>>()?;
    Ok(json!({"items": shown}))
}

/// Fills the answer of an export.
async fn take(mut batches: Items<LogBatch>, step: &Json, told: &mut Json) -> Result<(), Failure> {
    let mut taken = 0;
    while let Some(batch) = batches.next().await.transpose()? {
        told["cursor"] = json!(batch.cursor);
        if batch.rows.is_empty() {
            continue;
        }
        let rows = told["rows"].as_array_mut().into_iter();
        rows.for_each(|rows| rows.extend(batch.records().map(|record| readable(&record))));
        taken += 1;
        told["batches"] = json!(taken);
        if step["acknowledge"] == true {
            batch.acknowledge().await?;
        }
        if step["stop_after_batches"].as_u64() == Some(taken) {
            break;
        }
    }
    Ok(())
}

fn readable(values: &BTreeMap<String, passerelle::Value>) -> Json {
    values.iter().map(|(name, value)| (name.clone(), from_value(value))).collect()
}

fn name_of(step: &Json) -> &str {
    step["client"].as_str().unwrap_or("main")
}

/// The step's text of that name; empty if it has none.
fn text<'a>(step: &'a Json, name: &str) -> &'a str {
    step[name].as_str().unwrap_or_default()
}

fn texts(step: &Json, name: &str) -> Vec<String> {
    let items = step[name].as_array().into_iter().flatten();
    items.filter_map(Json::as_str).map(str::to_owned).collect()
}

fn retry_for(step: &Json) -> Option<Duration> {
    step["retry_for_ms"].as_u64().map(Duration::from_millis)
}

/// Does it with these environment variables, and puts back what there was.
fn in_environment<T>(variables: &Json, action: impl FnOnce() -> T) -> T {
    let set = |name: &str, value: Option<&str>| {
        // SAFETY: nothing else runs: the runner has one thread, which does not wait in here.
        unsafe {
            match value {
                Some(value) => std::env::set_var(name, value),
                None => std::env::remove_var(name),
            }
        }
    };
    let variables = || variables.as_object().into_iter().flatten();
    let before: Vec<(String, Option<String>)> =
        variables().map(|(name, _)| (name.clone(), std::env::var(name).ok())).collect();
    variables().for_each(|(name, value)| set(name, value.as_str()));
    let result = action();
    before.iter().for_each(|(name, value)| set(name, value.as_deref()));
    result
}

fn told(failure: Failure) -> Json {
    match failure {
        Failure::Client(Error::Call(error)) => json!({
            "code": code_name(error.code),
            "reason": error.reason,
            "message": error.message,
            "fields": error.field_violations.iter().map(|violation| &violation.field).collect::<Vec<_>>(),
            "metadata": error.metadata,
            "retry_delay_ms": error.retry_delay.unwrap_or_default().as_millis() as u64,
            "retryable": error.retryable(),
        }),
        Failure::Client(Error::InvalidUse(text)) | Failure::Refused(text) => {
            json!({"code": "INVALID_USE", "message": text})
        }
        Failure::Unknown(text) => json!({"code": "UNKNOWN_STEP", "message": text}),
        Failure::Broken(text) => json!({"code": "RUNNER_FAILED", "message": text}),
    }
}
