import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { prerequisite } from "../../../test/support/require.ts";
import { runToEnd, shellRequest } from "./conformance.ts";
import {
  type OciProbe,
  openProvenCgroups,
  type ProbeResult,
  probeOci,
  probeSandboxes,
  type SandboxProvider,
  type SandboxRequest,
} from "./index.ts";

setDefaultTimeout(30_000);

/**
 * What a hostile task tries, from the inside. Each attempt runs twice: in the sandbox, where it must fail, and as a
 * plain process, where it must succeed; an attempt that cannot succeed anywhere would prove nothing.
 */
const SUCCESS = "ESCAPED";
const directory = realpathSync(mkdtempSync(join(tmpdir(), "escape ")));
const data = join(directory, "data");
const secret = join(directory, "host-secret");
const isRoot = process.getuid?.() === 0;
const inodes = `/tmp/lightflow-inodes-${process.pid}`;
let probe: ProbeResult;
let containers: OciProbe;
let victim: Bun.Subprocess;
/** On all IPv4 addresses, on the IPv6 loopback, and on all IPv6 addresses; 0 where there is no IPv6. */
let ports: { v4: number; v6: number; any: number };
const listeners: { stop(force?: boolean): void }[] = [];

beforeAll(async () => {
  mkdirSync(data, { recursive: true });
  writeFileSync(secret, SUCCESS, { mode: 0o600 });
  mkdirSync(join(directory, "home/.ssh"), { recursive: true });
  for (const file of [join(data, "identity.json"), join(directory, "home/.ssh/id_ed25519")])
    writeFileSync(file, SUCCESS, { mode: 0o600 });
  probe = await probeSandboxes({ dataDirectory: data, readOnlyPaths: [], temporaryBytes: 4 << 20 });
  prerequisite("userns", probe.bubblewrap !== null, probe.remedy ?? "");
  containers = await probeOci(
    { dataDirectory: data, readOnlyPaths: [], temporaryBytes: 4 << 20 },
    await openProvenCgroups(data),
  );
  prerequisite("oci", containers.oci !== null, containers.remedy ?? "");
  victim = Bun.spawn(["sleep", "300"], { env: { CANARY: SUCCESS }, stdin: "ignore" });
  const socket = {
    open(connection: { write(text: string): void }) {
      connection.write(SUCCESS);
    },
    data() {},
  };
  const listen = (hostname: string) => {
    const listener = Bun.listen({ hostname, port: 0, socket: socket as never });
    listeners.push(listener);
    return listener.port;
  };
  const listenV6 = (at: string) => {
    try {
      return listen(at);
    } catch {
      return 0;
    }
  };
  ports = { v4: listen("0.0.0.0"), v6: listenV6("::1"), any: listenV6("::") };
  listeners.push(Bun.listen({ unix: `\0lightflow-escape-${process.pid}`, socket: socket as never }));
  listeners.push(Bun.listen({ unix: join(directory, "host.sock"), socket: socket as never }));
});

afterAll(() => {
  victim.kill("SIGKILL");
  for (const listener of listeners) listener.stop(true);
  rmSync(directory, { recursive: true, force: true });
});

interface Attempt {
  readonly title: string;
  /** The task; prints ESCAPED, or leaves what `escaped` looks for. */
  readonly script: () => string;
  readonly request?: () => Partial<SandboxRequest>;
  readonly escaped?: (stdout: string, request: SandboxRequest) => boolean;
  readonly reset?: () => void;
  /** Why a plain process cannot show it either, on this host. */
  readonly withoutControl?: () => string | null;
}

const bun = process.execPath;
/** A script for the runtime that runs these tests, seen read-only inside. */
const javascript = (code: string) => `'${bun}' -e ${JSON.stringify(code)}`;
const withRuntime = (): Partial<SandboxRequest> => ({
  mounts: [{ source: realpathSync(bun), target: bun, readOnly: true }],
});
const connect = (target: string) =>
  javascript(
    `require('node:net').connect({${target}}).on('connect',()=>{require('node:fs').writeSync(1,'${SUCCESS}');process.exit(0)}).on('error',(e)=>{console.error(e.code);process.exit(1)});setTimeout(()=>process.exit(2),3000)`,
  );

