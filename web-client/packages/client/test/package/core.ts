/** What every page of this kind imports. */

export { CorellaClient, CorellaError } from "../../src/index.js";
