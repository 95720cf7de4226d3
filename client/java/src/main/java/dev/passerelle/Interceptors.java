package dev.passerelle;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Context;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** What is added to every call. */
final class Interceptors {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private Interceptors() {}

  /** Sends the key with every call. gRPC's own credentials of calls may not be sent in plaintext. */
  static ClientInterceptor sendingKey(String key) {
    return new ClientInterceptor() {
      @Override
      public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
        return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
          @Override
          public void start(Listener<A> listener, Metadata headers) {
            headers.put(AUTHORIZATION, "Bearer " + key);
            super.start(listener, headers);
          }
        };
      }
    };
  }

  /** Refuses calls after the end of the channel: gRPC's own word for that, UNAVAILABLE, is what a loop tries again. */
  static ClientInterceptor requiringOpen(ManagedChannel channel) {
    return new ClientInterceptor() {
      @Override
      public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
        if (channel.isShutdown()) {
          throw new IllegalStateException("the client is closed");
        }
        return next.newCall(method, options);
      }
    };
  }

  /** Gives unary calls a deadline that have none of their own. */
  static ClientInterceptor withDeadline(Duration timeout) {
    return new ClientInterceptor() {
      @Override
      public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
        boolean free = options.getDeadline() == null && Context.current().getDeadline() == null;
        boolean unary = method.getType() == MethodDescriptor.MethodType.UNARY;
        CallOptions all = free && unary ? options.withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS) : options;
        return next.newCall(method, all);
      }
    };
  }
}
