package dev.passerelle;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import dev.passerelle.v1.AppendLogsRequest;
import dev.passerelle.v1.AppendLogsResponse;
import dev.passerelle.v1.AttributeType;
import dev.passerelle.v1.AudienceSyncServiceGrpc;
import dev.passerelle.v1.ImportProfilesRequest;
import dev.passerelle.v1.ImportProfilesResponse;
import dev.passerelle.v1.LogEntry;
import dev.passerelle.v1.LogServiceGrpc;
import dev.passerelle.v1.MembershipStatus;
import dev.passerelle.v1.ProfileServiceGrpc;
import dev.passerelle.v1.ProfileSyncServiceGrpc;
import dev.passerelle.v1.PushMembersRequest;
import dev.passerelle.v1.PushMembersResponse;
import dev.passerelle.v1.RawLogEntry;
import dev.passerelle.v1.StreamOptions;
import dev.passerelle.v1.SyncProfilesRequest;
import dev.passerelle.v1.SyncProfilesResponse;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The messages of the four ingests. */
final class IngestKinds {
  private IngestKinds() {}

  static IngestKind<Row, ImportProfilesRequest, ImportProfilesResponse> imports(
      String parent, IngestOptions options, Map<String, AttributeType> types) {
    ImportProfilesRequest.Open open = ImportProfilesRequest.Open.newBuilder()
        .setParent(parent).setStream(streamOf(options))
        .addAllIdentityNamespaces(options.identities).addAllFields(options.fields).build();
    RecordColumns columns = new RecordColumns(options.identities, types);
    return new IngestKind<>(
        ProfileServiceGrpc.getImportProfilesMethod(),
        ImportProfilesRequest.newBuilder().setOpen(open).build(),
        (offset, rows) -> ImportProfilesRequest.newBuilder().setBatch(importBatch(columns, offset, rows)).build(),
        finish -> ImportProfilesRequest.newBuilder().setFinish(finish).build(),
        IngestKinds::answer);
  }

  private static ImportProfilesRequest.Batch importBatch(RecordColumns columns, long offset, List<Row> rows) {
    ImportProfilesRequest.Batch.Builder batch = ImportProfilesRequest.Batch.newBuilder();
    batch.setOffset(offset).setRecords(rows.size());
    batch.addAllIdentities(columns.identities(offset, rows)).addAllColumns(columns.fields(offset, rows));
    columns.eventTimes(offset, rows).ifPresent(batch::setEventTimes);
    columns.recordKeys(offset, rows).ifPresent(batch::setRecordKeys);
    return batch.build();
  }

  private static IngestKind.Answer answer(ImportProfilesResponse message) {
    return new IngestKind.Answer(
        message.hasOpened() ? message.getOpened() : null,
        message.hasAck() ? message.getAck() : null,
        message.hasFinished() ? message.getFinished() : null);
  }

  static IngestKind<Row, SyncProfilesRequest, SyncProfilesResponse> syncs(
      String destination, IngestOptions options, Map<String, AttributeType> types) {
    SyncProfilesRequest.Open open = SyncProfilesRequest.Open.newBuilder()
        .setDestination(destination).setStream(streamOf(options))
        .addAllIdentityNamespaces(options.identities).addAllFields(options.fields).build();
    RecordColumns columns = new RecordColumns(options.identities, types);
    return new IngestKind<>(
        ProfileSyncServiceGrpc.getSyncProfilesMethod(),
        SyncProfilesRequest.newBuilder().setOpen(open).build(),
        (offset, rows) -> SyncProfilesRequest.newBuilder().setBatch(syncBatch(columns, offset, rows)).build(),
        finish -> SyncProfilesRequest.newBuilder().setFinish(finish).build(),
        IngestKinds::answer);
  }

  private static SyncProfilesRequest.Batch syncBatch(RecordColumns columns, long offset, List<Row> rows) {
    SyncProfilesRequest.Batch.Builder batch = SyncProfilesRequest.Batch.newBuilder();
    batch.setOffset(offset).setRecords(rows.size());
    batch.addAllIdentities(columns.identities(offset, rows)).addAllColumns(columns.fields(offset, rows));
    columns.eventTimes(offset, rows).ifPresent(batch::setEventTimes);
    columns.recordKeys(offset, rows).ifPresent(batch::setRecordKeys);
    return batch.build();
  }

  private static IngestKind.Answer answer(SyncProfilesResponse message) {
    return new IngestKind.Answer(
        message.hasOpened() ? message.getOpened() : null,
        message.hasAck() ? message.getAck() : null,
        message.hasFinished() ? message.getFinished() : null);
  }

  static IngestKind<Row, PushMembersRequest, PushMembersResponse> pushes(
      String destination, IngestOptions options, Map<String, AttributeType> types) {
    PushMembersRequest.Open.Builder open = PushMembersRequest.Open.newBuilder()
        .setDestination(destination).setStream(streamOf(options))
        .addAllIdentityNamespaces(options.identities).addAllFields(options.fields)
        .addAllAudiences(options.audiences);
    if (options.replace) {
      open.setReplace(replaceOf(options));
    }
    RecordColumns columns = new RecordColumns(options.identities, types);
    Audiences audiences = Audiences.of(options.audiences);
    return new IngestKind<>(
        AudienceSyncServiceGrpc.getPushMembersMethod(),
        PushMembersRequest.newBuilder().setOpen(open).build(),
        (offset, rows) ->
            PushMembersRequest.newBuilder().setBatch(pushBatch(columns, audiences, offset, rows)).build(),
        finish -> PushMembersRequest.newBuilder().setFinish(finish).build(),
        IngestKinds::answer);
  }

