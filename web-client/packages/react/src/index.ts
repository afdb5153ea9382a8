/** `@corella/react`: live rows in React. */

export { CorellaProvider, type CorellaProviderProps, useCorella } from "./context.js";
export type { RowState } from "./row-view.js";
export { type CounterField, type FieldKind, type ListField, type MovableListField, type PlainField, type TextField, useField } from "./use-field.js";
export { type LiveAnswer, useLive } from "./use-live.js";
export { usePresence } from "./use-presence.js";
export { type LiveRow, useRow, type UseRowOptions } from "./use-row.js";
export { useStatus } from "./use-status.js";
