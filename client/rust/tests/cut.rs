//! Servers that end where a real one does at no moment that a test could choose.

use std::time::Duration;

use h2::SendStream;
use h2::server::{Connection, SendResponse};
use passerelle::{Client, Row, v1};
use prost::Message;
use prost::bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot::Receiver;
use tonic::Code;

/// A message as gRPC sends it.
fn framed(message: &impl Message) -> Vec<u8> {
    let body = message.encode_to_vec();
    let mut frame = vec![0];
    frame.extend((body.len() as u32).to_be_bytes());
    frame.extend(body);
    frame
}

fn batch(sequence: i64) -> Vec<u8> {
    let rows = vec![v1::LogEntry { sequence, reason_message: "m".repeat(1_000), ..Default::default() }];
    framed(&v1::ExportLogsResponse { rows, cursor: sequence.to_string(), sequence, ..Default::default() })
}

/// How every export begins; it is to end with the row of this sequence.
fn export_header(end_sequence: i64) -> Vec<u8> {
    let header = v1::export_logs_response::Header { end_sequence, ..Default::default() };
    framed(&v1::ExportLogsResponse { header: Some(header), cursor: "0".to_owned(), ..Default::default() })
}

fn members_header() -> Vec<u8> {
    let message = Some(v1::stream_members_response::Message::Header(Default::default()));
    framed(&v1::StreamMembersResponse { message, resume_token: "header".to_owned() })
}

fn members_trailer() -> Vec<u8> {
    let trailer = v1::stream_members_response::Trailer { end_token: "end".to_owned(), ..Default::default() };
    let message = Some(v1::stream_members_response::Message::Trailer(trailer));
    framed(&v1::StreamMembersResponse { message, resume_token: "trailer".to_owned() })
}

fn answer() -> http::Response<()> {
    http::Response::builder().header("content-type", "application/grpc").body(()).expect("it is a response")
}

/// One batch and half of the next.
fn begin(call: &mut SendResponse<Bytes>) -> SendStream<Bytes> {
    let mut stream = call.send_response(answer(), false).expect("the call is there");
    stream
        .send_data([&export_header(2), &batch(1)[..], &batch(2)[..500]].concat().into(), false)
        .expect("the call is there");
    stream
}

/// Messages, and how the call ended.
fn give(mut call: SendResponse<Bytes>, messages: Vec<u8>, status: &'static str) {
    let mut stream = call.send_response(answer(), false).expect("the call is there");
    stream.send_data(messages.into(), false).expect("the call is there");
    let status = http::HeaderValue::from_static(status);
    let trailers = http::HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), status)]);
    stream.send_trailers(trailers).expect("the call is there");
}

/// Answers the first call in part, until it is told to give up, and every other one to the end. Gives the number of calls.
async fn serve(listener: TcpListener, mut give_up: Receiver<()>) -> usize {
    let (socket, _) = listener.accept().await.expect("a client comes");
    let mut connection: Connection<TcpStream, Bytes> = h2::server::handshake(socket).await.expect("it speaks HTTP/2");
    let (_, mut call) = connection.accept().await.expect("a call comes").expect("it is one");
    let mut begun = Some(begin(&mut call));
    let mut calls = 1;
    loop {
        tokio::select! {
            next = connection.accept() => match next {
                Some(Ok((_, call))) => give(call, [export_header(2), batch(2)].concat(), "0"),
                _ => return calls,
            },
            // Not an error, says HTTP/2, and yet not the end of the message.
            _ = &mut give_up, if begun.is_some() => {
                begun.take().expect("it is there").send_reset(h2::Reason::NO_ERROR);
                continue;
            }
        }
        calls += 1;
    }
}

#[tokio::test]
async fn an_export_goes_on_after_an_end_in_the_middle_of_a_message() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it has one").to_string();
    let (tell, told) = tokio::sync::oneshot::channel();
    let server = tokio::spawn(serve(listener, told));
    let client = Client::at(address).connect().expect("it is an address");
    let mut batches = client.export_logs().start();
    assert_eq!(batches.next().await.expect("there is one").expect("it is whole").sequence, 1);
    tell.send(()).expect("the server waits for it");
    let rest = batches.collect().await.expect("it goes on");
    assert_eq!(rest.iter().map(|batch| batch.sequence).collect::<Vec<_>>(), [2]);
    drop((rest, client));
    assert_eq!(server.await.expect("it ends with the connection"), 2);
}