  private static PushMembersRequest.Replace replaceOf(IngestOptions options) {
    PushMembersRequest.Replace.Builder replace = PushMembersRequest.Replace.newBuilder();
    if (options.asOf != null) {
      replace.setAsOf(Times.toProto(options.asOf));
    }
    if (options.maxRefusedPercent != null) {
      replace.setMaxRefusedPercent(options.maxRefusedPercent);
    }
    return replace.build();
  }

  private static PushMembersRequest.Batch pushBatch(
      RecordColumns columns, Audiences audiences, long offset, List<Row> rows) {
    PushMembersRequest.Batch.Builder batch = PushMembersRequest.Batch.newBuilder();
    batch.setOffset(offset).setRecords(rows.size());
    batch.addAllIdentities(columns.identities(offset, rows)).addAllColumns(columns.fields(offset, rows));
    columns.eventTimes(offset, rows).ifPresent(batch::setEventTimes);
    columns.recordKeys(offset, rows).ifPresent(batch::setRecordKeys);
    columns.qualificationTimes(offset, rows).ifPresent(batch::setQualificationTimes);
    for (int i = 0; i < rows.size(); i++) {
      int index = audiences.indexOf(rows.get(i), offset + i);
      if (audiences.several) {
        batch.addAudienceIndexes(index);
      }
    }
    if (rows.stream().anyMatch(Row::exited)) {
      rows.forEach(row -> batch.addStatuses(statusOf(row)));
    }
    return batch.build();
  }

  /** Index by source_id; a row that names none is in the first. */
  private record Audiences(Map<String, Integer> indexes, boolean several) {
    static Audiences of(List<String> sourceIds) {
      Map<String, Integer> indexes = new HashMap<>();
      for (int i = 0; i < sourceIds.size(); i++) {
        indexes.put(sourceIds.get(i), i);
      }
      indexes.put("", 0);
      return new Audiences(indexes, sourceIds.size() > 1);
    }

    int indexOf(Row row, long offset) {
      Integer index = indexes.get(row.audience());
      if (index == null) {
        throw new IllegalArgumentException("record " + offset + ": audience '" + row.audience() + "' was not opened");
      }
      return index;
    }
  }

  private static MembershipStatus statusOf(Row row) {
    return row.exited()
        ? MembershipStatus.MEMBERSHIP_STATUS_EXITED
        : MembershipStatus.MEMBERSHIP_STATUS_REALIZED;
  }

  private static IngestKind.Answer answer(PushMembersResponse message) {
    return new IngestKind.Answer(
        message.hasOpened() ? message.getOpened() : null,
        message.hasAck() ? message.getAck() : null,
        message.hasFinished() ? message.getFinished() : null);
  }

  static IngestKind<Message, AppendLogsRequest, AppendLogsResponse> appends(String parent, IngestOptions options) {
    AppendLogsRequest.Open open =
        AppendLogsRequest.Open.newBuilder().setParent(parent).setStream(streamOf(options)).build();
    return new IngestKind<>(
        LogServiceGrpc.getAppendLogsMethod(),
        AppendLogsRequest.newBuilder().setOpen(open).build(),
        (offset, rows) -> AppendLogsRequest.newBuilder().setBatch(logBatch(offset, rows)).build(),
        finish -> AppendLogsRequest.newBuilder().setFinish(finish).build(),
        IngestKinds::answer);
  }

  private static AppendLogsRequest.Batch logBatch(long offset, List<Message> rows) {
    AppendLogsRequest.Batch.Builder batch = AppendLogsRequest.Batch.newBuilder().setOffset(offset);
    for (int i = 0; i < rows.size(); i++) {
      batch.addRows(raw(rows.get(i), offset + i));
    }
    return batch.build();
  }

  /** A LogEntry and a RawLogEntry are the same on the wire. */
  private static RawLogEntry raw(Message row, long offset) {
    if (row instanceof RawLogEntry raw) {
      return raw;
    }
    if (!(row instanceof LogEntry)) {
      throw new IllegalArgumentException("record " + offset + ": wanted a LogEntry or RawLogEntry");
    }
    try {
      return RawLogEntry.parseFrom(row.toByteString());
    } catch (InvalidProtocolBufferException never) {
      throw new IllegalStateException(never);
    }
  }

  private static IngestKind.Answer answer(AppendLogsResponse message) {
    return new IngestKind.Answer(
        message.hasOpened() ? message.getOpened() : null,
        message.hasAck() ? message.getAck() : null,
        message.hasFinished() ? message.getFinished() : null);
  }

  private static StreamOptions streamOf(IngestOptions options) {
    return StreamOptions.newBuilder().setStream(options.stream).build();
  }
}