const ATTEMPTS: Attempt[] = [
  { title: "read a file of the host outside the workspace", script: () => `cat '${secret}'` },
  {
    title: "read it through a link, through /proc/self/root, and through the parent of the workspace",
    script: () => `ln -s '${secret}' link; cat link "/proc/self/root${secret}" "../../../host-secret"`,
  },
  {
    title: "read the runner's own credentials: its key, its journal, what systemd or its user's home hold",
    script: () => `cat '${join(data, "identity.json")}' '${join(directory, "home/.ssh/id_ed25519")}'`,
  },
  {
    title: "read the environment of a process of the host",
    script: () => `tr '\\0' '\\n' < /proc/${victim.pid}/environ`,
  },
  {
    title: "see the command line of a process of the host",
    script: () =>
      `for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline | grep -q '^sleep 300' && echo ${SUCCESS}; done`,
  },
  { title: "signal a process of the host", script: () => `kill -0 ${victim.pid} && echo ${SUCCESS}` },
  {
    title: "reach the loopback of the host by IPv4 address",
    request: withRuntime,
    script: () => connect(`host:'127.0.0.1',port:${ports.v4}`),
  },
  {
    title: "reach the loopback of the host by name",
    request: withRuntime,
    script: () => connect(`host:'localhost',port:${ports.v4}`),
  },
  ...["2130706433", "0x7f000001", "127.1", "0"].map(
    (notation): Attempt => ({
      title: `reach the loopback of the host as ${notation}`,
      script: () => `bash -c 'exec 3<>/dev/tcp/${notation}/${ports.v4}; head -c ${SUCCESS.length} <&3'`,
      withoutControl: () => (existsSync("/bin/bash") ? null : "no bash"),
    }),
  ),
  ...["::1", "0:0:0:0:0:0:0:1", "0000:0000:0000:0000:0000:0000:0000:0001"].map(
    (notation): Attempt => ({
      title: `reach the loopback of the host as ${notation}`,
      request: withRuntime,
      script: () => connect(`host:'${notation}',port:${ports.v6}`),
      withoutControl: () => (ports.v6 === 0 ? "the host has no IPv6" : null),
    }),
  ),
  ...["::ffff:127.0.0.1", "::ffff:7f00:1"].map(
    (notation): Attempt => ({
      title: `reach the loopback of the host as ${notation}, an IPv4 address within IPv6`,
      request: withRuntime,
      script: () => connect(`host:'${notation}',port:${ports.v4}`),
    }),
  ),
  {
    title: "reach the host by its own name",
    request: withRuntime,
    script: () => connect(`host:'${hostname()}',port:${ports.v4}`),
    withoutControl: () =>
      Bun.spawnSync(["getent", "ahosts", hostname()]).exitCode === 0
        ? null
        : "the host's name has no address",
  },
  {
    title: "reach the host by its link-local IPv6 address",
    request: withRuntime,
    script: () => connect(`host:'${linkLocal() ?? "fe80::1%lo"}',port:${ports.any}`),
    withoutControl: () => (linkLocal() === undefined ? "the host has no link-local address" : null),
  },
  {
    title: "reach an outer address of the host",
    request: withRuntime,
    script: () => {
      const address = outerAddress() ?? "127.0.0.1";
      return connect(`host:'${address}',port:${ports.v4}`);
    },
    withoutControl: () => (outerAddress() === undefined ? "no outer address" : null),
  },
  {
    title: "reach the metadata service of a cloud by its link-local address",
    script: () =>
      `ip route get 169.254.169.254 >/dev/null 2>&1 || grep -qv '^Iface\\|^lo' /proc/net/route && grep -q '[0-9A-F]' /proc/net/route && awk 'NR>1 {print "${SUCCESS}"}' /proc/net/route`,
    withoutControl: () =>
      readFileSync("/proc/net/route", "utf8").trim().split("\n").length > 1 ? null : "the host has no route",
  },
  {
    title: "reach an abstract Unix socket of the host",
    request: withRuntime,
    script: () => connect(`path:String.fromCharCode(0)+'lightflow-escape-${process.pid}'`),
  },
  {
    title: "reach a Unix socket in the host's files",
    request: withRuntime,
    script: () => connect(`path:'${join(directory, "host.sock")}'`),
  },
  {
    title: "write outside the workspace",
    script: () => `echo ${SUCCESS} > '${join(directory, "written")}'`,
    escaped: () => existsSync(join(directory, "written")),
    reset: () => rmSync(join(directory, "written"), { force: true }),
  },
  {
    title: "change a program that the host runs, though it is mounted",
    request: () => {
      const program = join(directory, "program");
      return { mounts: [{ source: program, target: program, readOnly: true }] };
    },
    script: () =>
      `chmod u+w '${join(directory, "program")}'; echo ${SUCCESS} >> '${join(directory, "program")}'; mv '${join(directory, "program")}' gone`,
    escaped: () =>
      !existsSync(join(directory, "program")) ||
      readFileSync(join(directory, "program"), "utf8").includes(SUCCESS),
    reset: () => {
      writeFileSync(join(directory, "program"), "#!/bin/sh\n", { mode: 0o755 });
      chmodSync(join(directory, "program"), 0o755);
    },
  },
  {
    title: "rewrite the runner's executable through the process that runs it",
    request: () => {
      const program = join(directory, "runner");
      return { mounts: [{ source: program, target: program, readOnly: true }] };
    },
    // While it runs the file is busy: the link of /proc is kept open, and written to when the program has ended.
    script: () =>
      `'${join(directory, "runner")}' 30 & i=0; until [ "$(readlink /proc/$!/exe)" = '${join(directory, "runner")}' ] || [ $i = 100 ]; do i=$((i+1)); sleep 0.02; done; exec 3</proc/$!/exe; kill $!; wait; echo ${SUCCESS} >> /proc/self/fd/3; echo ${SUCCESS} >> /proc/1/exe`,
    escaped: () => readFileSync(join(directory, "runner"), "latin1").includes(SUCCESS),
    reset: () => {
      rmSync(join(directory, "runner"), { force: true });
      copyFileSync("/bin/sleep", join(directory, "runner"));
      chmodSync(join(directory, "runner"), 0o755);
    },
  },
  {
    title: "set a kernel parameter",
    // The value that is there already: harmless where it works.
    script: () => `cat /proc/sys/kernel/core_pattern > /proc/sys/kernel/core_pattern && echo ${SUCCESS}`,
    withoutControl: () => (isRoot ? null : "only root may"),
  },
  {
    title: "read what the kernel tells root about the whole host",
    script: () =>
      `for f in slabinfo timer_list vmallocinfo; do head -c 64 /proc/$f | grep -q . && echo ${SUCCESS}; done; for f in kmsg kcore; do (: </proc/$f) && echo ${SUCCESS}; done`,
    withoutControl: () => (isRoot ? null : "only root may"),
  },
  {
    title: "mount a file system",
    script: () => `mkdir m && mount -t tmpfs none m && echo ${SUCCESS} && umount m`,
    withoutControl: () => (isRoot ? null : "only root may"),
  },
  {
    title: "make a user namespace of its own",
    script: () => `unshare --user true && echo ${SUCCESS}`,
  },
  {
    title: "make a device",
    script: () => `mknod d c 1 3 && echo ${SUCCESS}`,
    withoutControl: () => (isRoot ? null : "only root may"),
  },
  {
    title: "change the owner of a file to another user",
    script: () => `touch f && chown 12345 f && echo ${SUCCESS}`,
    withoutControl: () => (isRoot ? null : "only root may"),
  },
  {
    title: "hard-link a file of the host into the workspace",
    script: () => `ln '${secret}' stolen && cat stolen`,
  },
  {
    title: "fill the host's temporary directory",
    script: () =>
      `head -c 20000000 /dev/zero > /tmp/lightflow-fill-$$ && echo ${SUCCESS}; rm -f /tmp/lightflow-fill-$$`,
  },
  {
    title: "fill it with empty files",
    script: () => `mkdir '${inodes}' && cd '${inodes}' && seq 1 2000 | xargs touch`,
    escaped: () => existsSync(inodes),
    reset: () => rmSync(inodes, { recursive: true, force: true }),
  },
  {
    title: "fill the root of its file system",
    script: () => `head -c 20000000 /dev/zero > /lightflow-fill && echo ${SUCCESS}; rm -f /lightflow-fill`,
    withoutControl: () => (isRoot ? null : "only root may"),
  },
  {
    title: "read the accounts of the host",
    script: () =>
      `grep -c '' /etc/passwd | awk '$1 > 1 {print "${SUCCESS}"}'; test -r /etc/shadow && echo ${SUCCESS}`,
  },
  {
    title: "share the host's namespaces",
    script: () =>
      ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"]
        .map(
          (kind) => `test "$(readlink /proc/self/ns/${kind})" = '${readlinkSync(`/proc/self/ns/${kind}`)}'`,
        )
        .map((same) => `${same} && echo ${SUCCESS}`)
        .join("; "),
  },
  {
    title: "see the host's name",
    script: () =>
      `test "$(uname -n)" = '${readFileSync("/proc/sys/kernel/hostname", "utf8").trim()}' && echo ${SUCCESS}`,
  },
];

