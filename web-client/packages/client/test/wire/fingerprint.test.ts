/** The fingerprint of a schema, computed here as `docs/schema.md` says, against the golden file that the server's tests read. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { schema as sample } from "../generated/sample.js";

interface Field {
  readonly name: string;
  readonly type: string;
  readonly crdt?: string;
  readonly optional?: boolean;
  readonly unique?: boolean;
  readonly renamedFrom?: string;
}
interface Entity {
  readonly name: string;
  readonly open?: boolean;
  readonly crdt?: boolean;
  readonly fields?: readonly Field[];
  readonly search?: { readonly text: readonly string[]; readonly language?: string };
  readonly indexes?: readonly { readonly name: string; readonly fields: readonly string[]; readonly unique?: boolean }[];
}
interface Golden {
  readonly schemas: readonly {
    readonly manifest: { readonly name: string; readonly entities: readonly Entity[] };
    readonly canonical: string;
    readonly fingerprint: string;
  }[];
}

const golden = JSON.parse(readFileSync(new URL("../../../../../schema/golden/fingerprints.json", import.meta.url), "utf8")) as Golden;

function byName(one: readonly unknown[], other: readonly unknown[]): number {
  return String(one[0]) < String(other[0]) ? -1 : 1;
}

function typeOf(type: string): string {
  const variants = /^enum\((.*)\)$/.exec(type)?.[1];
  return variants === undefined ? type : `enum(${variants.split(",").map((variant) => variant.trim()).sort().join(",")})`;
}

function field(declared: Field): unknown[] {
  const { name, type, crdt, optional = false, unique = false, renamedFrom = name } = declared;
  const usual = type === "richtext" ? "text" : type === "document" ? "document" : "lww";
  const key = renamedFrom === name ? [] : [renamedFrom];
  return [name, typeOf(type), crdt ?? usual, optional, unique, ...key];
}

function entity({ name, open = false, crdt = true, fields = [], indexes = [], search }: Entity): unknown[] {
  const listed = indexes.map((index) => [index.name, index.fields, index.unique ?? false]);
  const searched = search === undefined ? [] : [[search.text, search.language ?? "simple"]];
  return [name, open, crdt, fields.map(field).sort(byName), listed.sort(byName), ...searched];
}

test.each(golden.schemas)("the fingerprint $fingerprint", ({ manifest, canonical, fingerprint }) => {
  const text = JSON.stringify({ form: 1, entities: manifest.entities.map(entity).sort(byName) });
  expect(text).toBe(canonical);
  expect(createHash("sha256").update(text).digest("hex").slice(0, 16)).toBe(fingerprint);
});

test("the generated schema has it", () => {
  expect(golden.schemas.find(({ manifest }) => manifest.name === "sample")?.fingerprint).toBe(sample.fingerprint);
});
