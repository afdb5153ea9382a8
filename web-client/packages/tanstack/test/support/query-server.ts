/** A scripted server that answers live queries from rows in memory, as the real one does from its database. */

import { CorellaClient, type CorellaClientOptions } from "@corella/client";
import { onTestFinished } from "vitest";
import { WebSocket as NodeWebSocket } from "ws";

import { FakeServer } from "../../../client/test/support/fake-server.js";

type Value = string | number | boolean | null;
type Row = { readonly id: string } & Readonly<Record<string, Value>>;
type Where = Readonly<Record<string, unknown>>;
interface Query {
  readonly from: string;
  readonly where?: Where;
  readonly orderBy?: readonly Readonly<Record<string, "asc" | "desc">>[];
  readonly limit?: number;
}

export class QueryServer {
  readonly server: FakeServer;
  readonly #tables = new Map<string, Map<string, Row>>();
  #seq = 1;

  private constructor(server: FakeServer) {
    this.server = server;
  }

  static async start(): Promise<QueryServer> {
    const queries = new QueryServer(await FakeServer.start());
    const { server } = queries;
    onTestFinished(() => server.stop());
    server.answer = ({ query }) => queries.#snapshot(query as Query);
    server.mutated = ({ entity, id, op, fields }) => {
      queries.change(entity, op === "delete" ? { id } : { ...queries.#table(entity).get(id), ...(fields as object), id }, op === "delete");
      return queries.#seq;
    };
    return queries;
  }

  get queries(): readonly Query[] {
    return this.server.subscriptions.map(({ query }) => query as Query);
  }

  rows(entity: string): Row[] {
    return [...this.#table(entity).values()];
  }

  /** A change of one row, told to everybody who follows a query of its entity. */
  change(entity: string, row: Row, isDeleted = false): void {
    this.#seq += 1;
    if (isDeleted) {
      this.#table(entity).delete(row.id);
    } else {
      this.#table(entity).set(row.id, row);
    }
    for (const { ref, query } of this.server.subscriptions) {
      if ((query as Query).from === entity) {
        this.server.say({ ref, ...this.#snapshot(query as Query) });
      }
    }
  }

  client(options: Partial<CorellaClientOptions> = {}): CorellaClient {
    const client = new CorellaClient({ url: this.server.url, WebSocket: NodeWebSocket as unknown as typeof WebSocket, ...options });
    onTestFinished(() => client.close());
    return client;
  }

  #table(entity: string): Map<string, Row> {
    const table = this.#tables.get(entity) ?? new Map<string, Row>();
    this.#tables.set(entity, table);
    return table;
  }

  #snapshot({ from, where, orderBy = [], limit }: Query): object {
    const rows = this.rows(from).filter((row) => where === undefined || holds(where, row));
    rows.sort((one, other) => {
      for (const term of orderBy) {
        for (const [column, direction] of Object.entries(term)) {
          const order = compare(one[column] ?? null, other[column] ?? null);
          if (order !== 0) {
            return direction === "asc" ? order : -order;
          }
        }
      }
      return one.id < other.id ? -1 : 1;
    });
    return { type: "snapshot", seq: this.#seq, epoch: "e1", rows: rows.slice(0, limit), cursor: null };
  }
}

function compare(one: Value, other: Value): number {
  if (one === other) {
    return 0;
  }
  if (one === null || other === null) {
    return one === null ? -1 : 1;
  }
  return one < other ? -1 : 1;
}

function holds(where: Where, row: Row): boolean {
  return Object.entries(where).every(([name, test]) => {
    const parts = test as readonly Where[];
    switch (name) {
      case "$and":
        return parts.every((part) => holds(part, row));
      case "$or":
        return parts.some((part) => holds(part, row));
      case "$not":
        return !holds(test as Where, row);
      default:
        return passes(test, row[name] ?? null);
    }
  });
}

function passes(test: unknown, value: Value): boolean {
  if (typeof test !== "object" || test === null) {
    return value === test;
  }
  return Object.entries(test).every(([operator, operand]: [string, unknown]) => {
    const order = (): number => (value === null ? Number.NaN : compare(value, operand as Value));
    switch (operator) {
      case "$exists":
        return (value !== null) === operand;
      case "$in":
        return (operand as readonly unknown[]).includes(value);
      case "$gt":
        return order() > 0;
      case "$gte":
        return order() >= 0;
      case "$lt":
        return order() < 0;
      case "$lte":
        return order() <= 0;
      default:
        throw new Error(`This server does not know ${operator}.`);
    }
  });
}