function outerAddress(): string | undefined {
  return Object.values(networkInterfaces())
    .flat()
    .find((address) => address !== undefined && !address.internal && address.family === "IPv4")?.address;
}

function linkLocal(): string | undefined {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    const found = addresses?.find(({ family, address }) => family === "IPv6" && address.startsWith("fe80"));
    if (found !== undefined && ports.any !== 0) return `${found.address}%${name}`;
  }
  return undefined;
}

async function attempt(one: Attempt, provider: SandboxProvider): Promise<boolean> {
  one.reset?.();
  const request = shellRequest(join(data, "workspaces"), one.script(), one.request?.());
  const { stdout } = await runToEnd(provider, request);
  const escaped = one.escaped?.(stdout, request) ?? stdout.includes(SUCCESS);
  one.reset?.();
  return escaped;
}

/** The isolating sandboxes; null where this machine has none of the kind, which `beforeAll` has said. */
const KINDS: readonly (readonly [string, () => SandboxProvider | null])[] = [
  ["bubblewrap", () => probe.bubblewrap],
  ["oci", () => containers.oci],
];

describe("a task cannot", () => {
  for (const one of ATTEMPTS) {
    test(one.title, async () => {
      for (const [, find] of KINDS) {
        const provider = find();
        if (provider !== null) expect(await attempt(one, provider)).toBe(false);
      }
      const reason = one.withoutControl?.() ?? null;
      if (reason === null) expect(await attempt(one, probe.process)).toBe(true);
      else console.log(`no control for "${one.title}": ${reason}`);
    });
  }
});

