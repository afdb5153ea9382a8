/** Whether what is on the screen is on the server too. */

import type { ClientStatus, RowStatus } from "@corella/client";

import { useSettled } from "../hooks/use-settled";
import { unreachable } from "../model/unreachable";

interface StatusLightProps {
  readonly client: ClientStatus;
  /** The open note's; without one, the connection alone is told. */
  readonly row: RowStatus | undefined;
}

type Light = { readonly kind: "online" } | RowStatus;

/** A save that is quicker than this is not worth a flicker. */
const quickMilliseconds = 250;

export function StatusLight({ client, row }: StatusLightProps) {
  const light: Light = row ?? { kind: client };
  const shown = useSettled(light, light.kind === "pending" ? quickMilliseconds : 0);
  return (
    <>
      <span className="status" data-testid="status" data-status={light.kind} data-shown={shown.kind}>
        <span className="status-dot" aria-hidden="true" />
        <span className="status-text">{wording(shown)}</span>
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
