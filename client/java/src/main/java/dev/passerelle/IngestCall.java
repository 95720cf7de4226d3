package dev.passerelle;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ClientResponseObserver;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** One call with streams both ways: messages out, messages in one by one. For one thread. */
final class IngestCall<Q, A> implements AutoCloseable {
  private final Inbox<Q, A> inbox = new Inbox<>();
  private boolean left;

  IngestCall(Channel channel, MethodDescriptor<Q, A> method) {
    ClientCalls.asyncBidiStreamingCall(channel.newCall(method, CallOptions.DEFAULT), inbox);
  }

  void send(Q message) {
    inbox.call.onNext(message);
  }

  /** No more messages follow. */
  void sendLast(Q message) {
    inbox.call.onNext(message);
    inbox.call.onCompleted();
  }

  /** The next message. */
  A receive() throws Broken {
    try {
      return inbox.arrived.take().message();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new Broken(PasserelleException.cancelled("interrupted while it waited for the server"));
    }
  }

  /** All that matters was received: the call may end by itself. */
  void leave() {
    left = true;
  }

  /** Gives up what is still under way. */
  @Override
  public void close() {
    if (!left) {
      inbox.call.cancel("the client gave the call up", null);
    }
  }

  /** The call ended before its last message. Apart from what rows and listeners of the caller may throw. */
  static final class Broken extends Exception {
    private static final long serialVersionUID = 1L;
    private final PasserelleException failure;

    Broken(PasserelleException failure) {
      super(failure);
      this.failure = failure;
    }

    PasserelleException failure() {
      return failure;
    }
  }

  /** What arrived: a message, the failure of the call, or neither at its end. */
  private record Arrival<A>(A answer, Throwable failure) {
    A message() throws Broken {
      if (failure instanceof StatusRuntimeException failed) {
        throw new Broken(new PasserelleException(failed));
      }
      if (failure != null) {
        throw new IllegalStateException(failure);
      }
      if (answer == null) {
        throw new Broken(PasserelleException.endedEarly());
      }
      return answer;
    }
  }

  /** Takes what arrives on gRPC's threads. An acknowledgement answers a batch, so that few of them wait at any time. */
  private static final class Inbox<Q, A> implements ClientResponseObserver<Q, A> {
    private final BlockingQueue<Arrival<A>> arrived = new LinkedBlockingQueue<>();
    private ClientCallStreamObserver<Q> call;

    @Override
    public void beforeStart(ClientCallStreamObserver<Q> started) {
      call = started;
    }

    @Override
    public void onNext(A message) {
      arrived.add(new Arrival<>(message, null));
    }

    @Override
    public void onError(Throwable failure) {
      arrived.add(new Arrival<>(null, failure));
    }

    @Override
    public void onCompleted() {
      arrived.add(new Arrival<>(null, null));
    }
  }
}
