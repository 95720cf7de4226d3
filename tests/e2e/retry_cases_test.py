"""Every retry case of every bidi ingest, spoken by hand against a live server: status, reason, state after."""

import uuid

import grpc
import live_server
import pytest
from ingest_call import KINDS, Call, expect_total, prepare, state_of, unary

live_server.use_client()

import passerelle  # noqa: E402
from passerelle.errors import PasserelleError  # noqa: E402
from passerelle.v1 import stream_service_pb2  # noqa: E402


@pytest.fixture(scope="module")
def server():
    with live_server.LiveServer() as running:
        with passerelle.connect(running.address) as client:
            prepare(client)
        yield running


@pytest.fixture
def client(server):
    with passerelle.connect(server.address) as connected:
        yield connected


@pytest.fixture
def name(request):
    return "s-" + uuid.uuid4().hex[:8]


@pytest.fixture(params=KINDS)
def begin(request, client):
    """Makes calls of one kind; ends them after the test."""
    calls = []

    def make() -> Call:
        calls.append(Call(client, request.param))
        return calls[-1]

    yield make
    for call in calls:
        call.close()


def test_a_late_retry_of_an_old_batch_is_known(begin, client, name):
    call = begin()
    assert call.open(name).next_offset == 0
    assert call.send(0, 10).received == 10
    assert call.send(10, 10).received == 10
    ack = call.send(0, 10)
    assert (ack.received, ack.already_known, ack.next_offset) == (0, 10, 20)
    expect_total(client, name, 20)


def test_a_gap_names_the_expected_offset(begin, client, name):
    call = begin()
    call.open(name)
    call.send(0, 10)
    call.batch(11, 5)
    status, reason, error = call.refusal()
    assert (status, reason) == ("OUT_OF_RANGE", "OFFSET_GAP")
    assert error.metadata["next_offset"] == "10"
    expect_total(client, name, 10)


def test_an_overlap_skips_what_is_known(begin, client, name):
    call = begin()
    call.open(name)
    call.send(0, 10)
    ack = call.send(6, 10)
    assert (ack.received, ack.already_known, ack.next_offset) == (6, 4, 16)
    assert not ack.overlap_unverified
    expect_total(client, name, 16)


def test_batches_cut_anew_after_a_restart_are_compared_record_by_record(begin, client, name):
    first = begin()
    first.open(name)
    for offset in range(0, 30, 10):
        first.send(offset, 10)
    again = begin()
    assert again.open(name, must_exist=True).next_offset == 30
    known = sum(again.send(offset, 7).already_known for offset in range(0, 35, 7))
    assert known == 30
    expect_total(client, name, 35)


def test_a_zombie_writer_is_fenced(begin, client, name):
    zombie = begin()
    old = zombie.open(name)
    zombie.send(0, 10)
    heir = begin()
    opened = heir.open(name)
    assert opened.epoch > old.epoch and opened.next_offset == 10
    heir.send(10, 5)
    zombie.batch(10, 5)
    assert zombie.refusal()[:2] == ("ABORTED", "EPOCH_FENCED")
    assert heir.send(15, 5).received == 5
    expect_total(client, name, 20)


def test_two_clients_on_one_stream_never_both_write(begin, client, name):
    calls = [begin() for _ in range(2)]
    for call in calls:
        call.open(name)
    calls[0].batch(0, 10)
    assert calls[0].refusal()[:2] == ("ABORTED", "EPOCH_FENCED")
    assert calls[1].send(0, 10).received == 10
    expect_total(client, name, 10)


def test_other_content_at_a_known_offset_names_the_stream(begin, client, name):
    call = begin()
    call.open(name)
    call.send(0, 10)
    call.batch(5, 10, salt="x")
    status, reason, error = call.refusal()
    assert (status, reason) == ("FAILED_PRECONDITION", "CONTENT_MISMATCH")
    assert name in error.message and "offset 5" in error.message
    expect_total(client, name, 10)


def test_a_batch_before_the_open_is_out_of_order(begin, client, name):
    call = begin()
    call.batch(0, 1)
    assert call.refusal()[:2] == ("INVALID_ARGUMENT", "MESSAGE_OUT_OF_ORDER")


