/** The page: the sign-in, then the notes. */

import { SignedIn, start } from "@corella/app-kit";

import { Workspace } from "./components/workspace";
import "./styles/index.css";

start(
  "The notes",
  <SignedIn name="Notes" words="Written together. Others see your name beside your cursor.">
    {(signed) => <Workspace {...signed} />}
  </SignedIn>,
);
