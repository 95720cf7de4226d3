package dev.passerelle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.passerelle.testing.TestServer;
import dev.passerelle.v1.AttributeType;
import dev.passerelle.v1.Destination;
import dev.passerelle.v1.DestinationAudience;
import dev.passerelle.v1.Profile;
import dev.passerelle.v1.RowOutcome;
import dev.passerelle.v1.RowReason;
import io.grpc.Status;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IngestTest extends RunningServer {
  @Test
  void everyRowIsReceivedOnceAndARunAgainBringsNothing() {
    List<Row> rows = people("once", 5_000);
    IngestResult first = client.importProfiles(rows, cities().stream("once"));
    assertEquals(Map.of("CREATED", 5_000L), first.counts());
    assertEquals(5_000, first.received());
    assertFalse(first.commitToken().isEmpty());
    IngestResult again = client.importProfiles(rows, cities().stream("once"));
    assertEquals(0, again.received());
    assertEquals(5_000, again.totalRecords());
    assertEquals(first.counts(), again.totals());
  }

  @Test
  void aShorterSourceThanTheStreamIsTold() {
    List<Row> rows = people("short", 10);
    client.importProfiles(rows, cities().stream("short"));
    PasserelleException failure = assertThrows(
        PasserelleException.class, () -> client.importProfiles(rows.subList(0, 4), cities().stream("short")));
    assertEquals("TOTAL_MISMATCH", failure.reason());
  }

  @Test
  void itGoesOnAfterTheServerWasKilledAndBatchesAreCutAnew(@TempDir Path directory) {
    List<Row> rows = people("killed", 20_000);
    try (TestServer first = TestServer.startIn(directory); Client before = first.connect()) {
      before.createAttribute("city", AttributeType.ATTRIBUTE_TYPE_STRING);
      IngestOptions options = cities().stream("big").batchRecords(500).retryFor(Duration.ofMillis(500))
          .onProgress(durable -> {
            if (durable >= 5_000) {
              first.kill();
            }
          });
      PasserelleException failure =
          assertThrows(PasserelleException.class, () -> before.importProfiles(rows, options));
      assertTrue(failure.retryable(), failure.getMessage());
    }
    try (TestServer second = TestServer.startIn(directory); Client after = second.connect()) {
      RowSource<Row> source = offset -> rows.listIterator((int) offset);
      IngestResult result = after.importProfiles(source, cities().stream("big").batchRecords(333));
      assertEquals(20_000, result.totalRecords());
      assertTrue(result.received() > 0 && result.received() <= 15_000, result.toString());
      assertEquals(Map.of("CREATED", 20_000L), result.totals());
    }
  }

  @Test
  void badValuesAreBadRowsAndNothingElse() {
    client.createAttribute("score", AttributeType.ATTRIBUTE_TYPE_DOUBLE);
    List<Row> rows = List.of(
        Row.of("external_id", "good-1").with("city", "Paris").withRecordKey("1"),
        Row.of("external_id", "bad-1").with("city", new byte[] {-1, -2}).withRecordKey("2"),
        Row.of("external_id", "bad-2").with("city", "a\0b").withRecordKey("3"),
        Row.of("external_id", "bad-4").with("score", Double.NaN).withRecordKey("4"),
        Row.of(Map.of("external_id", "bad-5", "email", "not an address")).withRecordKey("5"),
        Row.of(Map.of()).with("city", "nobody").withRecordKey("6"),
        Row.of("external_id", "good-2").with("score", 1.5).withRecordKey("7"));
    IngestOptions options = new IngestOptions().identities("external_id", "email").fields("city", "score");
    IngestResult result = client.importProfiles(rows, options.stream("bad-values"));
    assertEquals(Map.of("CREATED", 2L, "REJECTED", 5L), result.counts());
    List<RowReason> reasons = result.rows().stream().map(RowOutcome::getReason).toList();
    assertEquals(
        List.of(
            RowReason.ROW_REASON_NOT_UTF8,
            RowReason.ROW_REASON_CONTAINS_NUL,
            RowReason.ROW_REASON_NOT_FINITE,
            RowReason.ROW_REASON_MALFORMED_EMAIL,
            RowReason.ROW_REASON_IDENTITY_MISSING),
        reasons);
    assertEquals(List.of("2", "3", "4", "5", "6"), result.rows().stream().map(RowOutcome::getRecordKey).toList());
  }

  @Test
  void rowsThatWereNotOpenedForAreRefusedHere() {
    assertRefused("record 0: 'emial' was not opened", Row.of("emial", "x"));
    assertRefused("record 0: 'town' was not opened", Row.of("external_id", "x").with("town", "Paris"));
    IngestOptions misplaced = cities().audiences("vip");
    assertThrows(IllegalArgumentException.class, () -> client.importProfiles(List.of(), misplaced));
    assertThrows(IllegalArgumentException.class, () -> client.appendLogs(List.of(), cities()));
  }

  private void assertRefused(String words, Row row) {
    String said = assertThrows(
        IllegalArgumentException.class, () -> client.importProfiles(List.of(row), cities())).getMessage();
    assertEquals(words, said);
  }

  @Test
  void nullClearsAndAnAbsentFieldIsLeftAlone() {
    client.createAttribute("age", AttributeType.ATTRIBUTE_TYPE_INT64);
    IngestOptions options = new IngestOptions().identities("external_id").fields("city", "age");
    client.importProfiles(List.of(Row.of("external_id", "nul").with("city", "Paris").with("age", 3)), options);
    client.importProfiles(List.of(Row.of("external_id", "nul").with("age", null)), options);
    Profile profile = lookup("nul");
    assertEquals("Paris", profile.getAttributesOrThrow("city").getStringValue());
    assertFalse(profile.containsAttributes("age"));
  }

  @Test
  void wideRowsAreCutToWhatTheServerTakes() {
    List<String> names = IntStream.range(0, 8).mapToObj(i -> "wide_" + i).toList();
    names.forEach(name -> client.createAttribute(name, AttributeType.ATTRIBUTE_TYPE_STRING));
    Map<String, String> values = new LinkedHashMap<>();
    names.forEach(name -> values.put(name, "x".repeat(7_000)));
    List<Row> rows = IntStream.range(0, 200)
        .mapToObj(i -> Row.of(Map.of("external_id", "wide-" + i), values)).toList();
    IngestOptions options = new IngestOptions().identities("external_id").fields(names.toArray(new String[0]));
    assertEquals(Map.of("CREATED", 200L), client.importProfiles(rows, options.stream("wide")).counts());
  }

  @Test
  void everyTypeOfValueComesBackToAMemberStream() {
    Map<String, AttributeType> types = new LinkedHashMap<>();
    Map<String, Object> values = new LinkedHashMap<>();
    List<Object> samples = Arrays.asList(
        "É", Long.MIN_VALUE, -0.5, false, Instant.ofEpochSecond(1_700_000_000, 123_456_000), LocalDate.EPOCH, List.of("a", ""));
    for (AttributeType type : AttributeType.values()) {
      if (type != AttributeType.UNRECOGNIZED && type != AttributeType.ATTRIBUTE_TYPE_UNSPECIFIED) {
        types.put("t_" + type.getNumber(), type);
        values.put("t_" + type.getNumber(), samples.get(type.getNumber() - 1));
      }
    }
    types.forEach(client::createAttribute);
    String[] names = types.keySet().toArray(new String[0]);
    createAudienceDestination("types");
    Row row = Row.of(Map.of("external_id", "typed"), values);
    client.importProfiles(List.of(row), new IngestOptions().identities("external_id").fields(names));
    IngestOptions push = new IngestOptions().identities("external_id").audiences("types");
    client.pushMembers("types", List.of(Row.of("external_id", "typed")), push);
    try (MemberStream members = client.streamMembers("types", "email", new MemberOptions().attributes(names))) {
      List<Member> all = members.stream().toList();
      assertEquals(1, all.size());
      assertEquals(values, all.get(0).attributes());
    }
  }

  @Test
  void aReplacedAudienceIsFollowedByAnIncremental() {
    IngestOptions people = new IngestOptions().identities("external_id");
    client.importProfiles(members(0, 1, 2, 3, 4), people);
    createAudienceDestination("rep");
    IngestOptions push = new IngestOptions().identities("external_id").audiences("rep");
    client.pushMembers("rep", members(0, 1, 2), push);
    String since;
    try (MemberStream full = client.streamMembers("rep", "email")) {
      assertEquals(3, full.stream().count());
      since = full.endToken();
    }
    IngestResult replaced = client.pushMembers("rep", members(1, 2, 3, 4), push.stream("rep-1").replace());
    assertEquals(Map.of("UNCHANGED", 2L, "REALIZED", 2L), replaced.counts());
    try (MemberStream changes = client.streamMembers("rep", "email", new MemberOptions().since(since))) {
      List<String> said = changes.stream()
          .map(member -> member.identities().get("external_id") + " " + member.change()).sorted().toList();
      assertEquals(List.of("r-0 EXITED", "r-3 ENTERED", "r-4 ENTERED"), said);
      assertEquals(3, changes.trailer().orElseThrow().getStreamed());
    }
    List<Row> strangers = List.of(Row.of("external_id", "r-1"), Row.of("external_id", "stranger"));
    PasserelleException refused = assertThrows(
        PasserelleException.class, () -> client.pushMembers("rep", strangers, push.stream("rep-2").replace()));
    assertEquals("REPLACE_REFUSED", refused.reason());
  }

  private static List<Row> members(int... numbers) {
    return IntStream.of(numbers).mapToObj(i -> Row.of("external_id", "r-" + i)).toList();
  }

  @Test
  void fieldsThatAreMappedToAnotherTypeAreReadAnew() {
    client.createAttribute("age", AttributeType.ATTRIBUTE_TYPE_INT64);
    createDestination("re-sync", mapped("city").setSyncType(Destination.SyncType.SYNC_TYPE_PROFILE_SYNC));
    createDestination("re-push", mapped("city").setSyncType(Destination.SyncType.SYNC_TYPE_AUDIENCE_SYNC)
        .addAudiences(DestinationAudience.newBuilder().setSourceId("re-push")));
    IngestOptions options = new IngestOptions().identities("external_id").fields("field").batchRecords(1);
    assertWentOn(client.syncProfiles("re-sync", remapping("re-sync"), options.stream("re-sync")));
    options.audiences("re-push").stream("re-push");
    assertWentOn(client.pushMembers("re-push", remapping("re-push"), options));
  }

  /** Rows of nobody. The destination is changed when the first are sent. */
  private RowSource<Row> remapping(String destination) {
    return offset -> LongStream.range(offset, 6).mapToObj(i -> {
      if (i == 3) {
        remap(destination, "age");
      }
      return Row.of("external_id", "remapped-" + i).with("field", "" + i);
    }).iterator();
  }

  private static void assertWentOn(IngestResult result) {
    assertEquals(1, result.reconnects());
    assertEquals(Map.of("NOT_FOUND", 6L), result.totals());
  }

  @Test
  void whatAListenerThrowsEndsTheIngestAndIsNotTakenForAFailedCall() {
    PasserelleException own = Failures.of(Status.UNAVAILABLE);
    IngestOptions options = cities().stream("listener").onProgress(durable -> {
      throw own;
    });
    assertSame(own, assertThrows(
        PasserelleException.class, () -> client.importProfiles(people("listener", 10), options)));
  }

  @Test
  void anInterruptedIngestEndsAndGoesOnLater() {
    List<Row> rows = people("interrupted", 4_000);
    IngestOptions options = cities().stream("interrupted").batchRecords(100)
        .onProgress(durable -> Thread.currentThread().interrupt());
    PasserelleException failure =
        assertThrows(PasserelleException.class, () -> client.importProfiles(rows, options));
    assertEquals(Status.Code.CANCELLED, failure.code());
    assertTrue(Thread.interrupted(), "the mark stays for the caller");
    IngestResult result = client.importProfiles(rows, cities().stream("interrupted"));
    assertEquals(Map.of("CREATED", 4_000L), result.totals());
  }
}
