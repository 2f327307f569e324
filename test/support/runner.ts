import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../src/base/log.ts";
import type { RunnerConfig } from "../../src/runner/config.ts";
import { type RunnerOptions, type RunningRunner, startRunner } from "../../src/runner/runner.ts";
import { FakeController, type FakeControllerOptions } from "./fake-controller.ts";

/** Processes of this host whose command line is exactly this. */
export function processesRunning(commandLine: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim() === commandLine;
      } catch {
        return false;
      }
    })
    .map(Number);
}

export function runnerConfig(dataDirectory: string, overrides: Partial<RunnerConfig> = {}): RunnerConfig {
  return {
    runnerId: "local",
    tenantId: "default",
    hostId: "localhost",
    runnerPools: ["default"],
    executionProfiles: ["default"],
    dataDirectory,
    slots: 4,
    mounts: ["/"],
    killGraceMs: 300,
    ...overrides,
  };
}

export interface Bench {
  readonly controller: FakeController;
  readonly directory: string;
  readonly data: string;
  runner: RunningRunner;
  /** Another process's worth of runner on the same data directory, after the first was stopped. */
  restart(options?: Partial<RunnerOptions>): RunningRunner;
}

/** Real runners against fake controllers, each in a directory of its own; `close` ends them all. */
export function runnerBenches() {
  const open: { controller: FakeController; runners: RunningRunner[]; directory: string }[] = [];
  return {
    start(
      config: Partial<RunnerConfig> = {},
      controllerOptions: FakeControllerOptions = {},
      options: Partial<RunnerOptions> = {},
    ): Bench {
      // A space in the path, as in any path of a user.
      const directory = mkdtempSync(join(tmpdir(), "runner test "));
      const data = join(directory, "data");
      const controller = new FakeController(controllerOptions);
      const runners: RunningRunner[] = [];
      open.push({ controller, runners, directory });
      const make = (more: Partial<RunnerOptions> = {}) => {
        const runner = startRunner({
          controllerUrl: controller.url,
          enrolmentToken: controller.enrolmentToken,
          config: runnerConfig(data, config),
          log: silentLog,
          ...options,
          ...more,
        });
        runners.push(runner);
        return runner;
      };
      const bench: Bench = {
        controller,
        directory,
        data,
        runner: make(),
        restart(more) {
          bench.runner = make(more);
          return bench.runner;
        },
      };
      return bench;
    },
    async close(): Promise<void> {
      for (const { controller, runners, directory } of open.splice(0)) {
        await Promise.all(runners.map((runner) => runner.stop()));
        await controller.close();
        rmSync(directory, { recursive: true, force: true });
      }
    },
  };
}
