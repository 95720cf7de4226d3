//! Generates messages, stubs and what the wrapper knows of each method from the protos and from service_config.json.
//!
//! In a checkout they are read from where they live; in a packaged crate from the copies that `generate` made.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FileDescriptorSet, MethodDescriptorProto};
use serde_json::Value;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let sources = Sources::find(&here)?;
    let mut descriptors = sources.compile()?;
    let methods = Methods::read(&descriptors, &sources.retry_policies()?)?;
    fs::write(out.join("methods.rs"), methods.to_rust())?;
    tonic_prost_build::configure().build_server(false).compile_fds(descriptors.clone())?;
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    fs::write(out.join("descriptors.binpb"), descriptors.encode_to_vec())?;
    Ok(())
}

/// Where the protos and the service config are.
struct Sources {
    protos: PathBuf,
    includes: Vec<PathBuf>,
    service_config: PathBuf,
}

impl Sources {
    fn find(here: &Path) -> Outcome<Sources> {
        let repository = here.join("../..");
        if repository.join("proto/passerelle/v1").is_dir() {
            let protos = repository.join("proto");
            let includes = vec![protos.clone(), googleapis(&repository, here)?];
            let service_config = repository.join("client/service_config.json");
            return Ok(Sources { protos, includes, service_config }.watched());
        }
        let protos = here.join("proto");
        let service_config = here.join("service_config.json");
        Ok(Sources { includes: vec![protos.clone()], protos, service_config }.watched())
    }

    fn watched(mut self) -> Sources {
        println!("cargo:rerun-if-changed={}", self.protos.display());
        println!("cargo:rerun-if-changed={}", self.service_config.display());
        println!("cargo:rerun-if-env-changed=GOOGLEAPIS_PROTO_DIR");
        self.includes.push(PathBuf::from("/usr/include"));
        self
    }

    fn compile(&self) -> Outcome<FileDescriptorSet> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(self.protos.join("passerelle/v1"))?.map(|entry| Ok(entry?.path())).collect::<Outcome<_>>()?;
        files.retain(|path| path.extension().is_some_and(|ending| ending == "proto"));
        files.sort();
        tonic_prost_build::Config::new().load_fds(&files, &self.includes).map_err(|error| {
            format!("{error}\nprotoc compiles the protos: `apt install protobuf-compiler`, or name it in PROTOC").into()
        })
    }

    /// By full method name, as `service/method`.
    fn retry_policies(&self) -> Outcome<HashMap<String, String>> {
        let text = fs::read_to_string(&self.service_config)
            .map_err(|error| format!("{}: {error}", self.service_config.display()))?;
        let config: Value = serde_json::from_str(&text)?;
        let mut policies = HashMap::new();
        for entry in config["methodConfig"].as_array().ok_or("the service config has no methodConfig")? {
            let Some(policy) = entry.get("retryPolicy") else { continue };
            for name in entry["name"].as_array().ok_or("an entry of the service config has no name")? {
                let (service, method) = (name["service"].as_str(), name["method"].as_str());
                let (Some(service), Some(method)) = (service, method) else {
                    return Err("the service config names a whole service: name its methods".into());
                };
                policies.insert(format!("{service}/{method}"), policy_to_rust(policy)?);
            }
        }
        Ok(policies)
    }
}

/// The folder with google/api: the one named, that of tools/setup, the copy that `generate` made, or the system's.
fn googleapis(repository: &Path, here: &Path) -> Outcome<PathBuf> {
    if let Some(named) = env::var_os("GOOGLEAPIS_PROTO_DIR") {
        return Ok(PathBuf::from(named));
    }
    let mut candidates = Vec::new();
    if let Ok(versions) = fs::read_dir(repository.join("build/venv/lib")) {
        candidates.extend(versions.flatten().map(|version| version.path().join("site-packages")));
    }
    candidates.push(here.join("proto"));
    candidates.extend(["/usr/local/share/googleapis", "/usr/share/googleapis"].map(PathBuf::from));
    candidates
        .into_iter()
        .find(|folder| folder.join("google/api/field_behavior.proto").is_file())
        .ok_or_else(|| "google/api/field_behavior.proto not found: run tools/setup, or set GOOGLEAPIS_PROTO_DIR".into())
}

