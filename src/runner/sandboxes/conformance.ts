import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newId } from "../../base/ids.ts";
import { processesWithEnvironment } from "./processes.ts";
import { LEASE_MARKER, WORKSPACE_MARKER } from "./provider.ts";
import type { SandboxProvider, SandboxRequest } from "./sandbox.ts";

/** A request to run a shell script in a fresh directory below `root`. */
export function shellRequest(
  root: string,
  script: string,
  overrides: Partial<SandboxRequest> = {},
): SandboxRequest {
  const operationId = newId();
  const directory = join(root, operationId);
  mkdirSync(directory, { recursive: true });
  return {
    operationId,
    mode: "none",
    command: "/bin/sh",
    arguments: ["-c", script],
    stdin: undefined,
    directory,
    writable: [directory],
    mounts: [],
    network: "deny-all",
    memoryBytes: undefined,
    processes: undefined,
    ...overrides,
    environment: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      HOME: directory,
      ...overrides.environment,
      [LEASE_MARKER]: operationId,
      [WORKSPACE_MARKER]: directory,
    },
  };
}

export interface Finished {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Prepare, run to the end, clean up. */
export async function runToEnd(provider: SandboxProvider, request: SandboxRequest): Promise<Finished> {
  await provider.prepare(request);
  const process = provider.execute(request.operationId);
  const read = (stream: ReadableStream<Uint8Array>) => new Response(stream).text();
  const output = Promise.all([read(process.stdout), read(process.stderr)]);
  const exit = await process.exited;
  await provider.kill(request.operationId);
  const [stdout, stderr] = await output;
  await provider.cleanup(request.operationId);
  return { ...exit, stdout, stderr };
}

/** What every sandbox has to do, whatever it is made of. */
export function sandboxConformance(
  name: string,
  provide: () => Promise<SandboxProvider | null>,
  root: string,
  /** A stand-in for a service may hold no limits of its own. */
  { limits = true }: { readonly limits?: boolean } = {},
) {
  const check = (title: string, work: (provider: SandboxProvider) => Promise<void>) =>
    test(`${name}: ${title}`, async () => {
      const provider = await provide();
      if (provider !== null) await work(provider);
    });
  const request = (script: string, overrides?: Partial<SandboxRequest>) =>
    shellRequest(root, script, overrides);

  check("a command's output, exit code and working directory are its own", async (provider) => {
    const asked = request("pwd; echo err >&2; exit 5");
    expect(await runToEnd(provider, asked)).toEqual({
      exitCode: 5,
      signal: null,
      stdout: `${asked.directory}\n`,
      stderr: "err\n",
    });
  });

  check("the life of an operation is visible, and ends absent", async (provider) => {
    const asked = request("read -r line; echo $line", { stdin: "hello\n" });
    expect(provider.inspect(asked.operationId)).toBe("absent");
    await provider.prepare(asked);
    expect(provider.inspect(asked.operationId)).toBe("prepared");
    const process = provider.execute(asked.operationId);
    expect(provider.inspect(asked.operationId)).toBe("running");
    expect(await new Response(process.stdout).text()).toBe("hello\n");
    await process.exited;
    expect(provider.inspect(asked.operationId)).toBe("ended");
    await provider.cleanup(asked.operationId);
    expect(provider.inspect(asked.operationId)).toBe("absent");
  });

  check("a second prepare and a second execute start nothing a second time", async (provider) => {
    const asked = request("echo x >> count");
    await provider.prepare(asked);
    await provider.prepare(asked);
    const first = provider.execute(asked.operationId);
    expect(provider.execute(asked.operationId).pid).toBe(first.pid);
    await first.exited;
    expect(provider.execute(asked.operationId).pid).toBe(first.pid);
    await provider.kill(asked.operationId);
    expect(readFileSync(join(asked.directory, "count"), "utf8")).toBe("x\n");
    await provider.cleanup(asked.operationId);
    await provider.cleanup(asked.operationId);
  });

  check(
    "the same id with another request is refused, and what was not prepared cannot run",
    async (provider) => {
      const asked = request("true");
      await provider.prepare(asked);
      expect(provider.prepare({ ...asked, network: "open" })).rejects.toMatchObject({ code: "conflict" });
      expect(() => provider.execute(newId())).toThrow("no sandbox is prepared");
      await provider.cleanup(asked.operationId);
    },
  );

  check("a mode it does not claim is refused before anything runs", async (provider) => {
    const modes = ["none", "workflow-session", "per-agent-call", "per-publish"] as const;
    for (const mode of modes) {
      const asked = request("true", { mode, network: "open" });
      if (provider.capability.modes.includes(mode)) await provider.prepare(asked);
      else expect(provider.prepare(asked)).rejects.toMatchObject({ code: "feature_unsupported" });
      await provider.cleanup(asked.operationId);
    }
  });

  check("a program that is not there fails to start or ends at once", async (provider) => {
    const asked = request("", { command: "/no/such/program", arguments: [] });
    await provider.prepare(asked);
    try {
      const process = provider.execute(asked.operationId);
      expect((await process.exited).exitCode).not.toBe(0);
    } catch (error) {
      expect(error).toMatchObject({ code: "execution_start_failed" });
    }
    await provider.cleanup(asked.operationId);
  });

  check("terminate asks each process of the task, kill ends those that do not listen", async (provider) => {
    const asked = request(
      "trap 'echo asked; exit 3' TERM; echo begun; touch begun; while :; do sleep 0.02; done",
    );
    await provider.prepare(asked);
    const process = provider.execute(asked.operationId);
    const output = new Response(process.stdout).text();
    while (!existsSync(join(asked.directory, "begun"))) await Bun.sleep(5);
    provider.terminate(asked.operationId);
    expect((await process.exited).exitCode).toBe(3);
    await provider.cleanup(asked.operationId);
    expect(await output).toBe("begun\nasked\n");

    const deaf = request("trap '' TERM; touch begun; while :; do sleep 0.02; done");
    await provider.prepare(deaf);
    const ignoring = provider.execute(deaf.operationId);
    while (!existsSync(join(deaf.directory, "begun"))) await Bun.sleep(5);
    provider.terminate(deaf.operationId);
    await Bun.sleep(100);
    expect(provider.inspect(deaf.operationId)).toBe("running");
    await provider.kill(deaf.operationId);
    expect(provider.inspect(deaf.operationId)).toBe("ended");
    await ignoring.exited;
    await provider.cleanup(deaf.operationId);
  });

  check("nothing that the task started outlives a kill, however it hid", async (provider) => {
    const hidden = "while :; do echo alive > beat; sleep 0.02; done";
    const asked = request(
      `(setsid setsid sh -c '${hidden}' </dev/null >/dev/null 2>&1 &); while [ ! -e beat ]; do sleep 0.01; done; echo up; sleep 60`,
    );
    await provider.prepare(asked);
    const process = provider.execute(asked.operationId);
    while (!existsSync(join(asked.directory, "beat"))) await Bun.sleep(5);
    await provider.kill(asked.operationId);
    await process.exited;
    expect(await processesWithEnvironment(LEASE_MARKER, asked.operationId)).toEqual([]);
    writeFileSync(join(asked.directory, "beat"), "");
    await Bun.sleep(120);
    expect(readFileSync(join(asked.directory, "beat"), "utf8")).toBe("");
    await provider.cleanup(asked.operationId);
  });

  check("a hundred megabytes on both streams at once come through", async (provider) => {
    const asked = request("head -c 100000000 /dev/zero & head -c 100000000 /dev/zero >&2; wait");
    await provider.prepare(asked);
    const process = provider.execute(asked.operationId);
    const count = async (stream: ReadableStream<Uint8Array>) => {
      let bytes = 0;
      for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) bytes += chunk.length;
      return bytes;
    };
    expect(await Promise.all([count(process.stdout), count(process.stderr)])).toEqual([1e8, 1e8]);
    await process.exited;
    await provider.cleanup(asked.operationId);
  });

