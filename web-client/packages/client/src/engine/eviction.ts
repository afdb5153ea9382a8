/** Makes room: rows that nobody has open and that have nothing to send go, those used longest ago first. */

import type { RowKey, StoragePort } from "../storage/port.js";

/** Brings what is stored to three quarters of the budget, if it is above it. Returns how many rows went. */
export async function evict(storage: StoragePort, budgetBytes: number, isOpen: (key: RowKey) => boolean): Promise<number> {
  const rows = await storage.rows();
  let total = rows.reduce((sum, row) => sum + row.byteCount, 0);
  if (total <= budgetBytes) {
    return 0;
  }
  const aim = budgetBytes * 0.75;
  const candidates = rows.filter((row) => !row.hasUnsent && !isOpen(row.key)).sort((one, other) => one.usedAt - other.usedAt);
  const chosen: RowKey[] = [];
  for (const row of candidates) {
    if (total <= aim) {
      break;
    }
    total -= row.byteCount;
    chosen.push(row.key);
  }
  await storage.write(chosen.map((key) => ({ type: "evict", key })));
  return chosen.length;
}
