/** The page's start: the document library first, then the app. */

import { keepPage, messageOf } from "@corella/app-kit";
import loadLoro from "loro-crdt/web/loro_wasm.js";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./app";
import "./styles/index.css";

const place = document.getElementById("root");
if (place === null) {
  throw new Error("The page has no element #root to draw in.");
}
const root = createRoot(place);

loadLoro().then(
  () => {
    keepPage();
    root.render(
      <StrictMode>
        <App />
      </StrictMode>,
    );
  },
  (error: unknown) =>
    root.render(
      <p className="page-message" role="alert">
        The notes could not be loaded: {messageOf(error)} Reload the page to try again.
      </p>,
    ),
);
