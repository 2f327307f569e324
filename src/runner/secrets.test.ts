import { afterAll, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { effectiveConfig } from "./config.ts";
import { resolveSecrets } from "./secrets.ts";

const directory = mkdtempSync(join(tmpdir(), "secrets "));
const credentials = join(directory, "credentials");
mkdirSync(credentials);
const before = process.env["CREDENTIALS_DIRECTORY"];
afterAll(() => {
  if (before === undefined) delete process.env["CREDENTIALS_DIRECTORY"];
  else process.env["CREDENTIALS_DIRECTORY"] = before;
  rmSync(directory, { recursive: true, force: true });
});

const file = (name: string, text: string | Uint8Array, mode = 0o600): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
};

/** What a task would get for `runner-secret://it`, or why it gets nothing. */
const resolved = (source: object): Promise<string> =>
  resolveSecrets(
    { KEY: "runner-secret://it" },
    effectiveConfig({
      runnerId: "r",
      tenantId: "default",
      hostId: "h",
      runnerPools: ["default"],
      executionProfiles: ["default"],
      dataDirectory: directory,
      slots: 1,
      secrets: { it: source },
    }),
  ).then(
    ({ environment }) => `got ${environment["KEY"]}`,
    ({ code, message, hint }) => `${code}: ${message}; ${hint}`,
  );

test("a file is taken only where nobody else can read or turn it, and each refusal says what to do", async () => {
  expect(await resolved({ file: file("good", "value-of-it\n") })).toBe("got value-of-it");
  expect(await resolved({ file: file("open", "value-of-it", 0o640) })).toMatch(
    /may be read by others; chmod 600/,
  );
  symlinkSync(join(directory, "good"), join(directory, "link"));
  expect(await resolved({ file: join(directory, "link") })).toMatch(
    /is a symbolic link; name the file itself/,
  );
  expect(await resolved({ file: join(directory, "none") })).toMatch(
    /does not exist; write the credential there/,
  );
  expect(await resolved({ file: credentials })).toMatch(/is not a regular file/);
  // Of another user, who could write what he likes.
  const foreign = process.geteuid!() === 0 ? file("foreign", "value-of-it") : "/etc/passwd";
  if (process.geteuid!() === 0) chownSync(foreign, 12_345, 12_345);
  expect(await resolved({ file: foreign })).toMatch(/belongs to another user; chown/);
});

test("what no variable can hold, and what is no secret at all, is refused by name", async () => {
  expect(await resolved({ file: file("nul", "abc\0defghij") })).toMatch(/secret it holds a NUL byte/);
  expect(await resolved({ file: file("empty", "\n") })).toMatch(/secret it is empty/);
});

test("a credential of systemd is read by its name; without it the unit's line is told", async () => {
  delete process.env["CREDENTIALS_DIRECTORY"];
  expect(await resolved({ credential: "deploy" })).toMatch(/LoadCredential=deploy:/);
  process.env["CREDENTIALS_DIRECTORY"] = credentials;
  expect(await resolved({ credential: "deploy" })).toMatch(
    /secret_denied: .*no credential deploy; .*LoadCredential=deploy:/,
  );
  writeFileSync(join(credentials, "deploy"), "from-systemd\n");
  expect(await resolved({ credential: "deploy" })).toBe("got from-systemd");
});
