package dev.passerelle;

import dev.passerelle.v1.Attribute;
import dev.passerelle.v1.AttributeType;
import dev.passerelle.v1.CreateAttributeRequest;
import dev.passerelle.v1.Destination;
import dev.passerelle.v1.FieldMapping;
import dev.passerelle.v1.GetAttributeRequest;
import dev.passerelle.v1.GetDestinationRequest;
import dev.passerelle.v1.ListAttributesRequest;
import dev.passerelle.v1.ListAttributesResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The attributes of a client's instance, and which of them rows are about. Thread-safe. */
final class Schema {
  private final Client client;

  Schema(Client client) {
    this.client = client;
  }

  /** One that is there already is left as it is. */
  Attribute createAttribute(String id, Attribute attribute) {
    CreateAttributeRequest request = CreateAttributeRequest.newBuilder()
        .setParent(client.instance()).setAttributeId(id).setAttribute(attribute).build();
    try {
      return client.call(() -> client.stubs().instances().createAttribute(request));
    } catch (PasserelleException failure) {
      if (!failure.reason().equals("RESOURCE_ALREADY_EXISTS")) {
        throw failure;
      }
    }
    GetAttributeRequest get = GetAttributeRequest.newBuilder().setName(client.name("attributes", id)).build();
    return client.call(() -> client.stubs().instances().getAttribute(get));
  }

  /** The type of every attribute, by id. */
  Map<String, AttributeType> attributeTypes() {
    ListAttributesRequest request =
        ListAttributesRequest.newBuilder().setParent(client.instance()).setPageSize(1_000).build();
    Map<String, AttributeType> types = new HashMap<>();
    for (Attribute one : client.pages(
        client.stubs().instances()::listAttributes, request, ListAttributesResponse::getAttributesList)) {
      types.put(one.getName().substring(one.getName().lastIndexOf('/') + 1), one.getType());
    }
    return types;
  }

  /** Types of attributes, in their order. One that the server does not know is sent as text: its answer names it. */
  Map<String, AttributeType> typesOf(List<String> attributes, Duration retryFor) {
    return typesOf(attributes, attributes, retryFor);
  }

  private Map<String, AttributeType> typesOf(List<String> fields, List<String> attributes, Duration retryFor) {
    Map<String, AttributeType> known =
        fields.isEmpty() ? Map.of() : Patience.patiently(retryFor, this::attributeTypes);
    Map<String, AttributeType> types = new LinkedHashMap<>();
    for (int i = 0; i < fields.size(); i++) {
      types.put(fields.get(i), known.getOrDefault(attributes.get(i), AttributeType.ATTRIBUTE_TYPE_STRING));
    }
    return types;
  }

  /** Types of a destination's source fields: those of the attributes that they are mapped to. */
  Map<String, AttributeType> mappedTypes(String destination, IngestOptions options) {
    if (options.fields.isEmpty()) {
      return Map.of();
    }
    GetDestinationRequest get =
        GetDestinationRequest.newBuilder().setName(client.name("destinations", destination)).build();
    Destination found = Patience.patiently(
        options.retryFor, () -> client.call(() -> client.stubs().destinations().getDestination(get)));
    Map<String, String> attributes = new HashMap<>();
    for (FieldMapping mapping : found.getMappingsList()) {
      attributes.put(mapping.getSourceField(), mapping.getAttribute());
    }
    List<String> targets = new ArrayList<>();
    options.fields.forEach(field -> targets.add(attributes.getOrDefault(field, "")));
    return typesOf(options.fields, targets, options.retryFor);
  }
}