  if (!limits) return;
  check("a hidden process that holds the pipes open does not hold up the end", async (provider) => {
    const asked = request(
      "(setsid sh -c 'touch held; sleep 300' &); while [ ! -e held ]; do sleep 0.01; done; echo up",
    );
    await provider.prepare(asked);
    const process = provider.execute(asked.operationId);
    const output = new Response(process.stdout).text();
    await process.exited;
    // Where no namespace ends with its first process they are held: the trick is a real one.
    const { boundary, provider: kind } = provider.capability;
    const isHeld = boundary === "process" || kind === "vm";
    const open = Bun.sleep(100).then(() => "still open");
    expect(await (isHeld ? Promise.race([output, open]) : output)).toBe(isHeld ? "still open" : "up\n");
    await provider.kill(asked.operationId);
    expect(await output).toBe("up\n");
    await provider.cleanup(asked.operationId);
  });

  check(
    "limits of memory and processes hold where they are claimed, and are refused where not",
    async (provider) => {
      // They stay, however long the others take to be there too; nobody waits for them.
      const forks =
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 60 </dev/null >/dev/null 2>&1 & done; echo forked";
      const limited = request(forks, { processes: 8 });
      const memory = request("head -c 100000000 /dev/zero | tail -c 100000000 | wc -c", {
        memoryBytes: 32 << 20,
      });
      if (!provider.capability.features.includes("process-limit")) {
        for (const asked of [limited, memory]) {
          expect(provider.prepare(asked)).rejects.toMatchObject({ code: "feature_unsupported" });
        }
        return;
      }
      expect((await runToEnd(provider, limited)).stdout).not.toContain("forked");
      expect((await runToEnd(provider, request(forks))).stdout).toContain("forked");
      expect((await runToEnd(provider, memory)).stdout.trim()).not.toBe("100000000");
    },
  );
}
