// The SimpleServer of loro-websocket, which hands documents over to be kept every minute, as it does unless it is told otherwise.
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { SimpleServer } from "loro-websocket/server";

const [folder] = process.argv.slice(2);
const file = (room) => `${folder}/${encodeURIComponent(room)}.loro`;
// It does not say which port it has taken, so it is told one that is free.
const port = await new Promise((resolve) => {
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});
const server = new SimpleServer({
  host: "127.0.0.1",
  port,
  onLoadDocument: (room) => readFile(file(room)).catch(() => null),
  onSaveDocument: (room, _type, bytes) => writeFile(file(room), bytes),
});
await server.start();
console.log(`listening on ${port}`);
