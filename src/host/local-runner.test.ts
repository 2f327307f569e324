import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hostWithRunner } from "../../test/support/host.ts";
import { startDocument } from "../../test/support/orchestrator.ts";
import { until } from "../../test/support/until.ts";
import type { JsonObject } from "../base/json.ts";
import { callOperation, service } from "../service/index.ts";
import { findRun } from "../store/index.ts";

test("a command on this host has the tenant's own secret in its environment, and no file of ours ever holds it", async () => {
  const { host, directory } = await hostWithRunner();
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
  await startDocument(host.context.orchestration!, "r", document);
  const run = () => host.context.views.read(findRun, { tenantId: "default", runId: "r" })!;
  await until(() => ["completed", "faulted"].includes(run().status), run);
  const hash = new Bun.CryptoHasher("sha256").update(value).digest("hex");
  expect(run().snapshot).toContain(hash);
  expect(run().snapshot).not.toContain(value);
  for (const file of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (file.isFile()) expect(readFileSync(join(file.parentPath, file.name)).includes(value)).toBe(false);
  }
});
