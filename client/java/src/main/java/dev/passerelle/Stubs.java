package dev.passerelle;

import dev.passerelle.v1.AccessServiceGrpc;
import dev.passerelle.v1.AccessServiceGrpc.AccessServiceBlockingStub;
import dev.passerelle.v1.ActivationServiceGrpc;
import dev.passerelle.v1.ActivationServiceGrpc.ActivationServiceBlockingStub;
import dev.passerelle.v1.AudienceServiceGrpc;
import dev.passerelle.v1.AudienceServiceGrpc.AudienceServiceBlockingStub;
import dev.passerelle.v1.AudienceSyncServiceGrpc;
import dev.passerelle.v1.AudienceSyncServiceGrpc.AudienceSyncServiceBlockingStub;
import dev.passerelle.v1.AuditServiceGrpc;
import dev.passerelle.v1.AuditServiceGrpc.AuditServiceBlockingStub;
import dev.passerelle.v1.DestinationServiceGrpc;
import dev.passerelle.v1.DestinationServiceGrpc.DestinationServiceBlockingStub;
import dev.passerelle.v1.InstanceServiceGrpc;
import dev.passerelle.v1.InstanceServiceGrpc.InstanceServiceBlockingStub;
import dev.passerelle.v1.LogServiceGrpc;
import dev.passerelle.v1.LogServiceGrpc.LogServiceBlockingStub;
import dev.passerelle.v1.MaintenanceServiceGrpc;
import dev.passerelle.v1.MaintenanceServiceGrpc.MaintenanceServiceBlockingStub;
import dev.passerelle.v1.PrivacyServiceGrpc;
import dev.passerelle.v1.PrivacyServiceGrpc.PrivacyServiceBlockingStub;
import dev.passerelle.v1.ProfileServiceGrpc;
import dev.passerelle.v1.ProfileServiceGrpc.ProfileServiceBlockingStub;
import dev.passerelle.v1.ProfileSyncServiceGrpc;
import dev.passerelle.v1.ProfileSyncServiceGrpc.ProfileSyncServiceBlockingStub;
import dev.passerelle.v1.SourceServiceGrpc;
import dev.passerelle.v1.SourceServiceGrpc.SourceServiceBlockingStub;
import dev.passerelle.v1.StreamServiceGrpc;
import dev.passerelle.v1.StreamServiceGrpc.StreamServiceBlockingStub;
import dev.passerelle.v1.SuppressionServiceGrpc;
import dev.passerelle.v1.SuppressionServiceGrpc.SuppressionServiceBlockingStub;
import io.grpc.Channel;

/**
 * One generated stub for each service. Their comments are the manual; {@link Client#call} types the errors of their calls.
 * Thread-safe.
 *
 * @param access credentials and roles
 * @param activation members
 * @param audiences audiences and their counts
 * @param audienceSync audiences pushed in
 * @param audit the audit trail
 * @param destinations destinations
 * @param instances instances, attributes, identity namespaces
 * @param logs deliveries, logs, reports
 * @param maintenance backups and examinations
 * @param privacy copies and erasures
 * @param profiles profiles
 * @param profileSync attributes kept in step
 * @param sources sources and consumers
 * @param streams write streams and row outcomes
 * @param suppressions who must not be reached
 */
public record Stubs(
    AccessServiceBlockingStub access,
    ActivationServiceBlockingStub activation,
    AudienceServiceBlockingStub audiences,
    AudienceSyncServiceBlockingStub audienceSync,
    AuditServiceBlockingStub audit,
    DestinationServiceBlockingStub destinations,
    InstanceServiceBlockingStub instances,
    LogServiceBlockingStub logs,
    MaintenanceServiceBlockingStub maintenance,
    PrivacyServiceBlockingStub privacy,
    ProfileServiceBlockingStub profiles,
    ProfileSyncServiceBlockingStub profileSync,
    SourceServiceBlockingStub sources,
    StreamServiceBlockingStub streams,
    SuppressionServiceBlockingStub suppressions) {

  static Stubs of(Channel channel) {
    return new Stubs(
        AccessServiceGrpc.newBlockingStub(channel),
        ActivationServiceGrpc.newBlockingStub(channel),
        AudienceServiceGrpc.newBlockingStub(channel),
        AudienceSyncServiceGrpc.newBlockingStub(channel),
        AuditServiceGrpc.newBlockingStub(channel),
        DestinationServiceGrpc.newBlockingStub(channel),
        InstanceServiceGrpc.newBlockingStub(channel),
        LogServiceGrpc.newBlockingStub(channel),
        MaintenanceServiceGrpc.newBlockingStub(channel),
        PrivacyServiceGrpc.newBlockingStub(channel),
        ProfileServiceGrpc.newBlockingStub(channel),
        ProfileSyncServiceGrpc.newBlockingStub(channel),
        SourceServiceGrpc.newBlockingStub(channel),
        StreamServiceGrpc.newBlockingStub(channel),
        SuppressionServiceGrpc.newBlockingStub(channel));
  }
}
