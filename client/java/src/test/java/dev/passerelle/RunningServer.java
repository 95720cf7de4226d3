package dev.passerelle;

import com.google.protobuf.FieldMask;
import dev.passerelle.testing.TestServer;
import dev.passerelle.v1.AttributeType;
import dev.passerelle.v1.CreateDestinationRequest;
import dev.passerelle.v1.Destination;
import dev.passerelle.v1.DestinationAudience;
import dev.passerelle.v1.FieldMapping;
import dev.passerelle.v1.Identity;
import dev.passerelle.v1.LookupProfileRequest;
import dev.passerelle.v1.Profile;
import dev.passerelle.v1.UpdateDestinationRequest;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInstance;

/** One server for all tests of a class, and what they ask of it. */
@Tag("server")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class RunningServer {
  TestServer server;
  Client client;

  @BeforeAll
  void start() {
    server = TestServer.start("--heartbeat-ms", "100");
    client = server.connect();
    client.createAttribute("city", AttributeType.ATTRIBUTE_TYPE_STRING);
  }

  @AfterAll
  void stop() {
    client.close();
    server.close();
  }

  static List<Row> people(String prefix, int count) {
    return IntStream.range(0, count)
        .mapToObj(i -> Row.of("external_id", prefix + "-" + i).with("city", "city " + i % 7))
        .toList();
  }

  static IngestOptions cities() {
    return new IngestOptions().identities("external_id").fields("city");
  }

  void createAudienceDestination(String id) {
    createDestination(id, Destination.newBuilder()
        .setSyncType(Destination.SyncType.SYNC_TYPE_AUDIENCE_SYNC)
        .addAudiences(DestinationAudience.newBuilder().setSourceId(id)));
  }

  void createDestination(String id, Destination.Builder destination) {
    CreateDestinationRequest request = CreateDestinationRequest.newBuilder()
        .setParent(client.instance()).setDestinationId(id).setDestination(destination).build();
    client.call(() -> client.stubs().destinations().createDestination(request));
  }

  static Destination.Builder mapped(String attribute) {
    return Destination.newBuilder()
        .addMappings(FieldMapping.newBuilder().setSourceField("field").setAttribute(attribute));
  }

  void remap(String destination, String attribute) {
    UpdateDestinationRequest request = UpdateDestinationRequest.newBuilder()
        .setDestination(mapped(attribute).setName(client.name("destinations", destination)))
        .setUpdateMask(FieldMask.newBuilder().addPaths("mappings")).build();
    client.call(() -> client.stubs().destinations().updateDestination(request));
  }

  Profile lookup(String externalId) {
    LookupProfileRequest request = LookupProfileRequest.newBuilder()
        .setParent(client.instance())
        .setIdentity(Identity.newBuilder().setNamespace("external_id").setValue(externalId))
        .build();
    return client.call(() -> client.stubs().profiles().lookupProfile(request));
  }
}
