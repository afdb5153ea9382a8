/** The Loro Syncing Protocol v1 with bounded decoding. Knows frames; does not know documents, rows or sockets. */

export { WireError, type WireErrorKind } from "./error.js";
export * from "./limits.js";
export * from "./frame.js";
export { type ClientFrame, encode } from "./encode.js";
export { decode } from "./decode.js";
export { Assembler, toBatch, type BatchTimeout, type OutgoingBatch } from "./fragments.js";
export { parseControl, type ControlMessage } from "./control.js";
