/** A socket that counts: what travels in each direction, and how often the client has to wait for the server before it goes on. */

import { type RawData, WebSocket as NodeWebSocket } from "ws";

// By its path, as the client itself.
import { decode, type Frame } from "../../../web-client/packages/client/dist/wire/index.js";

type Listener = (event: { readonly data: unknown }) => void;

/** What has travelled since the counting began. */
export interface Travelled {
  /** Times that the client sent something which it could only send after an answer, the first time included. */
  rounds: number;
  sentBytes: number;
  receivedBytes: number;
  readonly sent: Frame[];
  readonly received: Frame[];
}

/**
 * Answers are held back until all that was asked is answered, and then handed over together: whatever the client asks after that is
 * another round.
 */
export class Rounds {
  readonly travelled: Travelled = { rounds: 0, sentBytes: 0, receivedBytes: 0, sent: [], received: [] };
  readonly Socket: typeof WebSocket;
  #unanswered = 0;
  #isNewRound = true;
  #held: (() => void)[] = [];

  constructor() {
    const rounds = this;
    this.Socket = class extends NodeWebSocket {
      override send(data: Parameters<NodeWebSocket["send"]>[0]): void {
        rounds.#sent(data as string | Uint8Array);
        super.send(data);
      }

      override addEventListener(type: string, listener: never): void {
        const heard = listener as Listener;
        const gated: Listener = (event) => rounds.#received(event.data as string | ArrayBuffer, () => heard(event));
        super.addEventListener(type as "message", (type === "message" ? gated : heard) as never);
      }
    } as unknown as typeof WebSocket;
  }

  /** Forgets what has travelled so far. */
  begin(): void {
    Object.assign(this.travelled, { rounds: 0, sentBytes: 0, receivedBytes: 0 });
    this.travelled.sent.length = 0;
    this.travelled.received.length = 0;
    this.#unanswered = 0;
    this.#isNewRound = true;
  }

  #sent(data: string | Uint8Array): void {
    this.travelled.sentBytes += data.length;
    if (typeof data === "string") {
      this.#ask(/"type":"auth"/.test(data));
    } else {
      const frame = decode(data);
      this.travelled.sent.push(frame);
      this.#ask(frame.type === "join" || frame.type === "update" || frame.type === "fragment_header");
    }
  }

  #ask(isQuestion: boolean): void {
    if (isQuestion) {
      this.#unanswered += 1;
      if (this.#isNewRound) {
        this.#isNewRound = false;
        this.travelled.rounds += 1;
      }
    }
  }

  #received(data: string | ArrayBuffer, handOver: () => void): void {
    let isAnswer: boolean;
    if (typeof data === "string") {
      this.travelled.receivedBytes += data.length;
      isAnswer = /"type":"auth"/.test(data);
    } else {
      const bytes = new Uint8Array(data as ArrayBuffer & RawData);
      const frame = decode(bytes);
      this.travelled.receivedBytes += bytes.length;
      this.travelled.received.push(frame);
      isAnswer = frame.type === "joined" || frame.type === "join_error" || frame.type === "ack";
    }
    this.#held.push(handOver);
    this.#unanswered -= isAnswer ? 1 : 0;
    if (this.#unanswered <= 0) {
      this.#isNewRound = true;
      this.#held.splice(0).forEach((each) => each());
    }
  }
}
