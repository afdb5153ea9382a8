/** The bar at the top: the way back, the connection, the person. */

import type { RowStatus, SyncStatus } from "@corella/client";

import type { ReactNode } from "react";

import type { Person } from "../model/person";
import { Avatar } from "./avatar";
import { Icon, Mark } from "./icons";
import { OfflineSwitch } from "./offline-switch";
import { StatusLight } from "./status-light";

interface TopBarProps {
  /** The app's name. */
  readonly name: string;
  /** Where the way back leads, where there is one. */
  readonly back?: string;
  readonly sync: SyncStatus;
  readonly row: RowStatus | undefined;
  readonly offline: boolean;
  readonly person: Person;
  readonly onOffline: (offline: boolean) => void;
  readonly onSignOut: () => void;
  /** Between the name and the connection. */
  readonly children?: ReactNode;
}

export function TopBar({ name, back, children, sync, row, offline, person, onOffline, onSignOut }: TopBarProps) {
  return (
    <header className="top-bar">
      <h1 className="visually-hidden">{name}</h1>
      {back !== undefined && (
        <a className="top-bar-back" href={back}>
          <Icon name="back" />
          {name}
        </a>
      )}
      <span className="top-bar-brand">
        <Mark />
        {name}
      </span>
      <span className="top-bar-gap" />
      {children}
      <StatusLight sync={sync} row={row} />
      <OfflineSwitch offline={offline} onChange={onOffline} />
      <button type="button" className="person-button" popoverTarget="person-menu">
        <Avatar person={person} />
        <span className="wide-only" data-testid="user-name">
          {person.name}
        </span>
      </button>
      <div className="person-menu" id="person-menu" popover="auto">
        <p>
          Signed in as <strong>{person.name}</strong>
        </p>
        <button type="button" className="button-plain" data-testid="sign-out" onClick={onSignOut}>
          Sign out
        </button>
      </div>
    </header>
  );
}
