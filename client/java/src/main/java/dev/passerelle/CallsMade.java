package dev.passerelle;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Context;
import io.grpc.MethodDescriptor;

/** What was called in one context: whether all of it may be made again. Thread-safe. */
final class CallsMade {
  private static final Context.Key<CallsMade> KEY = Context.key("passerelle-calls-made");

  private volatile boolean changing;

  /** A context in which calls are noted here. */
  Context in(Context context) {
    return context.withValue(KEY, this);
  }

  /** True if every call so far changes nothing. */
  boolean mayBeRepeated() {
    return !changing;
  }

  /** Notes each call in the context that it is made in. */
  static ClientInterceptor interceptor() {
    return new ClientInterceptor() {
      @Override
      public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
        CallsMade made = KEY.get();
        if (made != null && !ServiceConfig.repeats(method.getFullMethodName())) {
          made.changing = true;
        }
        return next.newCall(method, options);
      }
    };
  }
}
