package dev.passerelle;

import java.time.Duration;
import java.util.List;

/** What is told of members, and since when. Set what is needed and hand it over; not thread-safe. */
public final class MemberOptions {
  String purpose = "";
  List<String> attributes = List.of();
  List<String> identities = List.of();
  List<String> mandatory = List.of();
  String since = "";
  Duration retryFor = Patience.RETRY_FOR;

  /** All members, with their external_id. */
  public MemberOptions() {}

  /**
   * The purpose within the channel.
   *
   * @param name for example newsletter
   * @return this
   */
  public MemberOptions purpose(String name) {
    purpose = name;
    return this;
  }

  /**
   * The attributes to tell.
   *
   * @param ids of attributes
   * @return this
   */
  public MemberOptions attributes(String... ids) {
    attributes = List.of(ids);
    return this;
  }

  /**
   * The identities to tell; without any, external_id.
   *
   * @param namespaces ids
   * @return this
   */
  public MemberOptions identities(String... namespaces) {
    identities = List.of(namespaces);
    return this;
  }

  /**
   * The attributes without which a member is left out.
   *
   * @param ids of attributes
   * @return this
   */
  public MemberOptions mandatory(String... ids) {
    mandatory = List.of(ids);
    return this;
  }

  /**
   * Only what changed since an earlier stream ended.
   *
   * @param endToken of that stream
   * @return this
   */
  public MemberOptions since(String endToken) {
    since = endToken;
    return this;
  }

  /**
   * How long it waits for a server that is away, without progress.
   *
   * @param limit without it, a minute
   * @return this
   */
  public MemberOptions retryFor(Duration limit) {
    retryFor = limit;
    return this;
  }
}
