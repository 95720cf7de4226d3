package dev.passerelle;

import com.google.protobuf.MessageLite;
import dev.passerelle.v1.IngestAck;
import dev.passerelle.v1.IngestFinish;
import dev.passerelle.v1.IngestFinished;
import dev.passerelle.v1.StreamOpened;
import io.grpc.MethodDescriptor;
import java.util.List;
import java.util.function.Function;

/**
 * What the four ingests differ in.
 *
 * @param <T> a row
 * @param <Q> the message to the server
 * @param <A> the message from it
 */
record IngestKind<T, Q extends MessageLite, A>(
    MethodDescriptor<Q, A> method,
    Q open,
    Encoder<T, Q> batch,
    Function<IngestFinish, Q> finish,
    Function<A, Answer> answer) {

  /** Rows to a message. */
  @FunctionalInterface
  interface Encoder<T, Q> {
    /** A batch of rows, the first of which is at an offset; IllegalArgumentException names a record that does not fit. */
    Q encode(long offset, List<T> rows);
  }

  /** A message from the server: one of these, the others are null. */
  record Answer(StreamOpened opened, IngestAck ack, IngestFinished finished) {}
}
