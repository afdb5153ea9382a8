/** A way to the server on which everything takes its time. */

import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

import type { Server } from "./server.js";

const delayMilliseconds = 250;
const chunkBytes = 4096;

/** Its address. Each piece of up to 4 KiB arrives a quarter of a second after it was sent, in each direction. */
export async function slowWayTo(server: Server): Promise<string> {
  const target = Number(new URL(server.url).port);
  const sockets = new Set<Socket>();
  const proxy = createServer((near) => {
    const far = connect(target, "127.0.0.1");
    for (const [from, to] of [[near, far], [far, near]] as const) {
      sockets.add(from);
      from.on("data", (bytes) => {
        for (let at = 0; at < bytes.length; at += chunkBytes) {
          const chunk = bytes.subarray(at, at + chunkBytes);
          setTimeout(() => to.writable && to.write(chunk), delayMilliseconds);
        }
      });
      from.on("close", () => setTimeout(() => to.destroy(), delayMilliseconds));
      from.on("error", () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    sockets.forEach((socket) => socket.destroy());
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}
