import { expect, test } from "bun:test";
import { effectiveConfig } from "./config.ts";

const base = {
  runnerId: "r",
  tenantId: "t",
  hostId: "h",
  runnerPools: [],
  executionProfiles: [],
  dataDirectory: "/var/lib/runner",
  slots: 1,
};

test("what every task sees holds neither the runner's own data nor a file with a secret", () => {
  const secrets = { key: { file: "/etc/lightflow/key.pem" } };
  const vault = { address: "https://vault.example", tokenFile: "/run/vault/token" };
  const given = (readOnlyPaths: string[]) => () =>
    effectiveConfig({ ...base, secrets, vault, readOnlyPaths }).readOnlyPaths;
  for (const path of [
    "/",
    "/var",
    "/var/lib/runner",
    "/etc",
    "/etc/lightflow",
    "/run/vault",
    "/run/vault/token",
  ])
    expect(given(["/opt/jdk", path])).toThrow("every task would see");
  expect(given(["/opt/../etc"])).toThrow("absolute path");
  expect(given(["/opt/jdk", "/etc/maven", "/var/lib/runners"])()).toHaveLength(3);
});

test("an operator says where tools stand, and neither what is a task's own nor what changes a program before it runs", () => {
  const given = (environment: object) => () => effectiveConfig({ ...base, environment }).environment;
  expect(given({ PATH: "/opt/jdk/bin:/usr/bin", JAVA_HOME: "/opt/jdk" })()).toHaveProperty("JAVA_HOME");
  for (const name of ["LD_PRELOAD", "BASH_ENV", "NODE_OPTIONS", "LIGHTFLOW_OUTPUT", "HOME", "TMPDIR"])
    expect(given({ [name]: "/x" })).toThrow(`/environment/${name}: a runner may not set it`);
  expect(given({ TOKEN: "runner-secret://token" })).toThrow("named by the task that needs it");
  for (const wrong of [{ "A-B": "x" }, { "": "x" }, { A: 1 }, { A: "a\0b" }, { A: "x".repeat(5000) }])
    expect(given(wrong)).toThrow("/environment");
});