/// A literal of `RetryPolicy`.
fn policy_to_rust(policy: &Value) -> Outcome<String> {
    let codes = policy["retryableStatusCodes"].as_array().ok_or("retryableStatusCodes: is missing")?;
    if codes.iter().any(|code| code.as_str() != Some("UNAVAILABLE")) {
        return Err("retryableStatusCodes: this client repeats after UNAVAILABLE only".into());
    }
    let attempts = policy["maxAttempts"].as_u64().ok_or("maxAttempts: is missing")?;
    let multiplier = policy["backoffMultiplier"].as_f64().ok_or("backoffMultiplier: is missing")?;
    let (first, longest) = (milliseconds(&policy["initialBackoff"])?, milliseconds(&policy["maxBackoff"])?);
    Ok(format!(
        "RetryPolicy {{ max_attempts: {attempts}, initial_backoff: std::time::Duration::from_millis({first}), \
         max_backoff: std::time::Duration::from_millis({longest}), backoff_multiplier: {multiplier:?} }}"
    ))
}

fn milliseconds(duration: &Value) -> Outcome<u64> {
    let text = duration.as_str().and_then(|text| text.strip_suffix('s')).ok_or("a duration is a text such as 0.1s")?;
    Ok((text.parse::<f64>()? * 1000.0).round() as u64)
}

/// One method of the API, under the names it has in Rust.
struct Method {
    service: String,
    name: String,
    stub: String,
    function: String,
    request: String,
    response: String,
    unary: bool,
    retry: Option<String>,
    page: Option<Page>,
}

/// The field of a list's response that holds the items.
struct Page {
    field: String,
    item: String,
}

struct Methods(Vec<Method>);

impl Methods {
    fn read(descriptors: &FileDescriptorSet, policies: &HashMap<String, String>) -> Outcome<Methods> {
        let files = || descriptors.file.iter().filter(|file| file.package() == "passerelle.v1");
        let messages: BTreeMap<String, &DescriptorProto> = files()
            .flat_map(|file| &file.message_type)
            .map(|message| (format!(".passerelle.v1.{}", message.name()), message))
            .collect();
        let mut methods = Vec::new();
        for service in files().flat_map(|file| &file.service) {
            for method in &service.method {
                methods.push(read_method(service.name(), method, &messages, policies)?);
            }
        }
        let known = |name: &&String| methods.iter().any(|method| &method.full_name() == *name);
        if let Some(unknown) = policies.keys().find(|name| !known(name)) {
            return Err(format!("the service config names {unknown}, which is not in the protos").into());
        }
        Ok(Methods(methods))
    }

    fn to_rust(&self) -> String {
        let mut text = String::new();
        self.stubs(&mut text);
        for method in self.0.iter().filter(|method| method.unary) {
            method.unary_impl(&mut text);
        }
        self.table(&mut text);
        self.macros(&mut text);
        text
    }

    fn stubs(&self, text: &mut String) {
        let services: BTreeMap<&str, &str> =
            self.0.iter().map(|method| (method.service.as_str(), method.stub.as_str())).collect();
        *text += "impl crate::Client {\n";
        for (service, stub) in services {
            let path = format!("crate::v1::{stub}_client::{service}Client");
            *text += &format!(
                "    /// The generated stub of {service}. Its unary calls have a deadline of 30 seconds unless the\n    \
                 /// request sets another; nothing is repeated.\n    \
                 pub fn {stub}(&self) -> {path}<crate::Transport> {{\n        \
                 {path}::new(self.transport()).max_decoding_message_size(crate::MAX_MESSAGE_BYTES)\n    }}\n"
            );
        }
        *text += "}\n";
    }

    fn table(&self, text: &mut String) {
        *text += "/// Service and method of every unary call, sorted.\npub(crate) const UNARY: &[(&str, &str)] = &[\n";
        let unary = self.0.iter().filter(|method| method.unary);
        let sorted: BTreeSet<_> = unary.map(|method| (&method.service, &method.name)).collect();
        for (service, name) in sorted {
            *text += &format!("    (\"passerelle.v1.{service}\", \"{name}\"),\n");
        }
        *text += "];\n";
    }

