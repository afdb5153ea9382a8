// Writes frames.json: binary frames as the npm package `loro-protocol` encodes them, beside what they say.
//
// Run it in a folder in which `loro-protocol` is installed:
//   node …/schema/golden/make-frames.mjs > …/schema/golden/frames.json

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(join(process.cwd(), "index.js"));
const { encode, tryDecode, CrdtType, MessageType } = require("loro-protocol");
const packageFile = join(dirname(require.resolve("loro-protocol")), "..", "package.json");
const { version } = JSON.parse(readFileSync(packageFile, "utf8"));

const unhex = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const repeat = (byte, count) => byte.repeat(count);

// Bytes are written as hexadecimal text; these are the keys that hold them.
const bytesKeys = new Set(["auth", "version", "extra", "receiverVersion", "fragment"]);

function toReference({ type, ...rest }) {
  const message = { type: MessageType[type], crdt: CrdtType.Loro, roomId: "Note/n1" };
  for (const [key, value] of Object.entries(rest)) {
    if (key === "updates") message.updates = value.map(unhex);
    else if (key === "batchId" || key === "refId") message[key] = `0x${value}`;
    else message[key] = bytesKeys.has(key) ? unhex(value) : value;
  }
  return message;
}

const batchId = "0102030405060708";
const token = hex(new TextEncoder().encode("a.b.c"));

const frames = [
  ["join with a token and no history", { type: "JoinRequest", auth: token, version: "" }],
  ["join with a version", { type: "JoinRequest", auth: "", version: "01c0ffee0b" }],
  ["join presence", { type: "JoinRequest", crdt: "%EPH", auth: "", version: "" }],
  ["join persisted presence", { type: "JoinRequest", crdt: "%EPS", auth: "", version: "" }],
  ["join a room of another kind", { type: "JoinRequest", crdt: "%YJS", auth: "", version: "" }],
  ["join a room without a name", { type: "JoinRequest", roomId: "", auth: "", version: "" }],
  ["join a room of the longest name", { type: "JoinRequest", roomId: "ü".repeat(64), auth: "", version: "" }],
  ["join with auth of two length bytes", { type: "JoinRequest", auth: repeat("5a", 300), version: "00" }],
  ["joined to read", { type: "JoinResponseOk", permission: "read", version: "00", extra: "" }],
  ["joined to write", { type: "JoinResponseOk", permission: "write", version: "0102", extra: "7b7d" }],
  ["join error unknown", { type: "JoinError", code: 0, message: "no" }],
  ["join error version_unknown", { type: "JoinError", code: 1, message: "no", receiverVersion: "0102" }],
  ["join error auth_failed", { type: "JoinError", code: 2, message: "Zugang verweigert: ungültig" }],
  ["join error of the application", { type: "JoinError", code: 127, message: "no", appCode: "unknown_room" }],
  ["no update", { type: "DocUpdate", updates: [], batchId }],
  ["one update", { type: "DocUpdate", updates: ["c0ffee"], batchId }],
  ["three updates, one empty", { type: "DocUpdate", updates: ["c0", "", repeat("ee", 128)], batchId }],
  ["presence", { type: "DocUpdate", crdt: "%EPH", updates: ["c0ffee"], batchId: "ffffffffffffffff" }],
  ["fragment header", { type: "DocUpdateFragmentHeader", batchId, fragmentCount: 21, totalSizeBytes: 5000000 }],
  ["fragment header of 32 bits", { type: "DocUpdateFragmentHeader", batchId, fragmentCount: 1, totalSizeBytes: 4294967295 }],
  ["first fragment", { type: "DocUpdateFragment", batchId, index: 0, fragment: "c0ffee" }],
  ["later fragment", { type: "DocUpdateFragment", batchId, index: 300, fragment: repeat("c0", 200) }],
  ["room error rejoin_suggested", { type: "RoomError", code: 1, message: "come again" }],
  ["room error evicted", { type: "RoomError", code: 2, message: "" }],
  ["room error unknown", { type: "RoomError", code: 127, message: "no" }],
  ["leave", { type: "Leave" }],
  ...[0, 1, 3, 4, 5, 6, 7, 127].map((status) => [`ack ${status}`, { type: "Ack", refId: batchId, status }]),
].map(([name, said]) => {
  const message = toReference(said);
  const { type, crdt, roomId, ...rest } = { crdt: message.crdt, roomId: message.roomId, ...said };
  return { name, hex: hex(encode(message)), frame: { crdt, roomId, type, ...rest } };
});

const head = "254c4f520172";
const refused = [
  ["nothing", ""],
  ["a magic cut short", "254c4f"],
  ["no room", "254c4f52"],
  ["a room cut short", "254c4f520572"],
  ["a room name of 129 bytes", `254c4f528101${repeat("72", 129)}07`],
  ["a room name that is not UTF-8", "254c4f5202c32807"],
  ["no message type", head],
  ["an unknown message type", `${head}09`],
  ["a join cut short", `${head}000161`],
  ["bytes after a join", `${head}00000000`],
  ["a permission of another name", `${head}01056f776e65720000`],
  ["a count that would reserve 2^40 updates", `${head}038080808080200000000000000000`],
  ["a count of one more than fit", `${head}0302000000000000000000`],
  ["an update longer than the frame", `${head}0301ff7f0000000000000000`],
  ["no batch id", `${head}0301017801020304`],
  ["bytes after an update", `${head}03010178010203040506070800`],
  ["a length of more than 64 bits", `${head}00ffffffffffffffffffff0100`],
  ["a chunk longer than the frame", `${head}0501020304050607080005c0`],
  ["bytes after a leave", `${head}0700`],
  ["an ack without status", `${head}080102030405060708`],
  ["a message that is not UTF-8", `${head}060102c328`],
].map(([name, hex]) => ({ name, hex, reference: tryDecode(unhex(hex)) ? "accepts" : "refuses" }));

const about =
  `Binary frames of the Loro Syncing Protocol v1, made by make-frames.mjs with loro-protocol ${version} (npm). ` +
  "Each of `frames` encodes to its hex and decodes to its frame, whose keys are those of loro-protocol, " +
  "with bytes and ids as hexadecimal text. Each of `refused` is no frame; `reference` tells what loro-protocol makes of it.";
process.stdout.write(`${JSON.stringify({ about, frames, refused }, null, 2)}\n`);
