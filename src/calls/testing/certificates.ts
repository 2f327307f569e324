import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TestCertificates {
  /** The authority, in PEM. */
  readonly ca: string;
  readonly of: Readonly<Record<string, { readonly cert: string; readonly key: string }>>;
}

/** A new authority and a certificate of it for each name, made with the `openssl` program. */
export function testCertificates(...names: string[]): TestCertificates {
  const directory = mkdtempSync(join(tmpdir(), "lightflow-certificates-"));
  const at = (name: string) => join(directory, name);
  const read = (name: string) => readFileSync(at(name), "utf8");
  const openssl = (...args: string[]) => {
    const child = Bun.spawnSync(["openssl", ...args], { cwd: directory, stderr: "pipe", stdout: "ignore" });
    if (child.exitCode !== 0) throw new Error(`openssl ${args[0]}: ${child.stderr.toString()}`);
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  try {
    openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test");
    const of: Record<string, { cert: string; key: string }> = {};
    for (const [index, name] of names.entries()) {
      const file = `n${index}`;
      openssl("req", ...key, "-keyout", `${file}.key`, "-out", `${file}.csr`, "-subj", `/CN=${name}`);
      writeFileSync(at(`${file}.ext`), `subjectAltName=DNS:${name}`);
      const signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", `${file}.ext`];
      openssl("x509", "-req", "-in", `${file}.csr`, "-out", `${file}.pem`, "-days", "2", ...signing);
      of[name] = { cert: read(`${file}.pem`), key: read(`${file}.key`) };
    }
    return { ca: read("ca.pem"), of };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