    fn macros(&self, text: &mut String) {
        let rows = |kept: &dyn Fn(&Method) -> bool| -> String {
            let row = |method: &Method| format!(" (\"{}\", {})", method.full_name(), method.request);
            self.0.iter().filter(|method| kept(method)).map(row).collect()
        };
        let unary = rows(&|method| method.unary);
        let paged = rows(&|method| method.page.is_some());
        *text += &format!(
            "/// Calls the macro `$then` with `(name, request type)` of every unary method, for programs that choose a\n\
             /// method by its name at run time.\n#[macro_export]\n\
             macro_rules! unary_methods {{ ($then:ident) => {{ $then! {{ {unary} }} }} }}\n\
             /// As [`unary_methods`], of every list.\n#[macro_export]\n\
             macro_rules! paged_methods {{ ($then:ident) => {{ $then! {{ {paged} }} }} }}\n"
        );
    }
}

impl Method {
    fn full_name(&self) -> String {
        format!("passerelle.v1.{}/{}", self.service, self.name)
    }

    fn unary_impl(&self, text: &mut String) {
        let Method { stub, function, request, response, .. } = self;
        let retry = self.retry.as_ref().map_or("None".to_owned(), |policy| format!("Some({policy})"));
        *text += &format!(
            "impl Unary for crate::v1::{request} {{\n    type Response = {response};\n    \
             const METHOD: &'static str = \"{}\";\n    const RETRY: Option<RetryPolicy> = {retry};\n    \
             async fn send(client: &crate::Client, request: tonic::Request<Self>) \
             -> Result<tonic::Response<Self::Response>, tonic::Status> {{\n        \
             client.{stub}().{function}(request).await\n    }}\n}}\n",
            self.full_name()
        );
        if let Some(Page { field, item }) = &self.page {
            *text += &format!(
                "impl Paged for crate::v1::{request} {{\n    type Item = {item};\n    \
                 fn set_page_token(&mut self, token: String) {{ self.page_token = token; }}\n    \
                 fn take_page(page: Self::Response) -> (Vec<Self::Item>, String) \
                 {{ (page.{field}, page.next_page_token) }}\n}}\n"
            );
        }
    }
}

fn read_method(
    service: &str,
    method: &MethodDescriptorProto,
    messages: &BTreeMap<String, &DescriptorProto>,
    policies: &HashMap<String, String>,
) -> Outcome<Method> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let response = match method.output_type() {
        ".google.protobuf.Empty" => "()".to_owned(),
        name => format!("crate::v1::{}", last(name)),
    };
    let page = match (messages.get(method.input_type()), messages.get(method.output_type())) {
        (Some(request), Some(response)) => page_of(request, response),
        _ => None,
    };
    let unary = !method.client_streaming() && !method.server_streaming();
    let retry = policies.get(&format!("passerelle.v1.{service}/{}", method.name())).cloned();
    if retry.is_some() && !unary {
        return Err(format!("the service config repeats {service}/{}, which is a stream", method.name()).into());
    }
    Ok(Method {
        service: service.to_owned(),
        name: method.name().to_owned(),
        stub: snake_case(service),
        function: snake_case(method.name()),
        request: last(method.input_type()),
        response,
        unary,
        retry,
        page,
    })
}

/// A list has page tokens on both sides and one repeated field.
fn page_of(request: &DescriptorProto, response: &DescriptorProto) -> Option<Page> {
    let has = |message: &DescriptorProto, name: &str| message.field.iter().any(|field| field.name() == name);
    if !has(request, "page_token") || !has(response, "next_page_token") {
        return None;
    }
    let mut repeated = response.field.iter().filter(|field| field.label() == Label::Repeated);
    let (Some(items), None) = (repeated.next(), repeated.next()) else { return None };
    let item = match items.r#type() {
        Type::Message => format!("crate::v1::{}", items.type_name().strip_prefix(".passerelle.v1.")?),
        _ => return None,
    };
    Some(Page { field: items.name().to_owned(), item })
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}
