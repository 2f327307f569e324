// Whether node_modules holds what package-lock.json asks for on this platform: exit code 0 or 1. Runs before Bun is
// there, so it is plain JavaScript for Node.
import { readFileSync } from "node:fs";

const packagesOf = (path) => JSON.parse(readFileSync(path, "utf8")).packages;
const fits = (list, value) =>
  list === undefined || list.includes(value) || list.some((each) => each[0] === "!");

try {
  const wanted = packagesOf("package-lock.json");
  const present = packagesOf("node_modules/.package-lock.json");
  const glibc = process.report.getReport().header.glibcVersionRuntime === undefined ? "musl" : "glibc";
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || !fits(entry.os, process.platform) || !fits(entry.cpu, process.arch)) continue;
    if (!fits(entry.libc, glibc)) continue;
    if (present[path]?.integrity !== entry.integrity) process.exit(1);
    readFileSync(`${path}/package.json`);
  }
} catch {
  process.exit(1);
}
