/**
 * Client of Passerelle: audiences in, attributes in step, logs back.
 *
 * <pre>{@code
 * try (Client client = Client.connect("127.0.0.1:7701")) {
 *   List<Row> rows = List.of(Row.of("external_id", "1").with("city", "Paris"));
 *   IngestResult result = client.importProfiles(rows,
 *       new IngestOptions().identities("external_id").fields("city").stream("people"));
 * }
 * }</pre>
 *
 * <p>Generated messages and stubs are in {@code dev.passerelle.v1}; {@link dev.passerelle.Client#stubs()} holds one stub
 * for each service. A call blocks its thread; interrupting the thread, or cancelling the {@link io.grpc.Context} it runs
 * in, ends it with a {@link dev.passerelle.PasserelleException} of code CANCELLED. No argument may be null unless its
 * documentation says so.
 */
package dev.passerelle;
