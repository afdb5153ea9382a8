/** The switch that takes this page off the network, to see that nothing is lost. */

import { Icon } from "./icons";

interface OfflineSwitchProps {
  readonly offline: boolean;
  readonly onChange: (offline: boolean) => void;
}

export function OfflineSwitch({ offline, onChange }: OfflineSwitchProps) {
  return (
    <button
      type="button"
      className="offline-switch"
      role="switch"
      aria-checked={offline}
      title="Work offline"
      data-testid="offline-switch"
      onClick={() => onChange(!offline)}
    >
      <Icon name="offline" />
      <span className="wide-only">Work offline</span>
      <span className="offline-switch-track" />
    </button>
  );
}
