/** A page's start: the document library first, then the app. */

import loadLoro from "loro-crdt/web/loro_wasm.js";
import { type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { messageOf } from "../model/message";
import { keepPage } from "./keep-page";

/** Draws an app into the element `#root`; `what` names it where it cannot be loaded, such as "The notes". */
export function start(what: string, app: ReactNode): void {
  const place = document.getElementById("root");
  if (place === null) {
    throw new Error("The page has no element #root to draw in.");
  }
  const root = createRoot(place);
  loadLoro().then(
    () => {
      keepPage();
      root.render(<StrictMode>{app}</StrictMode>);
    },
    (error: unknown) =>
      root.render(
        <p className="page-message" role="alert">
          {what} could not be loaded: {messageOf(error)} Reload the page to try again.
        </p>,
      ),
  );
}
