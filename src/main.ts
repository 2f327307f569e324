#!/usr/bin/env bun
import { VERSION } from "./base/version.ts";

// Whatever is imported above is loaded by every call, so the command line itself comes in only when it is needed.
const argv = process.argv.slice(2);
if (argv.length === 1 && argv[0] === "--version") {
  console.log(VERSION);
} else {
  const { main } = await import("./cli/main.ts");
  process.exitCode = await main(argv);
}
