/** One WebSocket that comes back: opens, watches, closes, waits, opens again. */

import { CorellaError } from "../public/error.js";
import type { ClientStatus } from "../public/types.js";
import { unreachable } from "../util/unreachable.js";
import { WireError } from "../wire/index.js";
import { backoffMilliseconds } from "./backoff.js";
import { afterClose } from "./close-codes.js";
import { KeepAlive } from "./keepalive.js";
import { isHidden, networkIsUp, onNetworkChange, onVisible } from "./network.js";

/** What the connection tells its owner. None of these calls nests inside another. */
export interface ConnectionOwner {
  statusChanged(status: ClientStatus): void;
  opened(): void;
  /** The socket is gone. `refusal` is set when the server asked us to stay away. */
  closed(refusal: CorellaError | undefined): void;
  /** The server found the token wanting. The next connection follows by itself. */
  tokenRefused(): void;
  binary(bytes: Uint8Array): void;
  text(text: string): void;
}

/** Knows sockets and time; does not know frames or rows. */
export class Connection {
  readonly #url: string;
  readonly #Socket: typeof WebSocket;
  readonly #owner: ConnectionOwner;
  readonly #keepAlive: KeepAlive;
  readonly #stopWatchingNetwork: () => void;
  #socket: WebSocket | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  #status: ClientStatus = "offline";
  /** Why no connection is wanted, if none is. */
  #away: "switched_off" | "refused" | "closed" | undefined;

  constructor(url: string, Socket: typeof WebSocket, owner: ConnectionOwner) {
    this.#url = url;
    this.#Socket = Socket;
    this.#owner = owner;
    this.#keepAlive = new KeepAlive(
      () => this.sendText("ping"),
      () => this.#lose(),
    );
    const stops = [onNetworkChange(() => this.#networkChanged()), onVisible(() => this.wake())];
    this.#stopWatchingNetwork = () => stops.forEach((stop) => stop());
  }

  get status(): ClientStatus {
    return this.#status;
  }

  /** Begins to connect. Also ends a stay away that the server asked for. */
  start(): void {
    if (this.#away === "closed") {
      return;
    }
    this.#away = undefined;
    this.#attempt = 0;
    this.#connectNow();
  }

  /** Closes the socket and stays away until {@link start}. */
  switchOff(): void {
    if (this.#away !== "closed") {
      this.#away = "switched_off";
      this.#shut();
    }
  }

  /** Closes the socket and stays away until {@link start}: going on would do harm. */
  refuse(reason: CorellaError): void {
    this.#away = "refused";
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#end("offline", reason);
  }

  /** Somebody looks: a connection that is waited for is tried now, and one that may have died in its sleep is asked. */
  wake(): void {
    if (this.#status === "online") {
      this.#keepAlive.ask();
    } else if (this.#away === undefined && this.#retry !== undefined) {
      this.#attempt = 0;
      this.#connectNow();
    }
  }

  /** Ends everything for good. */
  close(): void {
    this.#away = "closed";
    this.#shut();
    this.#stopWatchingNetwork();
  }

  sendBinary(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#status === "online") {
      this.#socket?.send(bytes);
    }
  }

  sendText(text: string): void {
    if (this.#status === "online") {
      this.#socket?.send(text);
    }
  }

  #networkChanged(): void {
    if (!networkIsUp()) {
      this.#shut();
    } else if (this.#away === undefined && this.#status !== "online") {
      this.#attempt = 0;
      this.#connectNow();
    }
  }

  #connectNow(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#socket !== undefined || this.#away !== undefined) {
      return;
    }
    if (!networkIsUp()) {
      this.#setStatus("offline");
      return;
    }
    this.#setStatus("connecting");
    const socket = new this.#Socket(this.#url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.addEventListener("open", () => this.#opened(socket));
    socket.addEventListener("message", (event: MessageEvent<unknown>) => this.#received(socket, event.data));
    socket.addEventListener("close", (event) => this.#ended(socket, event.code, event.reason));
    // Every error is followed by a close, which is where it is dealt with.
    socket.addEventListener("error", () => {});
  }

  #opened(socket: WebSocket): void {
    if (socket !== this.#socket) {
      return;
    }
    this.#keepAlive.start();
    this.#setStatus("online");
    this.#owner.opened();
  }

  #received(socket: WebSocket, data: unknown): void {
    if (socket !== this.#socket) {
      return;
    }
    this.#keepAlive.heard();
    try {
      if (typeof data === "string") {
        this.#owner.text(data);
      } else if (data instanceof ArrayBuffer) {
        this.#owner.binary(new Uint8Array(data));
      }
      this.#attempt = 0;
    } catch (error) {
      this.#failed(error);
    }
  }

  /**
   * A frame that cannot be read may have been an edit, and only a new join finds out which.
   * So the connection is dropped; the version vectors of the next one bring what was lost.
   */
  #failed(error: unknown): void {
    this.#attempt += 1;
    this.#lose();
    if (!(error instanceof WireError)) {
      setTimeout(() => {
        throw error;
      }, 0);
    }
  }

  #ended(socket: WebSocket, code: number, reason: string): void {
    if (socket !== this.#socket) {
      return;
    }
    const after = afterClose(code);
    switch (after) {
      case "stop":
        this.#away = "refused";
        this.#end("offline", new CorellaError("connection_refused", reason || `The server closed the connection for good (code ${code}).`));
        return;
      case "renew":
        this.#owner.tokenRefused();
        this.#lose();
        return;
      case "retry":
        this.#lose();
        return;
      default:
        unreachable(after);
    }
  }

  /** Gives the socket up without waiting for its close event, and comes back later. */
  #lose(): void {
    if (this.#away !== undefined || !networkIsUp()) {
      this.#end("offline", undefined);
      return;
    }
    this.#end("connecting", undefined);
    this.#retry ??= setTimeout(() => this.#connectNow(), backoffMilliseconds(this.#attempt, { isHidden: isHidden() }));
    this.#attempt += 1;
  }

  #shut(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#end("offline", undefined);
  }

  /** Parts with the socket, if there is one. The status is the new one before anybody hears of the end. */
  #end(status: ClientStatus, refusal: CorellaError | undefined): void {
    const socket = this.#socket;
    const before = this.#status;
    this.#status = status;
    if (socket !== undefined) {
      this.#socket = undefined;
      this.#keepAlive.stop();
      socket.close();
      this.#owner.closed(refusal);
    }
    if (status !== before) {
      this.#owner.statusChanged(status);
    }
  }

  #setStatus(status: ClientStatus): void {
    if (status !== this.#status) {
      this.#status = status;
      this.#owner.statusChanged(status);
    }
  }
}
