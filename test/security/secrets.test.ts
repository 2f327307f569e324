import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { runnerBenches } from "../support/runner.ts";

setDefaultTimeout(30_000);

const SECRET = "k3y+with/odd'chars&more=7d41";
const benches = runnerBenches();
process.env["SECRETS_TEST"] = SECRET;
afterEach(() => benches.close());

const secrets = { deploy: { env: "SECRETS_TEST" } };
const inDirectory = (directory: string, what: string): string[] =>
  Bun.spawnSync(["grep", "-rlaF", "-e", what, directory]).stdout.toString().split("\n").filter(Boolean);
const task = (script: string, environment: Record<string, string> = { S: "runner-secret://deploy" }) => ({
  task: { type: "run.shell" as const, command: "sh", arguments: ["-c", script], environment },
});

/** What tools make of it, each with a word that tells its line. */
const WAYS: Record<string, string> = {
  plain: 'printf %s "$S"',
  stderr: 'printf %s "$S" >&2',
  "in two writes": `printf %s "$S" | head -c 11; sleep 0.3; printf %s "$S" | tail -c +12`,
  base64: 'printf %s "$S" | base64 -w0',
  "base64 behind one byte": 'printf x%s "$S" | base64 -w0',
  "base64 behind two": 'printf xy%s "$S" | base64 -w0',
  "base64 of a line": 'echo "$S" | base64 -w0',
  hex: `printf %s "$S" | od -An -v -tx1 | tr -d ' \\n'`,
  HEX: `printf %s "$S" | od -An -v -tx1 | tr -d ' \\n' | tr a-f A-F`,
  uri: `printf %s "$S" | sed "s/+/%2B/g;s|/|%2F|g;s/'/%27/g;s/&/%26/g;s/=/%3D/g"`,
  "single-quoted": `printf %s "$S" | sed "s/'/'\\\\\\\\''/g"`,
  xml: `printf %s "$S" | sed "s/&/\\\\&amp;/g;s/'/\\\\&apos;/g"`,
  doubled: `printf %s "$S" | sed "s/'/''/g"`,
};

for (const sandbox of ["process", "auto"] as const) {
  describe(sandbox, () => {
    test("SR-8.1: however a task prints its secret, no chunk, result, artifact name or file of the runner holds it", async () => {
      const { controller, data } = benches.start({ sandbox, secrets });
      const script = Object.entries(WAYS)
        .map(([name, command]) => `echo; echo '${name}:'; ${command}`)
        .join("\n");
      const lease = controller.offer({
        ...task(
          `${script}\necho; printf '{"a":"%s"}' "$S" >"$LIGHTFLOW_OUTPUT"; echo x >"got-\${S%%/*}.txt"`,
        ),
        output: "json",
        artifacts: [{ path: "*.txt" }],
      });
      const result = await controller.result(lease);
      expect(result.status).toBe("succeeded");
      const log = controller.log(lease) + controller.log(lease, "stderr");
      for (const name of Object.keys(WAYS)) expect(log).toContain(`${name}:\n`);
      const everything = log + JSON.stringify(result);
      const base64 = (text: string, from: number, to: number) =>
        Buffer.from(text).toString("base64").slice(from, to);
      for (const [what, form] of Object.entries({
        plain: SECRET,
        half: SECRET.slice(3, 20),
        base64: base64(SECRET, 0, 30),
        shifted: base64(`x${SECRET}`, 2, 30),
        "shifted twice": base64(`xy${SECRET}`, 3, 30),
        hex: Buffer.from(SECRET).toString("hex"),
        HEX: Buffer.from(SECRET).toString("hex").toUpperCase(),
        uri: encodeURIComponent(SECRET).slice(4),
        quoted: SECRET.replace("'", "'\\''"),
        xml: SECRET.replace("&", "&amp;").replace("'", "&apos;"),
        doubled: SECRET.replace("'", "''"),
      }))
        expect({ what, found: everything.includes(form) }).toEqual({ what, found: false });
      expect(result.output).toEqual({ a: "***" });
      // What the task wrote itself goes with its workspace.
      await controller.until(() => readdirSync(`${data}/workspaces`).length === 0);
      expect(inDirectory(data, SECRET)).toEqual([]);
    });

    test("SR-8.1: nor does a name of a file, what is told of a bad output, or a word of the runner's own credential", async () => {
      const { controller } = benches.start({ sandbox, secrets });
      const hex = Buffer.from(SECRET).toString("hex");
      const inHex = `x=$(printf %s "$S" | od -An -v -tx1 | tr -d ' \\n')`;
      const named = await controller.result(
        controller.offer({ ...task(`${inHex}; echo 1 >"got-$x.txt"`), artifacts: [{ path: "*.txt" }] }),
      );
      expect([named.artifactRefs.map(({ name }) => name), named.changedFiles]).toEqual([
        ["got-_.txt"],
        ["got-***.txt"],
      ]);
      const bad = await controller.result(
        controller.offer({
          ...task(`${inHex}; printf '{"%s":1,"%s":2}' "$x" "$x" >"$LIGHTFLOW_OUTPUT"`),
          output: "json",
        }),
      );
      expect(bad).toMatchObject({
        errorCode: "execution_output_invalid",
        summary: expect.stringContaining("***"),
      });
      expect(JSON.stringify(bad)).not.toContain(hex);
      const own = controller.offer(task(`echo ${controller.enrolmentToken} and the rest`, {}));
      await controller.result(own);
      expect(controller.log(own)).toBe("*** and the rest\n");
    });

    test("SR-8.2, SR-8.3, SR-8.4: a secret is its task's alone and for its time: not another's, in no argument, in no file", async () => {
      const { controller, data } = benches.start({ sandbox, secrets });
      const lease = controller.offer(task("echo begun; sleep 0.6"));
      await controller.until(() => (controller.records.get(lease)?.chunks.stdout.length ?? 0) > 0);
      const holders = readdirSync("/proc").filter((pid) => {
        try {
          return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(SECRET);
        } catch {
          return false;
        }
      });
      expect(holders).toEqual([]);
      expect(inDirectory(data, SECRET)).toEqual([]);
      // Beside it and after it, a task that names no secret has none, and one that names another gets a refusal.
      const beside = controller.offer(task("env; set", {}));
      await controller.result(beside);
      expect(controller.log(beside)).not.toContain(SECRET);
      const denied = await controller.result(controller.offer(task("env", { S: "runner-secret://other" })));
      expect([denied.status, denied.errorCode]).toEqual(["failed", "secret_denied"]);
      await controller.result(lease);
      const after = controller.offer(task("env; cat /proc/*/environ 2>/dev/null | grep -c begun; true", {}));
      await controller.result(after);
      expect(controller.log(after)).not.toContain(SECRET);
    });
  });
}

test("SR-6.3: a runner resolves no reference to a secret of the service, wherever it stands", async () => {
  const { controller } = benches.start({ sandbox: "process", secrets });
  for (const environment of [{ S: "saas-secret://openai" }, { S: "x saas-secret://openai" }] as Record<
    string,
    string
  >[]) {
    const refused = await controller.result(controller.offer(task("env", environment)));
    expect([refused.errorCode, refused.retrySafety]).toEqual(["secret_denied", "safe"]);
  }
});
