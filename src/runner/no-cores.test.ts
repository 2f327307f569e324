import { expect, test } from "bun:test";
import { join } from "node:path";

test("whatever a process was allowed, what it starts afterwards leaves no core file", () => {
  const limits = (before: string) => {
    const script = `
      import { forbidCores } from ${JSON.stringify(join(import.meta.dir, "no-cores.ts"))};
      ${before}
      process.stdout.write(Bun.spawnSync(["sh", "-c", "ulimit -S -c; ulimit -H -c"]).stdout);`;
    const raised = [
      "sh",
      "-c",
      'ulimit -S -c "$(ulimit -H -c)"; exec "$@"',
      "sh",
      process.execPath,
      "-e",
      script,
    ];
    return Bun.spawnSync(raised).stdout.toString();
  };
  const own = Bun.spawnSync(["sh", "-c", "ulimit -H -c"]).stdout.toString();
  expect(limits("")).toBe(own + own);
  expect(limits('if (!forbidCores()) throw new Error("refused");')).toBe("0\n0\n");
});
