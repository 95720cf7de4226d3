import dev.passerelle.Client;
import dev.passerelle.ExportOptions;
import dev.passerelle.IngestOptions;
import dev.passerelle.LogBatch;
import dev.passerelle.LogExport;
import dev.passerelle.Member;
import dev.passerelle.MemberOptions;
import dev.passerelle.MemberStream;
import dev.passerelle.PasserelleException;
import dev.passerelle.Row;
import dev.passerelle.v1.*;
import java.util.List;
import java.util.stream.Stream;

/** The three flows in under a hundred lines. Needs a server: passerelled --data DIR --listen 127.0.0.1:7701 */
record ThreeFlows(Client client, String prefix) {
  public static void main(String[] arguments) {
    String prefix = "demo-" + System.currentTimeMillis() / 1000; // names of our own, so that it can be run again
    try (Client client = Client.connect(arguments.length > 0 ? arguments[0] : "127.0.0.1:7701")) {
      ThreeFlows flows = new ThreeFlows(client, prefix);
      flows.prepare();
      flows.audienceIn();
      flows.attributesInStep();
      flows.logsBack();
    } catch (PasserelleException failure) {
      System.err.println(failure.getMessage());
      System.exit(1);
    }
  }

  /** Three people with a city, and a consent for e-mail. */
  void prepare() {
    client.createAttribute("city", AttributeType.ATTRIBUTE_TYPE_STRING);
    client.createAttribute("email_opt_in", Consent.newBuilder().setChannel("email").build());
    Stream<Row> people = Stream.of(1, 2, 3).map(i -> Row.of("external_id", prefix + "-" + i).with("city", "Paris"));
    IngestOptions options = new IngestOptions().identities("external_id").fields("city").stream(prefix + "-people");
    System.out.println("imported: " + client.importProfiles(people.toList(), options).counts());
  }

  /** 1. The CDP pushes an audience; the campaign side streams its members. */
  void audienceIn() {
    create(prefix + "-vip", Destination.newBuilder().setSyncType(Destination.SyncType.SYNC_TYPE_AUDIENCE_SYNC)
        .addAudiences(DestinationAudience.newBuilder().setSourceId("VIP").setAudience(prefix + "-vip")));
    List<Row> rows = List.of(Row.of("external_id", prefix + "-1"), Row.of("external_id", prefix + "-2"));
    IngestOptions options = new IngestOptions().identities("external_id").audiences("VIP").stream(prefix + "-vip");
    System.out.println("pushed: " + client.pushMembers(prefix + "-vip", rows, options).counts());
    MemberOptions told = new MemberOptions().attributes("city");
    try (MemberStream members = client.streamMembers(prefix + "-vip", "email", told)) {
      for (Member member : members) {
        System.out.println("member: " + member.identities().get("external_id") + " " + member.attributes());
      }
    }
  }

  /** 2. The CDP changes attributes of people who exist; nobody is created. */
  void attributesInStep() {
    create(prefix + "-sync", Destination.newBuilder().setSyncType(Destination.SyncType.SYNC_TYPE_PROFILE_SYNC)
        .addMappings(FieldMapping.newBuilder().setSourceField("town").setAttribute("city"))
        .addMappings(FieldMapping.newBuilder().setSourceField("optin").setAttribute("email_opt_in")));
    List<Row> rows = List.of(Row.of("external_id", prefix + "-1").with("town", "Lyon"),
        Row.of("external_id", prefix + "-2").with("optin", false), Row.of("external_id", "nobody").with("town", "Lille"));
    IngestOptions options = new IngestOptions().identities("external_id").fields("town", "optin").stream(prefix + "-sync");
    System.out.println("synced: " + client.syncProfiles(prefix + "-sync", rows, options).counts());
    try (Stream<Member> members = client.streamMembers(prefix + "-vip", "email").stream()) {
      List<String> reachable = members.map(member -> member.identities().get("external_id")).toList();
      System.out.println("reachable by e-mail now: " + reachable);
    }
  }

  /** 3. The campaign side appends its logs; the CDP exports them. */
  void logsBack() {
    client.call(() -> client.stubs().logs().createDelivery(CreateDeliveryRequest.newBuilder()
        .setParent(client.instance()).setDeliveryId(prefix).setDelivery(Delivery.newBuilder().setChannel("email")).build()));
    LogEntry row = LogEntry.newBuilder().setKind(LogKind.LOG_KIND_DELIVERY).setDelivery(prefix).setBroadlogId(1)
        .setStatus(DeliveryStatus.DELIVERY_STATUS_SENT).setIdentityNamespace("external_id").setIdentity(prefix + "-1").build();
    System.out.println("appended: " + client.appendLogs(List.of(row), new IngestOptions().stream(prefix + "-log")).counts());
    ExportOptions options = new ExportOptions().filter(LogFilter.newBuilder().addDeliveries(prefix).build())
        .fields("event_time_us", "status", "identity");
    try (LogExport export = client.exportLogs(options)) {
      for (LogBatch batch : export) {
        batch.records().forEach(record -> System.out.println("exported: " + record));
      }
    }
  }

  void create(String name, Destination.Builder destination) {
    client.call(() -> client.stubs().destinations().createDestination(CreateDestinationRequest.newBuilder()
        .setParent(client.instance()).setDestinationId(name).setDestination(destination).build()));
  }
}
