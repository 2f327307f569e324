import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../test/support/until.ts";
import { digestOf } from "../base/canonical.ts";
import type { JsonObject } from "../base/json.ts";
import { silentLog } from "../base/log.ts";
import { callOperation, service } from "../service/index.ts";
import { findRun } from "../store/index.ts";
import { openHost } from "./index.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

test("a command on this host has the tenant's own secret in its environment, and no file of ours ever holds it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "local-"));
  const host = await openHost({
    paths: {
      config: join(directory, "config"),
      state: join(directory, "state"),
      cache: join(directory, "cache"),
      runtime: join(directory, "run"),
    },
    log: silentLog,
    root: directory,
    listen: null,
    runner: { slots: 1, sandbox: "process" },
  });
  closers.push(async () => {
    await host.stop();
    rmSync(directory, { recursive: true });
  });
  const value = "a-value-that-nobody-else-has";
  await callOperation(service.setSecret, host.context, { name: "deploy", value });
  const document: JsonObject = {
    document: { dsl: "1.0.3", namespace: "t", name: "deploy", version: "1.0.0" },
    use: { secrets: ["deploy"] },
    do: [
      {
        work: {
          run: {
            shell: {
              command: 'printf %s "$KEY" | sha256sum; echo "$KEY"',
              environment: { KEY: "${ $secrets.deploy }" },
            },
          },
        },
      },
    ],
  };
  await host.context.orchestration!.start({
    tenantId: "default",
    runId: "r",
    idempotent: false,
    sourceEventId: null,
    workflow: "t",
    assetId: null,
    document,
    digest: digestOf(document),
    input: {},
  });
  const run = () => host.context.views.read(findRun, { tenantId: "default", runId: "r" })!;
  await until(() => ["completed", "faulted"].includes(run().status), run);
  const hash = new Bun.CryptoHasher("sha256").update(value).digest("hex");
  expect(run().snapshot).toContain(hash);
  expect(run().snapshot).not.toContain(value);
  for (const file of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (file.isFile()) expect(readFileSync(join(file.parentPath, file.name)).includes(value)).toBe(false);
  }
});
