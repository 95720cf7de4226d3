//! Against a real server: what no unit test can tell. Everything else is in the conformance suite.

use futures_util::StreamExt;
use passerelle::test_server::TestServer;
use passerelle::{AttributeType, Code, Error, Row, Source, Value, v1};

fn server() -> TestServer {
    TestServer::start().expect("passerelled starts")
}

#[tokio::test]
async fn every_item_of_every_page_comes_once() {
    let server = server();
    let client = passerelle::connect(server.address()).expect("it is an address");
    for number in 0..5 {
        client.create_attribute(&format!("a{number}"), AttributeType::Int64, None).await.expect("it is created");
    }
    let parent = client.instance().to_owned();
    let list = v1::ListAttributesRequest { parent, page_size: 2, ..Default::default() };
    let names: Vec<String> =
        client.pages(list).collect().await.expect("it is listed").into_iter().map(|attribute| attribute.name).collect();
    let expected: Vec<String> = (0..5).map(|number| client.name(format!("attributes/a{number}"))).collect();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn the_stub_and_the_trailing_token_are_within_reach() {
    let server = server();
    let client = passerelle::connect(server.address()).expect("it is an address");
    let name = client.instance().to_owned();
    let get = v1::GetInstanceRequest { name: name.clone(), ..Default::default() };
    let instance = client.instance_service().get_instance(get).await.expect("it is there").into_inner();
    assert_eq!(instance.name, name);
    let audience = Some(v1::Audience { kind: v1::audience::Kind::List as i32, ..Default::default() });
    let create = v1::CreateAudienceRequest { parent: name, audience_id: "vip".into(), audience, ..Default::default() };
    let created = client.respond(create, std::time::Duration::from_secs(30)).await.expect("it is created");
    assert!(created.metadata().contains_key("commit-token"), "{:?}", created.metadata());
}

#[tokio::test]
async fn large_rows_are_cut_into_smaller_batches_and_all_arrive() {
    let server = server();
    let client = passerelle::connect(server.address()).expect("it is an address");
    client.create_attribute("note", AttributeType::String, None).await.expect("it is created");
    // 1,000 rows of 6 KB are more than a message may hold.
    let row = |number: i64| {
        Row::new().identity("external_id", number.to_string()).field("note", "n".repeat(6_000)).key(number.to_string())
    };
    let (mut progress, mut listed) = (Vec::new(), 0);
    let result = client
        .import_profiles(Source::starting_at(|offset| (offset..1_000).map(row)))
        .identities(["external_id"])
        .fields(["note"])
        .stream("notes")
        .on_progress(|offset| progress.push(offset))
        .on_row(|_| listed += 1)
        .await
        .expect("all is imported");
    assert_eq!((result.received, result.total_records, result.reconnects), (1_000, 1_000, 0));
    assert_eq!(result.counts["CREATED"], 1_000);
    assert!(progress.len() >= 2 && progress.is_sorted() && progress.last() == Some(&1_000), "{progress:?}");
    assert_eq!((listed, result.rows.len()), (0, 0));
}

#[tokio::test]
async fn a_row_that_does_not_fit_is_refused_before_it_is_sent() {
    let server = server();
    let client = passerelle::connect(server.address()).expect("it is an address");
    client.create_attribute("visits", AttributeType::Int64, None).await.expect("it is created");
    let rows = [Row::new().identity("external_id", "1").field("visits", Value::Double(0.5))];
    let import = client.import_profiles(rows).identities(["external_id"]).fields(["visits"]).stream("visits");
    let error = import.await.expect_err("it does not fit");
    assert_eq!((error.code(), error.to_string().as_str()), (None, "record 0, visits: got a number, wanted an integer"));
}

#[tokio::test]
async fn rows_that_fail_end_an_ingest_and_do_not_finish_it() {
    let server = server();
    let client = passerelle::connect(server.address()).expect("it is an address");
    // As of an export of another server that the rows are read from: the same code would be waited for if it were ours.
    let away: passerelle::Result<Row> = Err(tonic::Status::unavailable("away").into());
    let row = |number: i64| Ok(Row::new().identity("external_id", number.to_string()));
    let import = |rows: Vec<passerelle::Result<Row>>| {
        let rows = Source::try_from_stream(futures_util::stream::iter(rows));
        client.import_profiles(rows).identities(["external_id"]).stream("people")
    };
    let error = import(vec![row(0), row(1), away]).await.expect_err("the rows fail");
    assert_eq!(error.to_string(), "UNAVAILABLE: away");
    let result = import(vec![row(0), row(1), row(2)]).await.expect("the stream is not finished");
    assert_eq!(result.total_records, 3);
}

fn mapped_to(attribute: &str) -> Vec<v1::FieldMapping> {
    let target = Some(v1::field_mapping::Target::Attribute(attribute.to_owned()));
    vec![v1::FieldMapping { source_field: "field".to_owned(), target, ..Default::default() }]
}

#[tokio::test]
async fn a_sync_whose_fields_are_mapped_to_another_type_goes_on() {
    let server = server();
    let client = passerelle::connect(server.address()).expect("it is an address");
    client.create_attribute("age", AttributeType::Int64, None).await.expect("it is created");
    client.create_attribute("city", AttributeType::String, None).await.expect("it is created");
    let destination = v1::Destination {
        sync_type: v1::destination::SyncType::ProfileSync as i32,
        mappings: mapped_to("city"),
        ..Default::default()
    };
    let create = v1::CreateDestinationRequest {
        parent: client.instance().to_owned(),
        destination_id: "crm".to_owned(),
        destination: Some(destination),
        ..Default::default()
    };
    client.call(create).await.expect("it is created");
    let changed =
        v1::Destination { name: client.name("destinations/crm"), mappings: mapped_to("age"), ..Default::default() };
    let update_mask = Some(prost_types::FieldMask { paths: vec!["mappings".to_owned()] });
    let update = v1::UpdateDestinationRequest { destination: Some(changed), update_mask, ..Default::default() };
    let row = async |number: i64| {
        // The rows before are sent.
        if number == 3 {
            client.call(update.clone()).await.expect("it is changed");
        }
        Row::new().identity("external_id", number.to_string()).field("field", number.to_string())
    };
    let rows = futures_util::stream::iter(0..6).then(row);
    let sync = client.sync_profiles("crm", Source::from_stream(rows)).identities(["external_id"]).fields(["field"]);
    let result = sync.stream("changes").batch_records(1).await.expect("it goes on");
    assert_eq!((result.reconnects, result.total_records, result.totals["NOT_FOUND"]), (1, 6, 6));
}

#[tokio::test]
async fn a_deadline_may_be_as_far_as_there_is() {
    let server = server();
    let client = passerelle::connect(server.address()).expect("it is an address");
    let get = v1::GetInstanceRequest { name: client.instance().to_owned(), ..Default::default() };
    client.call_within(get, std::time::Duration::MAX).await.expect("it is there");
}

#[tokio::test]
async fn errors_tell_reason_and_place() {
    let server = server();
    let client = passerelle::connect(server.address()).expect("it is an address");
    let get = v1::GetAudienceRequest { name: client.name("audiences/none"), ..Default::default() };
    let error = client.call(get.clone()).await.expect_err("there is none");
    assert_eq!((error.code(), error.reason()), (Some(Code::NotFound), "RESOURCE_NOT_FOUND"));
    let status = client.audience_service().get_audience(get).await.expect_err("there is none");
    assert_eq!(Error::from(status).reason(), "RESOURCE_NOT_FOUND");
    let create = v1::CreateAudienceRequest { parent: client.instance().to_owned(), ..Default::default() };
    let error = client.call(create).await.expect_err("it has no id");
    let fields: Vec<&str> =
        error.call().expect("a call failed").field_violations.iter().map(|each| each.field.as_str()).collect();
    assert_eq!(fields, ["audience_id"]);
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable() {
    let address = server().address().to_owned();
    let client = passerelle::connect(&address).expect("it is an address");
    let error = client.attribute_types().await.expect_err("nobody is there");
    assert_eq!(error.code(), Some(Code::Unavailable), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
    let rows = [Row::new().identity("external_id", "1")];
    let import = client.import_profiles(rows).identities(["external_id"]).stream("gone");
    let error = import.retry_for(std::time::Duration::from_millis(300)).await.expect_err("nobody is there");
    assert!(error.retryable(), "{error}");
}

#[tokio::test]
async fn a_test_server_is_there_until_it_is_dropped_and_leaves_nothing() {
    let server = server();
    let (address, directory) = (server.address().to_owned(), server.directory().to_owned());
    assert!(std::net::TcpStream::connect(&address).is_ok() && directory.join("data").exists());
    drop(server);
    assert!(std::net::TcpStream::connect(&address).is_err(), "it is there still");
    assert!(!directory.exists(), "its data is there still");
}

#[test]
fn a_test_server_that_does_not_start_says_why() {
    let error = TestServer::start_with(&["--no-such-option"]).expect_err("there is no such option");
    assert!(error.to_string().contains("no-such-option"), "{error}");
}