def test_a_stream_that_must_exist_is_not_made(begin, client, name):
    call = begin()
    with pytest.raises(grpc.RpcError) as caught:
        call.open(name, must_exist=True)
    error = PasserelleError(caught.value)
    assert (error.code.name, error.reason) == ("NOT_FOUND", "STREAM_NOT_FOUND")
    with pytest.raises(PasserelleError):
        state_of(client, name)


def test_a_stream_deleted_under_its_writer_never_starts_at_0_by_itself(begin, client, name):
    call = begin()
    call.open(name)
    call.send(0, 10)
    client.call(
        client.stubs.streams.DeleteWriteStream,
        stream_service_pb2.DeleteWriteStreamRequest(name=client.name("writeStreams", name)),
    )
    call.batch(10, 5)
    assert call.refusal()[:2] == ("NOT_FOUND", "STREAM_NOT_FOUND")


def test_a_name_of_another_kind_is_refused(client, name):
    call = Call(client, "import")
    call.open(name)
    call.close()
    for kind in ("sync", "push", "append"):
        other = Call(client, kind)
        with pytest.raises(grpc.RpcError) as caught:
            other.open(name)
        error = PasserelleError(caught.value)
        assert (error.code.name, error.reason) == ("FAILED_PRECONDITION", "STREAM_KIND_MISMATCH")
        other.close()


def test_finish_with_another_total_finishes_nothing(begin, client, name):
    call = begin()
    call.open(name)
    call.send(0, 10)
    with pytest.raises(grpc.RpcError) as caught:
        call.finish(11)
    error = PasserelleError(caught.value)
    assert (error.code.name, error.reason) == ("FAILED_PRECONDITION", "TOTAL_MISMATCH")
    assert not state_of(client, name).finished


def test_a_finished_stream_answers_again_and_takes_nothing_new(begin, client, name):
    call = begin()
    call.open(name)
    call.send(0, 10)
    assert call.finish(10).total_records == 10
    again = begin()
    assert again.open(name).finished
    assert again.send(0, 10).already_known == 10
    assert again.finish(10).total_records == 10
    late = begin()
    late.open(name)
    late.batch(10, 1)
    assert late.refusal()[:2] == ("FAILED_PRECONDITION", "STREAM_FINISHED")
    expect_total(client, name, 10)


def test_an_end_without_finish_is_no_end(begin, client, name):
    call = begin()
    call.open(name)
    call.send(0, 10)
    call.out.put(None)
    status, reason, error = call.refusal()
    assert (status, reason) == ("INVALID_ARGUMENT", "UNREADABLE_MESSAGE")
    assert error.metadata["next_offset"] == "10"


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_id_is_answered_again_and_never_lent(client, kind):
    request_id = str(uuid.uuid4())
    first = unary(client, kind, request_id)
    again = unary(client, kind, request_id)
    assert again.repeated_request and not first.repeated_request
    assert list(again.counts) == list(first.counts) and list(again.rows) == list(first.rows)
    with pytest.raises(PasserelleError) as caught:
        unary(client, kind, request_id, salt="other")
    assert (caught.value.code.name, caught.value.reason) == ("ALREADY_EXISTS", "REQUEST_ID_REUSED")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("crash", [False, True])
def test_a_restart_changes_nothing_of_what_a_stream_answers(kind, crash, name, tmp_path):
    with live_server.LiveServer(str(tmp_path)) as first, passerelle.connect(first.address) as client:
        prepare(client)
        call = Call(client, kind)
        opened = call.open(name)
        call.send(0, 10)
        before = state_of(client, name)
        if crash:
            first.kill()
        else:
            call.close()
            assert first.stop() == 0
    with live_server.LiveServer(str(tmp_path)) as second, passerelle.connect(second.address) as client:
        assert state_of(client, name) == before
        again = Call(client, kind)
        reopened = again.open(name, must_exist=True)
        assert reopened.next_offset == 10 and reopened.epoch > opened.epoch
        assert again.send(5, 10).already_known == 5
        again.close()
        expect_total(client, name, 15)
