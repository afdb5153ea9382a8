import { defineConfig } from "vite";

import { appConfig } from "../kit/vite-app";

export default defineConfig(appConfig(["@corella/editors"]));
