/** The page: the sign-in, then the board. */

import { SignedIn, start } from "@corella/app-kit";

import { Board } from "./components/board";
import "./styles/index.css";

start(
  "The board",
  <SignedIn name="Board" words="Arranged together. Others see where you are.">
    {(signed) => <Board {...signed} />}
  </SignedIn>,
);
