package dev.passerelle;

import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.ManagedChannelProvider.ProviderNotFoundException;
import java.util.concurrent.TimeUnit;

/** Channels as every client of Passerelle has them. */
final class ChannelMaker {
  static final int MESSAGE_BYTES = 16 * 1024 * 1024;
  // A connection that went silent is given up after both; the server takes pings 10 s apart and more.
  private static final int KEEPALIVE_SECONDS = 30;
  private static final int KEEPALIVE_TIMEOUT_SECONDS = 20;

  private ChannelMaker() {}

  static ManagedChannel open(String target, Security security) {
    boolean local = Target.isLocal(target);
    ManagedChannelBuilder<?> builder = builderOf(target, security)
        .defaultServiceConfig(ServiceConfig.read())
        .enableRetry()
        .disableServiceConfigLookUp()
        .maxInboundMessageSize(MESSAGE_BYTES)
        .keepAliveTime(KEEPALIVE_SECONDS, TimeUnit.SECONDS)
        .keepAliveTimeout(KEEPALIVE_TIMEOUT_SECONDS, TimeUnit.SECONDS)
        .userAgent("passerelle-java/" + Client.VERSION);
    if (security.serverName() != null) {
      builder.overrideAuthority(security.serverName());
    } else if (target.startsWith("unix:")) {
      // Otherwise the path, which is no name that HTTP/2 servers take.
      builder.overrideAuthority("localhost");
    }
    if (local) {
      builder.proxyDetector(address -> null);
    }
    return builder.build();
  }

  private static ManagedChannelBuilder<?> builderOf(String target, Security security) {
    try {
      return Grpc.newChannelBuilder(Target.forGrpc(target), security.credentials());
    } catch (ProviderNotFoundException unusable) {
      throw new IllegalArgumentException("no connection to " + target + " can be made: " + unusable.getMessage(), unusable);
    }
  }
}