/// Says of each opening that the stream is one record further, up to 3, and breaks off before it acknowledges any.
async fn accept_in_silence(listener: TcpListener) -> i64 {
    let (socket, _) = listener.accept().await.expect("a client comes");
    let mut connection: Connection<TcpStream, Bytes> = h2::server::handshake(socket).await.expect("it speaks HTTP/2");
    let mut calls = 0;
    while let Some(Ok((_, call))) = connection.accept().await {
        let opened = v1::StreamOpened { next_offset: calls.min(3), ..Default::default() };
        let message = v1::import_profiles_response::Message::Opened(opened);
        give(call, framed(&v1::ImportProfilesResponse { message: Some(message) }), "14");
        calls += 1;
    }
    calls
}

#[tokio::test]
async fn an_ingest_is_patient_while_its_stream_gets_on_though_no_acknowledgement_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it has one").to_string();
    let server = tokio::spawn(accept_in_silence(listener));
    let client = Client::at(address).connect().expect("it is an address");
    let rows = (0..9).map(|number| Row::new().identity("external_id", number.to_string()));
    let import = client.import_profiles(rows).identities(["external_id"]).stream("people");
    // One failure without progress is enough.
    let error = import.retry_for(Duration::from_nanos(1)).await.expect_err("it does not get to the end");
    assert!(error.retryable(), "{error}");
    drop(client);
    assert_eq!(server.await.expect("it ends with the connection"), 5);
}

/// A client of a server that answers call after call with these messages and this status, the last of them for ever; and
/// the server, which gives the number of calls once the client is gone.
async fn scripted(answers: Vec<(Vec<u8>, &'static str)>) -> (Client, tokio::task::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it has one").to_string();
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.expect("a client comes");
        let mut connection: Connection<TcpStream, Bytes> =
            h2::server::handshake(socket).await.expect("it speaks HTTP/2");
        let mut calls = 0;
        while let Some(Ok((_, call))) = connection.accept().await {
            let (messages, status) = answers[calls.min(answers.len() - 1)].clone();
            give(call, messages, status);
            calls += 1;
        }
        calls
    });
    (Client::at(address).connect().expect("it is an address"), server)
}

/// One failure without progress is enough.
const IMPATIENT: Duration = Duration::from_nanos(1);

/// Nothing that is asked for once more after it would be a success.
const REFUSED: &str = "3";

#[tokio::test]
async fn members_that_end_after_their_header_get_nothing_on() {
    for status in ["0", "14"] {
        let header = || (members_header(), status);
        let (client, server) = scripted(vec![header(), header(), (Vec::new(), REFUSED)]).await;
        let mut members = client.stream_members("vip", "email").retry_for(IMPATIENT).start();
        let error = members.next().await.expect("it does not end well").expect_err("there is no member");
        assert_eq!(error.code(), Some(Code::Unavailable), "{error}");
        drop((members, client));
        assert_eq!(server.await.expect("it ends with the connection"), 2, "after {status}");
    }
}

#[tokio::test]
async fn members_are_whole_once_their_trailer_came() {
    let whole = [members_header(), members_trailer()].concat();
    let (client, server) = scripted(vec![(whole, "14"), (Vec::new(), REFUSED)]).await;
    let mut members = client.stream_members("vip", "email").start();
    assert!(members.next().await.is_none());
    assert_eq!(members.end_token().as_deref(), Some("end"));
    drop((members, client));
    assert_eq!(server.await.expect("it ends with the connection"), 1);
}

#[tokio::test]
async fn an_export_that_ends_before_its_end_goes_on() {
    let (client, server) = scripted(vec![
        (Vec::new(), "0"),
        ([export_header(2), batch(1)].concat(), "0"),
        ([export_header(2), batch(2)].concat(), "0"),
        (Vec::new(), REFUSED),
    ])
    .await;
    let batches = client.export_logs().start().collect().await.expect("it goes on");
    assert_eq!(batches.iter().map(|batch| batch.sequence).collect::<Vec<_>>(), [1, 2]);
    drop((batches, client));
    assert_eq!(server.await.expect("it ends with the connection"), 3);
}

#[tokio::test]
async fn an_export_that_follows_has_no_end() {
    let (client, server) =
        scripted(vec![([export_header(1), batch(1)].concat(), "0"), (export_header(1), "0"), (Vec::new(), REFUSED)])
            .await;
    let mut batches = client.export_logs().follow().retry_for(IMPATIENT).start();
    assert_eq!(batches.next().await.expect("there is one").expect("it is whole").sequence, 1);
    let error = batches.next().await.expect("it does not end well").expect_err("there is no other");
    assert_eq!(error.code(), Some(Code::Unavailable), "{error}");
    drop((batches, client));
    assert_eq!(server.await.expect("it ends with the connection"), 2);
}