describe.each(KINDS)("in %s a task cannot", (_, find) => {
  test("take all processes or all memory of the host when its lease limits them", async () => {
    const provider = find();
    if (provider === null || !provider.capability.features.includes("process-limit")) return;
    const root = join(data, "workspaces");
    const bomb = shellRequest(root, "bomb() { bomb | bomb & }; bomb; sleep 0.5; echo over", {
      processes: 32,
    });
    await provider.prepare(bomb);
    const process = provider.execute(bomb.operationId);
    const drained = Promise.all([new Response(process.stdout).text(), new Response(process.stderr).text()]);
    await Bun.sleep(600);
    await provider.kill(bomb.operationId);
    await process.exited;
    await drained;
    await provider.cleanup(bomb.operationId);
    const hungry = (memoryBytes?: number) =>
      shellRequest(root, "head -c 300000000 /dev/zero | tail -c 300000000 | wc -c", { memoryBytes });
    expect((await runToEnd(provider, hungry(32 << 20))).stdout.trim()).not.toBe("300000000");
    expect((await runToEnd(provider, hungry())).stdout.trim()).toBe("300000000");
  });

  test("reach anything but what its lease opens: with the network open, the host answers", async () => {
    const provider = find();
    if (provider === null) return;
    const request = shellRequest(join(data, "workspaces"), connect(`host:'127.0.0.1',port:${ports.v4}`), {
      ...withRuntime(),
      network: "open",
    });
    expect((await runToEnd(provider, request)).stdout).toContain(SUCCESS);
  });

  test("write to a mount that is read-only, nor see what a mount contains of the runner's own", async () => {
    const provider = find();
    if (provider === null) return;
    const journal = join(data, "journal.db");
    writeFileSync(journal, SUCCESS);
    const request = shellRequest(
      join(data, "workspaces"),
      `cat '${secret}'; cat '${journal}'; ls '${data}'; (echo x > '${secret}') 2>/dev/null && echo WRITTEN`,
      { mounts: [{ source: directory, target: directory, readOnly: true }] },
    );
    const { stdout } = await runToEnd(provider, request);
    expect(stdout).toBe(`${SUCCESS}workspaces\n`);
  });
});

test("a plain process holds none of this, and never says that it does", () => {
  // Each attempt above succeeds in it: what it registers is what a cgroup of this host was seen to hold, and no more.
  const { boundary, modes, features } = probe.process.capability;
  expect({ boundary, modes }).toEqual({ boundary: "process", modes: ["none"] });
  expect(features.filter((feature) => !/^(memory|process)-limit$/.test(feature))).toEqual([
    "process-group",
    "cleared-environment",
  ]);
  const request = { ...shellRequest(join(data, "workspaces"), "true"), mode: "per-agent-call" as const };
  expect(() => probe.process.validate(request)).toThrow("needs isolation");
});
