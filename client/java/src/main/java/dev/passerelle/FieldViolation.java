package dev.passerelle;

import java.io.Serializable;

/**
 * A field of a request that was refused, and why.
 *
 * @param field where it is, for example {@code mappings[2].attribute}
 * @param description why it was refused
 */
public record FieldViolation(String field, String description) implements Serializable {}
