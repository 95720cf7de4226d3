/** Every message, enum and service of the API, generated from proto/passerelle/v1; their comments are the manual. */
export * from "./gen/index.js";
export { create, type MessageInitShape } from "@bufbuild/protobuf";
