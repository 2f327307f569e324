import { startRunner } from "../../src/runner/runner.ts";

/** A runner in a process of its own, which may kill itself at a named moment: `bun runner-child.ts <options as JSON>`. */
export interface ChildOptions {
  readonly controllerUrl: string;
  readonly enrolmentToken: string;
  readonly config: Parameters<typeof startRunner>[0]["config"];
  readonly crashAt?: string;
}

if (import.meta.main) {
  const { crashAt, ...options } = JSON.parse(process.argv[2]!) as ChildOptions;
  const runner = startRunner({
    ...options,
    atPoint: (point) => {
      if (point === crashAt) process.kill(process.pid, "SIGKILL");
    },
  });
  await runner.closed;
}
