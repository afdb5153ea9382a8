/** Whether what is on the screen is on the server too. */

import type { RowStatus, SyncStatus } from "@corella/client";

import { useSettled } from "../hooks/use-settled";
import { unreachable } from "../model/unreachable";

interface StatusLightProps {
  readonly sync: SyncStatus;
  /** The open note's; without one, the connection alone is told. */
  readonly row: RowStatus | undefined;
}

type Light = { readonly kind: "online" } | RowStatus;

/** A save that is quicker than this is not worth a flicker. */
const quickMilliseconds = 250;

export function StatusLight({ sync, row }: StatusLightProps) {
  const light: Light = row ?? { kind: sync.connection };
  const shown = useSettled(light, light.kind === "pending" ? quickMilliseconds : 0);
  return (
    <>
      <span className="status" data-testid="status" data-status={light.kind} data-shown={shown.kind} data-unsent={sync.unsentRows} data-storage={sync.storage.kind}>
        <span className="status-dot" aria-hidden="true" />
        <span className="status-text">{wording(shown) + unsentWording(shown, sync)}</span>
      </span>
      <span className="visually-hidden" role="status">
        {shown.kind === "pending" || shown.kind === "synced" ? "Connected" : wording(shown)}
      </span>
    </>
  );
}

function wording(light: Light): string {
  switch (light.kind) {
    case "online":
      return "Online";
    case "synced":
      return "Synced";
    case "pending":
      return `${light.count} pending`;
    case "connecting":
      return "Connecting";
    case "offline":
      return "Offline";
    case "refused":
      return "Refused";
    default:
      return unreachable(light);
  }
}

/** What is only on this device, where that is not a matter of a moment. */
function unsentWording(light: Light, { storage, unsentRows }: SyncStatus): string {
  if (storage.kind === "failing") {
    return ", not saved on this device";
  }
  const isAway = light.kind === "offline" || light.kind === "connecting";
  return isAway && unsentRows > 0 ? `, ${unsentRows} unsent` : "";
}
