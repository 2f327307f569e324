import { setDefaultTimeout } from "bun:test";

setDefaultTimeout(20_000);
